"""The report of an evaluation in a real Chromium: it draws its charts from one file, in both schemes and on a phone."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.lab.page.evaluation import render_report

from tests.browser.chromium import Chromium, Tab
from tests.lab.test_page import two_rewards

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WATCHED = """
window.faults = [];
for (const kind of ["error", "securitypolicyviolation", "unhandledrejection"])
  addEventListener(kind, (e) => faults.push(`${kind}: ${e.message || e.violatedDirective || e.reason}`));
"""

PAINTED = """[...document.querySelectorAll('.chart canvas')].map((canvas) => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return data.some((value) => value);
})"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(render_report(*two_rewards()), encoding="utf-8")
    return path


@pytest.fixture
async def watched(chromium: Chromium) -> AsyncIterator[Tab]:
    async with chromium.tab() as tab:
        await tab.send("Page.addScriptToEvaluateOnNewDocument", source=WATCHED)
        yield tab


async def set_screen(tab: Tab, width: int, scheme: str) -> None:
    await tab.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
async def test_the_charts_are_drawn_and_nothing_is_loaded(watched: Tab, report: Path, width: int, scheme: str) -> None:
    await set_screen(watched, width, scheme)
    await watched.open(report.as_uri())
    await watched.until(f"{PAINTED}.length === 4 && {PAINTED}.every(Boolean)")
    assert await watched.run("faults") == []
    assert await watched.run("performance.getEntriesByType('resource').length") == 0
    assert await watched.run("document.documentElement.scrollWidth") <= width
    widest = await watched.run("Math.max(...[...document.querySelectorAll('.uplot')].map((plot) => plot.clientWidth))")
    assert widest <= width
    dark: Any = await watched.run("getComputedStyle(document.body).backgroundColor")
    assert (dark != "rgb(255, 255, 255)") is (scheme == "dark")


async def test_charts_follow_the_window_and_the_scheme(watched: Tab, report: Path) -> None:
    await set_screen(watched, 1400, "light")
    await watched.open(report.as_uri())
    await watched.until(f"{PAINTED}.every(Boolean)")
    before = await watched.run("document.querySelector('#length canvas').toDataURL()")
    await set_screen(watched, 390, "light")
    await watched.until("document.querySelector('#length .uplot').clientWidth <= 390")
    await set_screen(watched, 1400, "dark")
    await watched.until("document.querySelector('#length .uplot').clientWidth > 390")
    await watched.until(f"document.querySelector('#length canvas').toDataURL() !== {before!r}")
    assert await watched.run("document.querySelectorAll('#length canvas').length") == 1
    assert await watched.run("faults") == []


async def test_flips_and_numbers_open_by_keyboard(watched: Tab, report: Path) -> None:
    await set_screen(watched, 1400, "light")
    await watched.open(report.as_uri())
    for kind in (".flip", ".numbers"):
        await watched.run(f"document.querySelector('{kind} > summary').focus()")
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        await watched.send("Input.dispatchKeyEvent", type="keyDown", **key)
        await watched.send("Input.dispatchKeyEvent", type="keyUp", **key)
        await watched.until(f"document.querySelector('{kind}').open")
