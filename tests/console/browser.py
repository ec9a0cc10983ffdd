"""A tab of a real Chromium that notes what no page of ours may do: ask another host, break the policy, raise.

A page's own test::

    async def test_the_page_is_right_in_every_look(tab: Watched) -> None:
        await tab.open("/console/recipes")
        await tab.check_every_look()
        await tab.walk_by_keyboard()
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal

from playwright.async_api import Browser, Page, expect

from tests.clock import LONGEST_WAIT_S

LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (
    ("light", 1400),
    ("light", 390),
    ("dark", 1400),
    ("dark", 390),
)
HEIGHT = 900

_AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
_ABORTED = ("htmx:sendAbort,", "htmx:afterRequest,")
"""What htmx says of requests whose page is left. Of one that failed it says htmx:sendError too, or the status."""
_VIOLATIONS = """addEventListener('securitypolicyviolation', (e) =>
  (window.broken ??= []).push(e.violatedDirective + ' ' + e.blockedURI))"""
_KEEP_STILL = "document.body.addEventListener('htmx:beforeRequest', window.refuse = (e) => e.preventDefault())"
_GO_ON = "document.body.removeEventListener('htmx:beforeRequest', window.refuse)"
_UNREACHED = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, [tabindex="0"]')]
  .filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.disabled && e.tabIndex >= 0
    && e.type !== 'hidden' && !e.dataset.reached && !(e.type === 'radio' && !e.checked))
  .map((e) => e.outerHTML.slice(0, 120))"""
_FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  e.dataset.reached = '1';
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  return {html: e.outerHTML.slice(0, 120), seen: style.outlineStyle !== 'none' || style.boxShadow !== 'none',
    size: box.width * box.height};
}"""


@dataclass
class Watched:
    """A tab, with what it should not have done."""

    page: Page
    address: str
    foreign: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open_tab(cls, browser: Browser, address: str, **options: Any) -> AsyncIterator["Watched"]:
        """A new tab with cookies of its own; what it did is checked at the end."""
        context = await browser.new_context(viewport={"width": 1400, "height": HEIGHT}, **options)
        context.set_default_timeout(LONGEST_WAIT_S * 1e3)
        expect.set_options(timeout=LONGEST_WAIT_S * 1e3)  # its own is five seconds: too little on a busy machine
        page = await context.new_page()
        tab = cls(page, address)
        await page.add_init_script(_VIOLATIONS)
        page.on("request", lambda request: tab._note_request(request.url))
        page.on("pageerror", lambda error: tab.raised.append(str(error)))
        page.on("console", lambda message: tab._note_message(message.type, message.text))
        try:
            yield tab
            await tab.check_behaviour()
        finally:
            await context.close()

    async def open(self, path: str) -> None:
        """Go to a page of the service."""
        answer = await self.page.goto(self.address + path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"

    async def check_behaviour(self) -> None:
        """No request went to another host, nothing was against the policy, no script failed."""
        assert self.foreign == []
        assert self.raised == []
        assert await self.page.evaluate("window.broken ?? []") == []

    async def check_every_look(self) -> None:
        """The page as it is now: light and dark, wide and narrow, is accessible and fits the window."""
        for scheme, width in LOOKS:
            await self.page.emulate_media(color_scheme=scheme)
            await self.page.set_viewport_size({"width": width, "height": HEIGHT})
            overflow = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{scheme} {width}: {overflow} px wider than the window"
            barriers = await self.find_barriers()
            assert not barriers, f"{scheme} {width}: {barriers}"
        await self.check_behaviour()

    async def find_barriers(self) -> list[str]:
        """What axe finds serious or worse, a line each."""
        await self.page.evaluate(_AXE)
        found = await self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{each['id']}: {each['help']}: {node['html'][:160]} {node['failureSummary'][:300]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    async def walk_by_keyboard(self) -> list[str]:
        """Tab through the page: all that can be used is reached, and shows that it is; the elements in their order."""
        await self.page.set_viewport_size({"width": 1400, "height": HEIGHT})
        await self.page.evaluate(_KEEP_STILL)  # what asks every few seconds would draw anew what has the focus
        await self.page.evaluate("document.activeElement?.blur?.()")
        walked: list[str] = []
        for _ in range(300):
            await self.page.keyboard.press("Tab")
            focused = await self.page.evaluate(_FOCUSED)
            if focused is None:  # the browser's own bar, from which it goes on at the top
                continue
            if walked and focused["html"] == walked[0]:
                break
            if not focused["seen"]:  # it may be drawn a moment later
                await expect(self.page.locator(":focus").first).to_have_css("outline-style", re.compile("^(?!none)"))
            walked.append(focused["html"])
        assert await self.page.evaluate(_UNREACHED) == [], "cannot be reached by keyboard"
        await self.page.evaluate(_GO_ON)
        return walked

    def _note_request(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(url)

    def _note_message(self, kind: str, text: str) -> None:
        # A page that is answered with an error is noted by its own test; one that is left aborts what it asked for.
        if kind == "error" and "Failed to load resource" not in text and not text.startswith(_ABORTED):
            self.raised.append(text)
