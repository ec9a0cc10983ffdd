"""The Operations page: the numbers of the metrics, for admins alone, without a text."""

import pytest
from reward_gateway.console.pages.operations import is_failure

from tests.console.conftest import Pages
from tests.console.test_console import BROWSER

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("status", "failed"),
    [("200", False), ("OK", False), ("303", False), ("404", True), ("503", True), ("UNAVAILABLE", True)],
)
def test_failures_are_told_from_answers(status: str, failed: bool) -> None:
    assert is_failure(status) is failed


async def test_refusals_are_counted_by_code_without_their_text(pages: Pages) -> None:
    pages.telemetry.metrics.admission_rejected("queue_full")
    secret = "of which nobody must hear"
    async with pages.client() as client:
        answer = await client.post("/v1/score", json={"samples": [{"prompt": 5, "response": secret}]})
        assert answer.status_code == 422
        page = (await client.get("/console/operations", headers=BROWSER)).text
        part = (await client.get("/console/operations/state")).text
    for html in (page, part):
        assert "<td><code>queue_full</code></td><td>1</td>" in html
        assert "<td><code>422</code></td><td>1</td>" in html
        assert secret not in html


async def test_the_page_is_for_admins(guarded: Pages) -> None:
    async with guarded.client() as client:
        token = (await client.get("/console/login")).text.partition('name="csrf" value="')[2].partition('"')[0]
        await client.post("/console/login", data={"csrf": token, "key": "key-of-researcher"})
        for path in ("/console/operations", "/console/operations/state"):
            assert (await client.get(path)).status_code == 403
