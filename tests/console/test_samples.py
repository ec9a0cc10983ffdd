"""The Samples page: what is off says how to switch it on; filters, marks by keyboard, export; for operators alone."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser

from tests.console.browser import Watched
from tests.console.conftest import Pages, Serve, build, listening

pytestmark = pytest.mark.anyio


async def score(pages: Pages, *responses: Any, run: str = "", prompt: Any = "How?", **sample: Any) -> None:
    samples = [{"prompt": prompt, "response": response, **sample} for response in responses]
    async with pages.client() as client:
        headers = {"x-run": run} if run else {}
        answer = await client.post("/v1/score", json={"reward": "mixed", "samples": samples}, headers=headers)
        assert answer.status_code == 200, answer.text


async def list_samples(pages: Pages) -> list[dict[str, Any]]:
    async with pages.client() as client:
        samples: list[dict[str, Any]] = (await client.get("/v1/samples", params={"sort": "highest"})).json()["samples"]
        return samples


@pytest.fixture
async def kept(serve: Serve) -> AsyncIterator[Pages]:
    async with serve(keep_samples=1000) as pages:
        yield pages


async def test_where_nothing_is_kept_the_page_says_what_to_switch_on(pages: Pages) -> None:
    async with pages.client() as client:
        answer = await client.get("/console/samples")
        assert answer.status_code == 200
        assert "--keep-samples 10000" in answer.text
        assert (await client.get("/console/samples/pairs")).status_code == 409


async def test_samples_are_shown_filtered_and_escaped(kept: Pages) -> None:
    async with kept.client() as client:
        assert "Nothing was kept yet" in (await client.get("/console/samples")).text
        await score(kept, "<script>alert(1)</script>", "ab", run="first", reference="<b>")
        await score(kept, "cd", run="second", prompt=[{"role": "user", "content": "Why?"}])
        await score(kept, "ef")
        page = (await client.get("/console/samples")).text
        assert page.count("<article") == 4
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
        assert "4 samples" in page
        for query, shown in (
            ("run=second", 1),
            ("run=first&kind=reservoir", 2),
            ("recipe=mixed", 4),
            ("run=no+run", 1),
        ):
            assert (await client.get(f"/console/samples?{query}")).text.count("<article") == shown, query
        nothing = (await client.get("/console/samples?mark=good")).text
        assert "No sample is like that" in nothing
        assert (await client.get("/console/samples?kind=best")).status_code == 422
        assert (await client.get("/console/samples?sort=best")).status_code == 422


async def test_a_mark_needs_the_token_of_the_page(kept: Pages) -> None:
    await score(kept, "ab")
    (sample,) = await list_samples(kept)
    async with kept.client() as client:
        await client.get("/console/samples")
        answer = await client.post("/console/samples/mark", data={"id": sample["id"], "mark": "good"})
        assert answer.status_code == 403
    assert (await list_samples(kept))[0]["mark"] is None


async def test_pairs_are_those_of_the_api(kept: Pages) -> None:
    await score(kept, "abcdef", "a b c", run="first")
    async with kept.client() as client:
        page = await client.get("/console/samples/pairs?run=first&min_margin=0")
        assert page.text == (await client.get("/v1/samples/pairs?run=first")).text
        assert json.loads(page.text)["run"] == "first"
        assert (await client.get("/console/samples/pairs?min_margin=x")).status_code == 422


async def test_operators_alone_see_it(serve: Serve, keys_file: Path) -> None:
    async with serve(api_keys_file=keys_file, keep_samples=10) as pages:
        for name, status, linked in (("researcher", 403, False), ("operator", 200, True)):
            async with pages.client() as client:
                await log_in(client, f"key-of-{name}")
                assert (await client.get("/console/samples")).status_code == status
                assert ('href="/console/samples"' in (await client.get("/console/try")).text) == linked


async def log_in(client: httpx.AsyncClient, key: str) -> None:
    form = (await client.get("/console/login")).text
    token = form.split('name="csrf" value="')[1].split('"')[0]
    answer = await client.post("/console/login", data={"csrf": token, "key": key})
    assert answer.status_code == 303, answer.text


@pytest.mark.slow
async def test_samples_are_read_and_marked_by_keyboard(chromium: Browser) -> None:
    pages = build(keep_samples=1000)
    async with listening(pages) as address, Watched.open_tab(chromium, address) as tab:
        await score(pages, "abcdef", "word " * 300, "", run="first", reference="a", rubric=[{"text": "Says why."}])
        await tab.open("/console/samples?sort=highest")
        await tab.check_every_look()
        walked = await tab.walk_by_keyboard()
        assert any("sample-" in each for each in walked)
        await tab.page.evaluate("document.activeElement.blur()")
        ids = [sample["id"] for sample in await list_samples(pages)]
        for key, place, mark in (("j", 0, "g"), ("j", 1, "b"), ("j", 2, "h"), ("k", 1, "h")):
            await tab.page.keyboard.press(key)
            focused = await tab.page.evaluate("document.activeElement.dataset.id")
            assert focused == ids[place]
            await tab.page.keyboard.press(mark)
            name = {"g": "good", "b": "bad", "h": "hack"}[mark]
            await tab.page.wait_for_selector(f'#sample-{ids[place]} [data-mark="{name}"][aria-pressed="true"]')
            await tab.page.wait_for_selector(f"#sample-{ids[place]}:focus")
        assert [sample["mark"] for sample in await list_samples(pages)] == ["good", "hack", "hack"]
        await tab.page.keyboard.press("u")
        await tab.page.wait_for_selector(f"#sample-{ids[1]}:not(:has([aria-pressed=true]))")
        assert [sample["mark"] for sample in await list_samples(pages)] == ["good", None, "hack"]
        await tab.check_every_look()
        async with tab.page.expect_download() as download:
            await tab.page.click("text=Export pairs")
        lines = (await (await download.value).path()).read_text().splitlines()
        pairs = [json.loads(line) for line in lines]  # what is marked good against what is marked as a hack
        assert [(len(pair["chosen"]), pair["rejected"]) for pair in pairs] == [(len("word " * 300), "")]
        tab.page.on("dialog", lambda dialog: dialog.accept())
        await tab.page.click(f"#sample-{ids[2]} .quiet")
        await tab.page.wait_for_selector(f"#sample-{ids[2]}", state="detached")
        assert len(await list_samples(pages)) == 2
