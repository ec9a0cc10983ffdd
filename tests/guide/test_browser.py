"""The guide in a real Chromium: every look, by keyboard, its search, and as files without a server."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from reward_gateway.guide.site import PREFIX
from reward_gateway.guide.write import write_site
from reward_gateway.recipes.book import load_book

from tests.console.browser import Watched
from tests.http.conftest import RECIPES

from .snippets import CONTENTS

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

QUICKSTART = f"{PREFIX}start/quickstart"


@pytest.mark.parametrize("path", [PREFIX, QUICKSTART, f"{PREFIX}trainers/overview"])
async def test_a_page_is_right_in_every_look(tab: Watched, path: str) -> None:
    await tab.open(path)
    await tab.check_every_look()


async def test_pages_of_every_section_are_accessible(tab: Watched) -> None:
    for page in (section.pages[-1] for section in CONTENTS.sections):
        await tab.open(PREFIX + page.path)
        assert await tab.find_barriers() == [], page.path


async def test_a_page_is_walked_by_keyboard(tab: Watched) -> None:
    await tab.open(f"{PREFIX}start/concepts")
    walked = await tab.walk_by_keyboard()
    assert "Skip to the content" in walked[0]


async def test_the_search_leads_to_a_heading_by_keyboard(tab: Watched) -> None:
    page = tab.page
    await tab.open(QUICKSTART)
    await page.keyboard.press("/")
    await expect(page.locator("#search")).to_be_focused()
    await page.keyboard.type("leave-one-out")
    await expect(page.locator("search ol a").first).to_be_visible()
    await page.locator("#search").fill("zero variance")
    await expect(page.locator("search ol mark").first).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("search ol a").first).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("search ol")).to_be_hidden()
    await page.locator("#search").fill("quickstart")
    await expect(page.locator("search ol a", has_text="Quickstart").first).to_be_visible()
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**{PREFIX}start/quickstart*")
    await expect(page.locator("h1")).to_have_text("Quickstart")


async def test_on_a_phone_the_sections_are_a_drawer(tab: Watched) -> None:
    page = tab.page
    await page.set_viewport_size({"width": 390, "height": 900})
    await tab.open(QUICKSTART)
    await expect(page.locator("#sections")).to_be_hidden()
    await page.click("button.menu")
    await expect(page.locator("#sections a[aria-current]")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#sections")).to_be_hidden()
    await page.click("button.menu")
    await page.click("#sections >> text=Concepts")
    await page.wait_for_url("**/start/concepts")
    await expect(page.locator("h1")).to_have_text("Concepts")


async def test_files_are_searched_without_a_server(chromium: Browser, tmp_path: Path) -> None:
    async for _ in write_site(tmp_path, load_book(RECIPES)):
        pass
    page = await chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{tmp_path.as_uri()}/start/quickstart.html")
    await page.fill("#search", "par")
    await expect(page.locator("search ol a").first).to_be_visible()
    await page.fill("#search", "concepts")
    await page.locator("search ol a", has_text="Concepts").first.click()
    await page.wait_for_url("**/start/concepts.html*")
    await expect(page.locator("h1")).to_have_text("Concepts")
    assert all(url.startswith("file:") for url in asked)
    await page.close()
