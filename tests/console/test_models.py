"""The Models page: the models of the API with their figures, for admins alone; every change asks first."""

from typing import Any

import pytest
from reward_gateway.backends.port import ModelInfo
from reward_gateway.console.model_figures import find_quantile
from reward_gateway.errors import Conflict

from tests.console.conftest import Pages
from tests.console.test_console import BROWSER, token_in

pytestmark = pytest.mark.anyio


def test_quantiles_lie_between_the_ends_of_their_buckets() -> None:
    buckets = [(0.1, 0.0), (0.2, 50.0), (0.4, 100.0), (float("inf"), 100.0)]
    assert find_quantile(buckets, 0.25) == pytest.approx(0.15)
    assert find_quantile(buckets, 0.5) == pytest.approx(0.2)
    assert find_quantile(buckets, 0.95) == pytest.approx(0.38)
    assert find_quantile([(0.1, 0.0), (float("inf"), 4.0)], 0.5) == 0.1
    assert find_quantile([], 0.5) is None
    assert find_quantile([(0.1, 0.0), (float("inf"), 0.0)], 0.5) is None


CARD = {"quality": {"accuracy": {"test": 0.71}}, "targets": {"accuracy": {"test": 0.7}}}


async def test_every_model_is_listed_with_its_state_and_speed(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = ModelInfo("letters", "2-b", True, ("response",), (), 8, card=CARD, versions=("1-a", "2-b"))
    held = ModelInfo("held", "", False, (), (), 0, wanted=False)

    async def models() -> list[ModelInfo]:
        return [letters, held]

    monkeypatch.setattr(pages.models, "models", models)
    pages.telemetry.metrics.models.register(["letters"])
    pages.telemetry.metrics.model_call_finished("letters", 4, 0.02, "ok")
    async with pages.client() as client:
        page = (await client.get("/console/models", headers=BROWSER)).text
    assert "<code>letters</code>" in page
    assert "<code>held</code>" in page
    assert "<td>1, 2</td>" in page
    assert "accuracy test: 0.71 (target 0.7)" in page
    assert "Roll back letters" in page
    assert "not loaded" in page
    assert " ms</td>" in page
    assert "Load held" in page
    assert "hx-confirm" in page


async def test_a_change_is_the_api_s_and_its_refusal_is_said(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def note(action: str) -> Any:
        async def change(name: str) -> None:
            asked.append((action, name))
            if action == "rollback":
                raise Conflict("recipes use letters@1: change them to another version first")

        return change

    for action in ("load", "unload", "rollback"):
        monkeypatch.setattr(pages.console.parts.model_admin, action, note(action))
    async with pages.client() as client:
        token = token_in((await client.get("/console/models", headers=BROWSER)).text)
        headers = {"x-csrf-token": token}
        for action in ("load", "unload", "rollback"):
            refused = await client.post(f"/console/models/{action}", data={"name": "letters"})
            assert refused.status_code == 403
            done = await client.post(f"/console/models/{action}", data={"name": "letters"}, headers=headers)
            assert done.status_code == 200
            assert "<code>letters</code>" in done.text
        assert "recipes use letters@1" in done.text
    assert asked == [(action, "letters") for action in ("load", "unload", "rollback")]


async def test_the_page_is_for_admins(guarded: Pages) -> None:
    async with guarded.client() as client:
        token = (await client.get("/console/login")).text.partition('name="csrf" value="')[2].partition('"')[0]
        await client.post("/console/login", data={"csrf": token, "key": "key-of-researcher"})
        assert (await client.get("/console/models")).status_code == 403
        assert "/console/models" not in (await client.get("/", headers=BROWSER)).text


async def test_a_model_has_a_view_of_its_own(pages: Pages) -> None:
    async with pages.client() as client:
        page = (await client.get("/console/models?name=letters", headers=BROWSER)).text
        assert "<title>letters · Models · reward-gateway</title>" in page
        assert "Unload letters" in page
        assert "pictures" not in page
        assert (await client.get("/console/models?name=nothing", headers=BROWSER)).status_code == 404


async def test_a_model_server_that_is_away_is_said(pages: Pages) -> None:
    pages.models.away = True
    async with pages.client() as client:
        page = (await client.get("/console/models", headers=BROWSER)).text
    assert "cannot be listed" in page
