"""The documentation's pictures of the console: a service with the recipes that ship, seen by a real Chromium.

``make screenshots`` writes them; no test compares them. A page has its picture by a function in ``PICTURES``, which
brings the page into the state that is worth seeing.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import httpx
from playwright.async_api import Page, async_playwright

from tests.browser.chromium import PROGRAM
from tests.conftest import start_stack, stop_stack

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
SIZE = (1400, 900)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

QUESTIONS = ("How do I boil an egg?", "What is the capital of France?", "Write a haiku about autumn.")
ANSWERS = (
    "Put it in boiling water for eight minutes, then in cold water.",
    "Figure it out yourself.",
    "That depends on how you like it: six minutes for a soft yolk, ten for a hard one.",
)


async def show_home(page: Page, address: str) -> None:
    """Some minutes of traffic, and the figures that come of it."""
    await page.goto(f"{address}/")
    await page.wait_for_selector(".figures")


async def show_try(page: Page, address: str) -> None:
    """Three responses to one prompt, compared within their group."""
    await page.goto(f"{address}/console/try")
    await page.select_option("#recipe", "helpful_harmless")
    await page.fill("#prompt", QUESTIONS[0])
    for i, answer in enumerate(ANSWERS[:2]):
        if i:
            await page.click("#add-response")
        await page.fill(f"#response-{i + 1}", answer)
    await page.click("#score")
    await page.wait_for_selector(".waterfall")
    await page.evaluate("scrollTo(0, 0)")


PICTURES: dict[str, Callable[[Page, str], Awaitable[None]]] = {"home": show_home, "try": show_try}
"""Name of a picture -> what brings its page into the state that is shown."""


async def send_traffic(address: str, seconds: float) -> None:
    """What trainers ask for meanwhile: groups of responses, now and then again."""
    ends = asyncio.get_running_loop().time() + seconds
    async with httpx.AsyncClient(base_url=address, headers={"X-Run": "first-grpo"}, timeout=60) as client:
        step = 0
        while asyncio.get_running_loop().time() < ends:
            prompt, step = QUESTIONS[step % 3], step + 1
            samples = [{"prompt": prompt, "response": f"{answer} ({step % 40})"} for answer in ANSWERS]
            await client.post("/v1/score", json={"samples": samples}, headers={"X-Run-Step": str(step)})
            await asyncio.sleep(0.2)


async def take(address: str, folder: Path, names: list[str]) -> list[Path]:
    """Take the pictures of a running service; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"])
        for scheme in SCHEMES:
            context = await browser.new_context(
                viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme=scheme, reduced_motion="reduce"
            )
            page = await context.new_page()
            for name in names:
                await PICTURES[name](page, address)
                files.append(folder / f"console-{name}-{scheme}.png")
                await page.screenshot(path=files[-1])
            await context.close()
        await browser.close()
    return files


def main() -> None:
    """Start a service, send it traffic, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(PICTURES), help="which pictures; all by default")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--url", help="a running service, in place of one of its own")
    parser.add_argument("--traffic-s", type=float, default=100.0, help="seconds of traffic before the pictures")
    chosen = parser.parse_args()
    if chosen.url:
        asyncio.run(send_traffic(chosen.url, chosen.traffic_s))
        files = asyncio.run(take(chosen.url, chosen.out, chosen.names))
    else:
        with tempfile.TemporaryDirectory() as folder:
            stack = start_stack(Path(folder) / "serve.log", "--state-dir", folder)
            try:
                asyncio.run(send_traffic(stack.http, chosen.traffic_s))
                files = asyncio.run(take(stack.http, chosen.out, chosen.names))
            finally:
                stop_stack(stack)
    print(*files, sep="\n")


if __name__ == "__main__":
    main()
