"""The console in a real Chromium: every page in every look, by keyboard, under the policy, from this host alone."""

import pytest
from reward_gateway.console.console import find_pages

from tests.console.browser import Watched

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PATHS = [page.path for page in find_pages()]


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_right_in_every_look_and_by_keyboard(tab: Watched, path: str) -> None:
    await tab.open(path)
    await tab.check_every_look()
    walked = await tab.walk_by_keyboard()
    assert "Skip to the content" in walked[0]
