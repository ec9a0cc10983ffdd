"""The report of a run in a real Chromium: it draws its charts from one file, in both schemes and on a phone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from reward_gateway.lab.page.run import render_run

from tests.browser.chromium import Chromium, Tab
from tests.browser.test_report import PAINTED, WATCHED, set_screen
from tests.lab.test_run_page import lively_run, row, run_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def watched(chromium: Chromium) -> AsyncIterator[Tab]:
    async with chromium.tab() as tab:
        await tab.send("Page.addScriptToEvaluateOnNewDocument", source=WATCHED)
        yield tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
async def test_the_curves_are_drawn_and_nothing_is_loaded(
    watched: Tab, tmp_path: Path, width: int, scheme: str
) -> None:
    page = tmp_path / "run.html"
    page.write_text(render_run(lively_run()), encoding="utf-8")
    await set_screen(watched, width, scheme)
    await watched.open(page.as_uri())
    await watched.until(f"{PAINTED}.length === 5 && {PAINTED}.every(Boolean)")
    assert await watched.run("faults") == []
    assert await watched.run("performance.getEntriesByType('resource').length") == 0
    assert await watched.run("document.documentElement.scrollWidth") <= width


async def test_rows_of_minutes_and_rows_with_gaps_are_drawn(watched: Tab, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    rows = [
        row(1_700_000_000 + 60 * k, "minute", **({"mean": None, "quantiles": None} if k == 2 else {})) for k in range(5)
    ]
    page.write_text(render_run(run_of(*rows, bucket="minute")), encoding="utf-8")
    await set_screen(watched, 1400, "light")
    await watched.open(page.as_uri())
    await watched.until(f"{PAINTED}.length === 4 && {PAINTED}.every(Boolean)")
    assert await watched.run("faults") == []
