"""A newcomer in a real Chromium: copies a recipe, breaks it, mends it, tries it, saves it, uses it, compares it."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Thread

import httpx
import numpy as np
import pytest
from playwright.async_api import Browser, FilePayload, Page, expect
from reward_gateway.lab.words import number

from tests.clock import LONGEST_WAIT_S
from tests.console.browser import Watched
from tests.console.conftest import KEYS, listening
from tests.console.test_recipes import FILE, watched
from tests.documents import read_blocks

README = Path(__file__).parents[2] / "README.md"

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

expect.set_options(timeout=LONGEST_WAIT_S * 1e3)  # the first check starts a worker process


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A service with keys and a recipe file of its own, on a loop of its own: its address, and the file."""
    folder = tmp_path_factory.mktemp("recipes")
    file, keys = folder / "rewards.yaml", folder / "keys.yaml"
    file.write_text(FILE)
    keys.write_text(KEYS)
    keys.chmod(0o600)
    addresses: Queue[str] = Queue()
    stops: list[Callable[[], object]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        stops.append(partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set))
        async with watched(file, api_keys_file=keys) as pages, listening(pages) as address:
            addresses.put(address)
            await stop.wait()

    thread = Thread(target=partial(asyncio.run, serve()))
    thread.start()
    yield addresses.get(timeout=LONGEST_WAIT_S), file
    stops[0]()
    thread.join()


async def log_in(tab: Watched, key: str) -> None:
    await tab.open("/console/login?next=/console/recipes")
    await tab.page.fill("[name=key]", key)
    await tab.page.press("[name=key]", "Enter")
    await tab.page.wait_for_url("**/console/recipes")


def read_first_request() -> list[dict[str, str]]:
    """The samples of the README's first request, with the answer that it is to prefer first."""
    (request, *_) = [block for block in read_blocks(README.read_text(encoding="utf-8")) if block.mark == "run"]
    body = re.search(r"-d '(.*)'", request.text, flags=re.DOTALL)
    assert body is not None
    samples: list[dict[str, str]] = json.loads(body[1])["samples"]
    return samples


async def ask(address: str, reward: str, samples: list[dict[str, str]]) -> list[float]:
    async with httpx.AsyncClient(base_url=address, headers={"x-api-key": "key-of-operator"}) as client:
        answer = await client.post("/v1/score", json={"reward": reward, "samples": samples})
    return [row["reward"] for row in answer.json()["results"]]


async def use_beside(page: Page, other: str, samples: list[dict[str, str]]) -> list[float]:
    """Score samples in Try, by the recipe that is chosen there and another; the rewards that are shown, by recipe."""
    await page.select_option("#other", other)
    await page.fill("#prompt", samples[0]["prompt"])
    for i, sample in enumerate(samples, 1):
        if not await page.locator(f"#response-{i}").is_visible():
            await page.click("#add-response")
        await page.fill(f"#response-{i}", sample["response"])
    await page.click("#score")
    shown = page.locator("#answer .reward strong")
    await expect(shown).to_have_count(2 * len(samples))
    return [float(text.replace("−", "-")) for text in await shown.all_text_contents()]


async def compare_on_a_file(page: Page, a: str, b: str, samples: list[dict[str, str]]) -> list[str]:
    """Compare two recipes on a file of samples; the slopes over length that are shown."""
    content = "".join(json.dumps(sample) + "\n" for sample in samples).encode()
    file: FilePayload = {"name": "answers.jsonl", "mimeType": "application/json", "buffer": content}
    await page.set_input_files("#file", file)
    await page.select_option("#a", f"reward:{a}")
    await page.select_option("#b", f"reward:{b}")
    await page.click("#start")
    await expect(page.locator(".chart canvas")).to_have_count(2)
    cards = page.locator("#result .card", has_text="slope of")
    await expect(cards).to_have_count(2)
    return await cards.locator("strong").all_text_contents()


def fit_slope(rewards: list[float], samples: list[dict[str, str]]) -> str:
    """Of rewards over the samples' lengths, per 100 words, as pages write it."""
    words = [len(sample["response"].split()) / 100 for sample in samples]
    return number(float(np.polyfit(words, rewards, 1)[0]))


async def test_a_newcomer_copies_breaks_mends_tries_saves_and_uses_a_recipe(
    chromium: Browser, written: tuple[str, Path]
) -> None:
    address, file = written
    async with Watched.open_tab(chromium, address) as tab:
        page = tab.page
        await log_in(tab, "key-of-operator")
        await page.fill("#q", "brevity")
        await expect(page.locator("table.recipes tbody tr")).to_have_count(1)
        await page.click("text=short >> nth=0")
        await page.click("text=Copy as a new recipe")
        faults, text = page.locator("#faults"), page.locator("#text")
        await expect(faults).to_contain_text("no faults")
        good = await text.input_value()
        assert "short_copy:" in good

        await text.fill(good.replace("free_words", "free_word"))
        await expect(faults).to_contain_text("unknown key 'free_word'; did you mean 'free_words'?")
        line = next(i for i, each in enumerate(good.split("\n"), 1) if "free_words" in each)
        await expect(page.locator("#gutter .fault")).to_have_text(str(line))
        await expect(text).to_have_attribute("aria-invalid", "true")
        await page.reload()
        await expect(page.locator("#gutter .fault")).to_have_text(str(line))  # the draft is kept in the address
        await page.click("#faults .place")
        at = await text.evaluate("e => e.value.slice(e.selectionStart)")
        assert at.startswith("free_word:"), "the fault's place is where the writing goes on"
        assert await tab.find_barriers() == []

        await text.fill(good.replace("per_word: 0.25", "per_word: 0.5"))
        await expect(faults).to_contain_text("no faults")
        await expect(page.locator("#gutter .fault")).to_have_count(0)
        await expect(page.locator("#picture")).to_contain_text("per_word 0.5")
        await page.fill("#samples", '{"prompt": "Why?", "response": "Because it is so."}\n{"response": 5}')
        await page.click("text=Run old against new")
        await expect(page.locator("#compared")).to_contain_text("samples[1]")
        assert "422" in tab.raised.pop(), "htmx notes what was refused"
        await page.fill("#samples", '[{"prompt": "Why?", "response": "Because it is so."}]')
        await page.click("text=Run old against new")
        await expect(page.locator("#compared tbody tr")).to_have_count(1)
        shown = await page.locator("#compared data").evaluate_all("all => all.map(e => Number(e.value))")
        await tab.check_every_look()

        await page.click("text=Save")
        await expect(page.locator("#saved")).to_contain_text("It is in use")
        await expect(page).to_have_url(f"{address}/console/recipes?name=short_copy")
        async with httpx.AsyncClient(base_url=address, headers={"x-api-key": "key-of-operator"}) as client:
            for reward, number in zip(("short", "short_copy"), shown, strict=False):
                body = {"reward": reward, "samples": [{"prompt": "Why?", "response": "Because it is so."}]}
                assert (await client.post("/v1/score", json=body)).json()["results"][0]["reward"] == number
        assert "short_copy:" in file.read_text()
        await page.click("text=use it in Try")
        await page.wait_for_url("**/console/try?recipe=short_copy")

        samples = read_first_request()
        samples.append({**samples[0], "response": "In boiling water, for eight minutes."})
        new, old = [await ask(address, reward, samples) for reward in ("short_copy", "short")]
        assert await use_beside(page, "short", samples) == pytest.approx([*new, *old], abs=1e-3)
        await page.click("nav >> text=Compare")
        slopes = await compare_on_a_file(page, "short", "short_copy", samples)
        assert slopes == [fit_slope(rewards, samples) for rewards in (old, new)]


async def test_a_reader_tries_and_downloads_but_does_not_save(chromium: Browser, written: tuple[str, Path]) -> None:
    address, _ = written
    async with Watched.open_tab(chromium, address) as tab:
        await log_in(tab, "key-of-researcher")
        await tab.open("/console/recipes?name=exact")
        await expect(tab.page.locator("#faults")).to_contain_text("no faults")
        await expect(tab.page.locator("text=Saving needs a key with the right admin")).to_be_visible()
        assert await tab.page.get_by_role("button", name="Save").count() == 0
        walked = await tab.walk_by_keyboard()
        assert any('id="text"' in each for each in walked), "the editor does not hold the focus"
        assert any('id="against"' in each for each in walked)
        async with tab.page.expect_download() as downloading:
            await tab.page.click("text=Download")
        download = await downloading.value
        assert download.suggested_filename == "exact.yaml"
        assert re.match(r"rewards:\n  exact:\n", Path(await download.path()).read_text())
