"""The documentation's pictures of the console: a service with the recipes that ship, seen by a real Chromium.

``make screenshots`` writes them; no test compares them. A page has its picture by a function in ``PICTURES``, which
brings the page into the state that is worth seeing.
"""

import argparse
import asyncio
import json
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import httpx
from PIL import Image
from playwright.async_api import Page, async_playwright
from reward_gateway.guide.assets import PICTURES as PICTURES_OF_GUIDE
from reward_gateway.lab.redteam.pairs import PAIRS as PAIRS_FILE

from tests.browser.chromium import PROGRAM
from tests.conftest import start_stack, stop_stack

ROOT = Path(__file__).parents[2]
FOLDER = PICTURES_OF_GUIDE
RECIPES = ROOT / "service" / "reward_gateway" / "rewards.yaml"
SIZE = (1400, 900)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
COLOURS = 128

QUESTION = "How do I boil an egg?"
HELP = "Place the egg in boiling water for 8 minutes, then cool it in cold water and peel it."
INSULT = "Shut up, you stupid idiot."
PAIRS = [json.loads(line) for line in PAIRS_FILE.read_text(encoding="utf-8").splitlines()]
STEPS = 120
GROUPS, MEMBERS = 6, 8


async def show_home(page: Page, address: str) -> None:
    """Some minutes of traffic, and the figures that come of it."""
    await page.goto(f"{address}/")
    await page.wait_for_selector(".figures")


async def show_try(page: Page, address: str) -> None:
    """Help and an insult beside each other."""
    await page.goto(f"{address}/console/try")
    await page.select_option("#recipe", "helpful_harmless")
    await page.fill("#prompt", QUESTION)
    await page.fill("#response-1", HELP)
    await page.click("#add-response")
    await page.fill("#response-2", INSULT)
    await page.click("#score")
    await page.wait_for_selector(".waterfall")
    await page.evaluate("scrollTo(0, 0)")


async def show_recipes(page: Page, address: str) -> None:
    """A copy with a slip of the pen, and where it is."""
    await page.goto(f"{address}/console/recipes?copy=helpful_harmless")
    text = page.locator("#text")
    await text.fill((await text.input_value()).replace("free_words", "free_word"))
    await page.wait_for_selector("#gutter .fault")
    await page.evaluate("document.querySelector('.writing').scrollIntoView({block: 'end'}), scrollBy(0, 40)")


async def show_live(page: Page, address: str) -> None:
    """A run whose answers get better."""
    await page.goto(f"{address}/console/live?name=first-grpo")
    await page.wait_for_selector("#live canvas")
    await page.evaluate("document.querySelector('#live section:has(canvas)').scrollIntoView(), scrollBy(0, -70)")


async def show_samples(page: Page, address: str) -> None:
    """Two samples, one of them marked."""
    await page.goto(f"{address}/console/samples?recipe=helpful_harmless&sort=lowest")
    first = page.locator("#samples article").first
    await first.focus()
    if await first.locator("[data-mark=bad][aria-pressed=true]").count() == 0:
        await page.keyboard.press("b")
        await first.locator("[data-mark=bad][aria-pressed=true]").wait_for()
    await page.evaluate("scrollTo(0, 0)")


async def show_compare(page: Page, address: str) -> None:
    """Two recipes on a file."""
    await page.goto(f"{address}/console/compare")
    rows = make_chats(random.Random(7), len(PAIRS))
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    file: Any = {"name": "samples.jsonl", "mimeType": "application/json", "buffer": content}
    await page.set_input_files("#file", file)
    await page.select_option("#a", "reward:helpful")
    await page.select_option("#b", "reward:helpful_harmless")
    await page.click("#start")
    await page.wait_for_function("() => document.querySelectorAll('.chart canvas').length === 2")
    await page.evaluate("scrollTo(0, 0)")


async def show_models(page: Page, address: str) -> None:
    """What is served, with its figures."""
    await page.goto(f"{address}/console/models")
    await page.wait_for_selector("#models table")


async def show_operations(page: Page, address: str) -> None:
    """What is in flight, and what was refused."""
    await page.goto(f"{address}/console/operations")
    await page.wait_for_selector("#state .figures")


PICTURES: dict[str, Callable[[Page, str], Awaitable[None]]] = {
    "home": show_home,
    "try": show_try,
    "recipes": show_recipes,
    "live": show_live,
    "samples": show_samples,
    "compare": show_compare,
    "models": show_models,
    "operations": show_operations,
}
"""Name of a picture -> what brings its page into the state that is shown."""


# What trainers ask for meanwhile


def make_chats(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Groups of good and bad responses to a prompt, with ends that make them differ."""
    ends = ("", " Good luck!", " I hope that helps.", " Ask again if that does not work.", " Well, well.")
    samples = []
    for pair in chance.sample(PAIRS, count):
        texts = [pair["chosen"], pair["rejected"], *chance.sample((pair["chosen"], pair["rejected"], INSULT), 2)]
        samples += [{"prompt": pair["prompt"], "response": text + chance.choice(ends)} for text in texts]
    return samples


def make_sums(chance: random.Random, progress: float) -> list[dict[str, Any]]:
    """Groups of answers to sums: the more progress, the more are right, in their form, and short."""
    samples = []
    for _ in range(GROUPS):
        a, b, talent = chance.randint(11, 99), chance.randint(11, 99), chance.uniform(-0.25, 0.25)
        for _ in range(MEMBERS):
            right = chance.random() < 0.2 + 0.65 * progress + talent
            total = a + b if right else a + b + chance.choice((-10, -1, 1, 10))
            steps = "Let me add the tens, then the ones. " * chance.randint(1, 5 - round(3 * progress))
            in_form = chance.random() < 0.3 + 0.68 * progress
            response = f"<think>{steps}</think><answer>{total}</answer>" if in_form else f"{steps}It is {total}."
            samples.append({"prompt": f"What is {a} + {b}?", "response": response, "reference": str(a + b)})
    return samples


async def send_traffic(address: str, seconds: float) -> None:
    """A run of sums that learns, one of chats, and a few requests that are refused."""
    ends = asyncio.get_running_loop().time() + seconds
    chance = random.Random(0)
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:

        async def score(reward: str, run: str, step: int, samples: list[dict[str, Any]]) -> None:
            headers = {"X-Run": run, "X-Run-Step": str(step)}
            await client.post("/v1/score", json={"reward": reward, "samples": samples}, headers=headers)

        for step in range(STEPS):
            await score("grpo", "first-grpo", step, make_sums(chance, min(1.0, 1.3 * step / STEPS)))
        step = 0
        while asyncio.get_running_loop().time() < ends:
            chats = make_chats(chance, 2)
            await score("helpful_harmless", "chat-ppo", step, chats)
            if step % 40 == 0:
                await score("helpfull", "chat-ppo", step, chats)
                await score("math", "chat-ppo", step, [])
            step += 1
            await asyncio.sleep(0.2)


# The pictures


def compress(png: bytes) -> bytes:
    """The picture with few colours, which pages of text and lines do not miss."""
    held = BytesIO()
    image = Image.open(BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(held, "PNG", optimize=True)
    return held.getvalue()


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
                files[-1].write_bytes(compress(await page.screenshot()))
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
            recipes = shutil.copy(RECIPES, folder)
            flags = ("--state-dir", folder, "--rewards-file", recipes, "--keep-samples", "10000")
            stack = start_stack(Path(folder) / "serve.log", *flags)
            try:
                asyncio.run(send_traffic(stack.http, chosen.traffic_s))
                files = asyncio.run(take(stack.http, chosen.out, chosen.names))
            finally:
                stop_stack(stack)
    print(*files, sep="\n")


if __name__ == "__main__":
    main()
