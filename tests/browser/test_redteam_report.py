"""The report of a red team in a real Chromium: its chart is drawn from one file, in both schemes and on a phone."""

from pathlib import Path

import pytest
from reward_gateway.lab.page.redteam import render_report

from tests.browser.chromium import Tab
from tests.browser.test_report import PAINTED, set_screen, watched
from tests.lab.redteam.made import make_report

__all__ = ["watched"]

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(render_report(make_report()), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
async def test_the_chart_is_drawn_and_nothing_is_loaded(watched: Tab, report: Path, width: int, scheme: str) -> None:
    await set_screen(watched, width, scheme)
    await watched.open(report.as_uri())
    await watched.until(f"{PAINTED}.length === 1 && {PAINTED}.every(Boolean)")
    assert await watched.run("faults") == []
    assert await watched.run("performance.getEntriesByType('resource').length") == 0
    assert await watched.run("document.documentElement.scrollWidth") <= width
    named = await watched.run(
        "[...document.querySelectorAll('.u-series.named .u-label')].map((one) => one.textContent)"
    )
    assert named == ["falls", "unclear", "holds"]


async def test_examples_open_by_keyboard(watched: Tab, report: Path) -> None:
    await set_screen(watched, 1400, "light")
    await watched.open(report.as_uri())
    await watched.run("document.querySelector('.flip > summary').focus()")
    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
    await watched.send("Input.dispatchKeyEvent", type="keyDown", **key)
    await watched.send("Input.dispatchKeyEvent", type="keyUp", **key)
    await watched.until("document.querySelector('.flip').open")
