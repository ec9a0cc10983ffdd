"""What a person writes is in the page's address: at once, not too often, and whole when the page is left."""

from itertools import pairwise

import pytest
from playwright.async_api import expect

from tests.console.browser import Watched

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PAGES = [("/console/recipes?name=plain", "#text"), ("/console/try", "#response-1")]
"""Pages that keep their state so, and a field of each."""

WRITE = """const write = (text) => {
  field.value = text;
  field.dispatchEvent(new InputEvent('input', {bubbles: true}));
};"""

WRITE_TWICE = f"field => {{ {WRITE} write('one'); write('two'); }}"

NOTE_CHANGES = """
  window.changes = [];
  const replace = history.replaceState;
  history.replaceState = function (...given) {
    changes.push(performance.now());
    return replace.apply(this, given);
  };
"""


@pytest.mark.parametrize(("path", "field"), PAGES)
async def test_the_last_word_outlives_a_reload_at_any_moment(tab: Watched, path: str, field: str) -> None:
    await tab.open(path)
    await tab.page.locator(field).evaluate(WRITE_TWICE)
    await tab.page.reload()
    await expect(tab.page.locator(field)).to_have_value("two")
    await tab.page.reload()
    await expect(tab.page.locator(field)).to_have_value("two")


@pytest.mark.parametrize(("path", "field"), PAGES)
async def test_the_last_word_is_there_on_the_way_back(tab: Watched, path: str, field: str) -> None:
    await tab.open(path)
    await tab.page.locator(field).evaluate(WRITE_TWICE)
    await tab.page.click("nav >> text=Operations")
    await tab.page.wait_for_url("**/console/operations")
    await tab.page.go_back()
    await expect(tab.page.locator(field)).to_have_value("two")


@pytest.mark.parametrize(("path", "field"), PAGES)
async def test_the_first_word_is_written_at_once_and_the_rest_as_often_as_browsers_allow(
    tab: Watched, path: str, field: str
) -> None:
    await tab.page.add_init_script(NOTE_CHANGES)
    await tab.open(path)
    at_once, later = await tab.page.locator(field).evaluate(f"""async field => {{
      {WRITE}
      const begin = changes.length;
      write('0');
      const atOnce = changes.length - begin;
      for (let i = 1; i <= 100; i++) {{
        write(String(i));
        await new Promise((go) => setTimeout(go, 10));
      }}
      const told = location.hash;
      while (location.hash === told) await new Promise((go) => setTimeout(go, 10));
      return [atOnce, changes.slice(begin)];
    }}""")
    assert at_once == 1
    assert len(later) > 2
    assert min(after - before for before, after in pairwise(later)) > 300, "100 in 30 seconds are all that Safari takes"
    await tab.page.reload()
    await expect(tab.page.locator(field)).to_have_value("100")


@pytest.mark.parametrize("state", ["", "e30", "bnVsbA", "W10", "not base64!", "eyJyZXNwb25zZXMiOjF9"])
async def test_an_address_that_was_cut_off_opens_the_page_as_it_is(tab: Watched, state: str) -> None:
    await tab.open(f"/console/try#{state}")
    await expect(tab.page.locator("#response-1")).to_be_visible()
    await expect(tab.page.locator("#response-1")).not_to_have_value("")
