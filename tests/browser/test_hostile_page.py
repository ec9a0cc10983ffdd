"""A page of another site in a real Chromium, and a gateway without keys: it reads nothing and changes nothing.

Each attack is also made on the gateway without its check, where it succeeds: the attacks are real.
"""

import pytest
from reward_gateway.http.entry.browsers import BrowserCheck

from tests.browser.attacks import ATTACKS
from tests.browser.chromium import Tab
from tests.browser.conftest import Victim
from tests.clock import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(params=[True, False], ids=["protected", "unprotected"])
def protected(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the gateway checks what browsers send."""
    if not request.param:
        monkeypatch.setattr(BrowserCheck, "check", lambda *_args, **_options: None)
    return bool(request.param)


@pytest.mark.parametrize("site", ["http://evil.test", "http://127.0.0.1", "http://localhost"])
async def test_a_page_of_another_site_reads_and_changes_nothing(
    protected: bool, victim: Victim, elsewhere: int, tab: Tab, site: str
) -> None:
    await tab.open(f"{site}:{elsewhere}/")
    read = await tab.run(f"{ATTACKS}({victim.url!r})")
    await until(
        lambda: sum(row.path.endswith("running_normalise") and row.method == "POST" for row in victim.received) >= 4
    )
    assert set(read.values()) == {""}, "the browser's own rules hold: nothing can be read"
    foreign = [row for row in victim.received if row.foreign]
    assert len(foreign) >= 15
    statuses = {row.status for row in foreign}
    if protected:
        assert statuses == {403}
        assert await victim.changes() == set()
    else:
        assert 200 in statuses
        assert await victim.changes() == {"untyped", "beacon", "sandboxed", "unloaded letters", "unloaded pictures"}


async def test_a_page_whose_name_was_pointed_here_reads_and_changes_nothing(
    protected: bool, victim: Victim, tab: Tab
) -> None:
    await tab.open(f"http://rebound.test:{victim.port}/v1/rewards")
    read = await tab.run(f"{ATTACKS}('')")
    if protected:
        assert {answer[:4] for answer in read.values()} <= {"403 ", ""}
        assert {row.status for row in victim.received} == {403}
        assert await victim.changes() == set()
    else:
        assert read["state"].startswith("200 ")
        assert "reward_gateway_" in read["metrics"]
        assert "json" in await victim.changes()


WEBSOCKET = """(address) => new Promise((resolve) => {
  const ws = new WebSocket(address);
  ws.onopen = () => ws.send('{"type": "state"}');
  ws.onmessage = (message) => resolve(message.data);
  ws.onerror = () => resolve("");
})"""
"""What a page reads over a WebSocket; browsers let every page try."""


@pytest.mark.parametrize("site", ["http://evil.test", "http://127.0.0.1", "http://localhost"])
async def test_a_page_of_another_site_opens_no_websocket(
    protected: bool, victim: Victim, elsewhere: int, tab: Tab, site: str
) -> None:
    await tab.open(f"{site}:{elsewhere}/")
    for path in ("/ws", "/r/plain/ws"):
        read = await tab.run(f"({WEBSOCKET})('ws://127.0.0.1:{victim.port}{path}')")
        assert ("step_count" in read) is not protected


async def test_a_page_whose_name_was_pointed_here_opens_no_websocket(protected: bool, victim: Victim, tab: Tab) -> None:
    await tab.open(f"http://rebound.test:{victim.port}/v1/rewards")
    read = await tab.run(f"({WEBSOCKET})('ws://rebound.test:{victim.port}/ws')")
    assert ("step_count" in read) is not protected


async def test_our_own_page_opens_a_websocket(victim: Victim, tab: Tab) -> None:
    await tab.open(f"{victim.url}/docs")
    assert "step_count" in await tab.run(f"({WEBSOCKET})('ws://127.0.0.1:{victim.port}/ws')")


async def test_a_link_on_another_site_opens_our_page(victim: Victim, elsewhere: int, tab: Tab) -> None:
    await tab.open(f"http://evil.test:{elsewhere}/")
    await tab.run(f"void (location.href = '{victim.url}/docs')")
    await tab.until("document.querySelector('.opblock-tag')")
    (followed,) = [row for row in victim.received if row.path == "/docs"]
    assert (followed.headers["sec-fetch-site"], followed.status) == ("cross-site", 200)


async def call_from_docs(tab: Tab, tag: str, operation: str, **fields: str) -> str:
    """Try an operation on the page of the API, as a person would; the status that the page shows."""
    block = f"document.querySelector('#operations-{tag}-{operation}')"

    async def click(element: str) -> None:
        await tab.until(element)
        await tab.run(f"{element}.click()")

    await click(f"document.querySelector('#operations-tag-{tag}')")
    await click(f"{block}.querySelector('.opblock-summary-control')")
    await click(f"{block}.querySelector('.try-out__btn')")
    for name, value in fields.items():
        await tab.run(
            f"(() => {{ const input = {block}.querySelector('input[placeholder={name}]'); "
            f"Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, '{value}'); "
            "for (const kind of ['input', 'focusout']) input.dispatchEvent(new Event(kind, {bubbles: true})) })()"
        )
    await click(f"{block}.querySelector('.execute')")
    status = f"{block}.querySelector('.live-responses-table tbody .response-col_status')"
    await tab.until(status)
    return str(await tab.run(f"{status}.textContent"))


async def test_our_own_page_still_works(victim: Victim, tab: Tab) -> None:
    await tab.open(f"http://localhost:{victim.port}/docs")
    assert await call_from_docs(tab, "rewards", "rewards_v1_rewards_get") == "200"
    assert await call_from_docs(tab, "score", "score_v1_score_post") == "200"
    unload = "unload_v2_repository_models__model__unload_post"
    assert await call_from_docs(tab, "open_inference_protocol", unload, model="letters") == "200"
    assert await victim.changes() == {"unloaded letters"}
    assert {row.status for row in victim.received if row.path != "/favicon.ico"} == {200}


async def test_our_own_pages_are_shown_with_their_style(victim: Victim, tab: Tab) -> None:
    await tab.open(f"{victim.url}/pages")
    assert "sans-serif" in await tab.run("getComputedStyle(document.body).fontFamily")
    assert "running_normalise" in await tab.run("document.body.textContent")


async def test_a_script_of_our_own_page_needs_the_mark_only_where_nothing_else_tells(victim: Victim, tab: Tab) -> None:
    await tab.open(f"{victim.url}/docs")
    status = "fetch({path!r}, {options}).then((answer) => answer.status)"
    unload = "/v2/repository/models/letters/unload"
    assert await tab.run(status.format(path="/v1/rewards", options="{}")) == 200
    assert await tab.run(status.format(path=unload, options="{method: 'POST'}")) == 403
    marked = "{method: 'POST', headers: {'X-Reward-Gateway': '1'}}"
    assert await tab.run(status.format(path=unload, options=marked)) == 200
    body = "JSON.stringify({samples: [{response: 'abc'}]})"
    typed = f"{{method: 'POST', body: {body}, headers: {{'Content-Type': 'application/json'}}}}"
    assert await tab.run(status.format(path="/v1/score", options=typed)) == 200
    assert (
        await tab.run(status.format(path="/v1/score", options=f"{{method: 'POST', body: new Blob([{body}])}}")) == 415
    )
