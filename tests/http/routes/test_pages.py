"""The pages over HTTP: HTML under a policy that lets it load nothing."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "path",
    ["/pages", "/pages/rewards", "/pages/systems", "/pages/operations/transform/par", "/pages/rewards/mixed"],
)
async def test_a_page_is_html_that_loads_nothing(served: Any, path: str) -> None:
    answer = await served.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text.startswith("<!doctype html>")


@pytest.mark.parametrize("path", ["/pages/operations/score/none", "/pages/rewards/none", "/pages/none"])
async def test_a_page_that_is_not_there_is_404(served: Any, path: str) -> None:
    answer = await served.client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


async def test_the_openapi_page_leads_to_them(served: Any) -> None:
    document = (await served.client.get("/openapi.json")).json()
    assert "/pages" in document["info"]["description"]
    assert {"/pages", "/pages/rewards/{name}", "/pages/operations/{kind}/{name}"} <= set(document["paths"])
