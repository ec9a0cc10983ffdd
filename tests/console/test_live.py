"""The Live page: its numbers are the API's, it follows its run, and shows nobody the runs of others."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, expect
from reward_gateway.lab.words import number

from tests.clock import LONGEST_WAIT_S
from tests.console.browser import Watched
from tests.console.conftest import Pages, Serve, build, listening

pytestmark = pytest.mark.anyio


async def score(client: httpx.AsyncClient, *responses: str, step: int, run: str = "r", **headers: str) -> None:
    samples = [{"prompt": "p", "response": response} for response in responses]
    marks = {"x-run": run, "x-run-step": str(step), **headers}
    answer = await client.post("/v1/score", json={"reward": "mixed", "samples": samples}, headers=marks)
    assert answer.status_code == 200, answer.text


async def read_events(client: httpx.AsyncClient, path: str, most: int) -> dict[str, str]:
    """The first events of a stream, by name."""
    found: dict[str, str] = {}
    async with asyncio.timeout(LONGEST_WAIT_S), client.stream("GET", path, timeout=LONGEST_WAIT_S) as answer:
        assert answer.status_code == 200
        name = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found[name] = found.get(name, "") + line.removeprefix("data: ")
            elif not line and len(found) == most:
                return found
    return found


async def test_without_a_run_the_page_says_how_to_begin_one(pages: Pages) -> None:
    async with pages.client() as client:
        answer = await client.get("/console/live")
    assert answer.status_code == 200
    assert "Nothing was scored yet" in answer.text
    assert "X-Run-Step" in answer.text


async def test_the_numbers_are_those_of_the_api() -> None:
    pages = build()
    async with listening(pages) as address, httpx.AsyncClient(base_url=address) as client:
        for step in range(3):
            await score(client, "a b c", "ab" * (step + 1), "", step=step)
        told = (await client.get("/v1/runs/r", params={"bucket": "step"})).json()
        page = (await client.get("/console/live", params={"name": "r"})).text
        events = await read_events(client, "/console/live/events?name=r&bucket=step", 2)
    series: list[dict[str, Any]] = told["rewards"]["mixed"]["series"]
    charts = {chart["id"]: chart for chart in json.loads(events["charts"])}
    mean, _, std = charts["r0-reward"]["series"]
    assert mean["x"] == [row["step"] for row in series] == [0, 1, 2]
    assert (mean["y"], std["y"]) == ([row["mean"] for row in series], [row["std"] for row in series])
    assert mean["low"] == [row["quantiles"]["0.05"] for row in series]
    for line in charts["r0-components"]["series"]:
        assert line["y"] == [row["components"][line["label"]]["mean"] for row in series]
    shares = {line["label"]: line["y"] for line in charts["r0-shares"]["series"]}
    assert shares["groups without variance"] == [row["zero_variance_share"] for row in series]
    assert shares["flagged"] == [row["flagged"] / row["n"] for row in series] == [1 / 3] * 3
    assert charts["r0-length"]["series"][0]["y"] == [row["length_correlation"] for row in series]
    for html in (page, events["figures"]):
        assert number(series[-1]["mean"]) in html
        assert "too few samples to tell" in html
        assert told["rewards"]["mixed"]["versions"][0]["version"] in html
    assert all(f'id="{name}"' in page for name in charts)


async def test_drift_is_told_against_the_chosen_window(serve: Serve) -> None:
    async with serve() as pages, pages.client() as client:
        for step in range(4):
            await score(client, *(f"{'x' * (k % 9 + (8 if step == 3 else 0))}" for k in range(150)), step=step)
        for window, said in (("0.25", "the first quarter"), ("0.5", "the first half")):
            page = (await client.get("/console/live", params={"name": "r", "window": window})).text
            assert f"drift from {said}" in page
            assert "a shift" in page


async def test_drift_is_told_against_a_window_of_ones_own() -> None:
    pages = build()
    async with listening(pages) as address, httpx.AsyncClient(base_url=address) as client:
        for step in range(4):
            await score(client, *(f"{'x' * (k % 9 + (8 if step == 3 else 0))}" for k in range(150)), step=step)
        path = "/console/live/events?name=r&bucket=step"
        for window, said in (("0&to=2", "a shift"), ("3&to=3", "PSI 0.000"), ("50&to=60", "too few samples")):
            figures = (await read_events(client, f"{path}&from={window}", 2))["figures"]
            assert f"drift from steps {window.replace('&to=', ' to ')}" in figures
            assert said in figures
        for wrong in ("from=3&to=2", "from=3", "from=x&to=2", "from=1e9&to=2"):
            assert (await client.get(f"{path}&{wrong}")).status_code == 422
        at = int((await client.get("/v1/runs/r")).json()["rewards"]["mixed"]["series"][0]["t"])
        for query in ("name=r", "recipe=mixed"):
            figures = (await read_events(client, f"/console/live/events?{query}&from={at - 600}&to={at + 600}", 2))[
                "figures"
            ]
            assert "(UTC)" in figures
            assert "PSI" in figures


async def test_a_recipe_is_shown_over_all_runs(pages: Pages) -> None:
    async with pages.client() as client:
        await score(client, "abc", "ab", step=1, run="one")
        await score(client, "abcd", step=1, run="two")
        page = (await client.get("/console/live", params={"recipe": "mixed"})).text
        assert "mixed over all 2 runs of all callers: 3 samples" in page
        assert "<title>mixed · Live · reward-gateway</title>" in page
        assert "<title>one · Live · reward-gateway</title>" in (await client.get("/console/live?name=one")).text
        assert 'id="r0-reward"' in page
        assert '<option value="step"' not in page
        assert (await client.get("/console/live", params={"recipe": "mixed", "bucket": "step"})).status_code == 422
        assert (await client.get("/console/live", params={"recipe": "nothing"})).status_code == 404


async def test_a_view_that_is_none_is_refused(pages: Pages) -> None:
    async with pages.client() as client:
        await score(client, "abc", step=1)
        for wrong in ({"bucket": "day"}, {"window": "7"}):
            assert (await client.get("/console/live", params=wrong)).status_code == 422
        assert (await client.get("/console/live", params={"name": "nothing"})).status_code == 404


async def test_nobody_sees_the_runs_of_others_but_an_admin(guarded: Pages) -> None:
    async with guarded.client() as api:
        for key in ("researcher", "operator"):
            await score(api, "abc", step=1, run=f"of-{key}", **{"x-api-key": f"key-of-{key}"})

    async def log_in(client: httpx.AsyncClient, key: str) -> None:
        token = (await client.get("/console/login")).text.partition('name="csrf" value="')[2].partition('"')[0]
        await client.post("/console/login", data={"csrf": token, "key": f"key-of-{key}"})

    async with guarded.client() as client:
        await log_in(client, "researcher")
        page = (await client.get("/console/live")).text
        assert "of-researcher" in page
        assert "of-operator" not in page
        for path in ("/console/live", "/console/live/events"):
            asked = await client.get(path, params={"caller": "operator", "name": "of-operator", "bucket": "step"})
            assert asked.status_code == 403
        over_all = (await client.get("/console/live", params={"recipe": "mixed"})).text
        assert "mixed over the one run of yours: 1 sample" in over_all
    async with guarded.client() as client:
        await log_in(client, "operator")
        over_all = (await client.get("/console/live", params={"recipe": "mixed"})).text
        assert "mixed over all 2 runs of all callers: 2 samples" in over_all
        page = (await client.get("/console/live", params={"caller": "researcher", "name": "of-researcher"})).text
        assert "researcher: of-researcher" in page


@pytest.mark.slow
async def test_the_page_follows_its_run_in_every_look(chromium: Browser) -> None:
    pages = build()
    async with listening(pages) as address, httpx.AsyncClient(base_url=address) as client:
        for step in range(30):
            await score(client, *("x" * (k * (step + 1) % 11) for k in range(8)), step=step)
        async with Watched.open_tab(chromium, address) as tab:
            await tab.open("/console/live?name=r")
            await tab.page.wait_for_function("() => document.querySelectorAll('.chart canvas').length >= 4")
            drawn = await tab.page.evaluate("Number(document.getElementById('live').dataset.drawn)")
            await score(client, "abc", "abc", step=30)
            await tab.page.wait_for_function(f"() => Number(document.getElementById('live').dataset.drawn) > {drawn}")
            newest = tab.page.locator(".newest tbody tr:first-child td:first-child")
            await expect(newest).to_have_text("30")
            await tab.page.fill("#window [name=from]", "2")
            await tab.page.fill("#window [name=to]", "5")
            await tab.page.press("#window [name=to]", "Enter")
            await expect(tab.page.locator("#figures")).to_contain_text("drift from steps 2 to 5")
            assert tab.page.url.endswith("#from=2&to=5")
            await tab.page.reload()
            await expect(tab.page.locator("#figures")).to_contain_text("drift from steps 2 to 5")
            await expect(tab.page.locator("#window [name=from]")).to_have_value("2")
            await tab.page.click("#window [type=reset]")
            await expect(tab.page.locator("#figures")).to_contain_text("drift from the first tenth")
            await tab.page.wait_for_function("() => document.querySelectorAll('.chart canvas').length >= 4")
            await tab.check_every_look()
            await tab.walk_by_keyboard()
