"""Sessions: who is let in, for how long, and what ends them."""

import json
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser
from reward_gateway.cli.reloading import reload_keys
from reward_gateway.console.sessions import Sessions
from reward_gateway.state.store import StateStore
from reward_gateway.traffic.keys import KeyRing

from tests.clock import Clock
from tests.console.browser import Watched
from tests.console.conftest import KEYS, Pages, Serve, listening
from tests.console.test_console import BROWSER, token_in
from tests.logs import capture_every_log
from tests.valkey import Valkey

pytestmark = pytest.mark.anyio

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def log_in(client: httpx.AsyncClient, key: str, wanted: str = "/") -> httpx.Response:
    page = (await client.get("/console/login", headers=BROWSER)).text
    fields = {"csrf": token_in(page), "key": key, "next": wanted}
    return await client.post("/console/login", data=fields, headers=BROWSER)


async def test_without_a_session_every_page_leads_to_the_login(guarded: Pages) -> None:
    async with guarded.client() as client:
        answer = await client.get("/console/keys?q=x", headers=BROWSER)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/login?next=/console/keys")
        part = await client.get("/console/keys", headers={"hx-request": "true"})
        assert (part.status_code, part.headers["hx-redirect"]) == (401, "/console/login?next=/")
        page = await client.get("/console/login?next=/console/keys", headers=BROWSER)
        assert 'name="next" value="/console/keys"' in page.text
        assert (await client.get("/")).status_code == 401, "a program needs its key as before"


async def test_a_key_opens_a_session_that_holds_its_name_and_not_the_key(guarded: Pages) -> None:
    async with guarded.client() as client:
        before = (await client.get("/console/login", headers=BROWSER)).cookies
        answer = await log_in(client, "key-of-operator", "/console/keys")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/keys")
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Max-Age=28800", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie, "the browser speaks no TLS"
        assert set(client.cookies.values()).isdisjoint(before.values()), "the session has an id of its own"
        page = await client.get("/console/keys", headers=BROWSER)
        assert page.status_code == 200
        assert "operator" in page.text
        stored = json.dumps(vars(guarded.gateway.runtime.state.sessions)["_tenants"])
        assert "operator" in stored
        for secret in ("key-of-operator", *client.cookies.values()):
            assert secret not in stored
            assert secret not in page.text


async def test_a_strange_cookie_of_another_service_hides_no_session(guarded: Pages) -> None:
    async with guarded.client() as client:
        await log_in(client, "key-of-operator")
        ((name, value),) = client.cookies.items()
    async with guarded.client() as client:
        cookies = {"cookie": f'prefs={{"a": [1, 2]}}; {name}={value}'}
        assert (await client.get("/console/keys", headers={**BROWSER, **cookies})).status_code == 200


async def test_who_lacks_a_right_is_led_to_another_key(guarded: Pages) -> None:
    async with guarded.client() as client:
        await log_in(client, "key-of-uploader")
        assert 'href="/console/login"' in (await client.get("/", headers=BROWSER)).text


async def test_behind_tls_the_cookie_is_for_tls_alone(guarded: Pages) -> None:
    async with guarded.client() as client:
        page = (await client.get("/console/login", headers=BROWSER)).text
        fields = {"csrf": token_in(page), "key": "key-of-operator"}
        own = {"origin": "https://localhost:8080", "sec-fetch-site": "same-origin"}
        answer = await client.post("/console/login", data=fields, headers=own)
        assert "Secure" in answer.headers["set-cookie"]


async def test_rights_decide_who_sees_what(guarded: Pages) -> None:
    expected = {"researcher": (200, 403), "operator": (200, 200), "uploader": (403, 403)}
    for name, statuses in expected.items():
        async with guarded.client() as client:
            await log_in(client, f"key-of-{name}")
            for path, status in zip(("/", "/console/keys"), statuses, strict=True):
                assert (await client.get(path, headers=BROWSER)).status_code == status, (name, path)


async def test_logging_out_ends_the_session_here_and_in_the_store(guarded: Pages) -> None:
    async with guarded.client() as client:
        await log_in(client, "key-of-operator")
        held = dict(client.cookies)
        page = (await client.get("/", headers=BROWSER)).text
        answer = await client.post("/console/logout", data={"csrf": token_in(page)}, headers=BROWSER)
        assert answer.headers["location"] == "/console/login"
        client.cookies.update(held)
        assert (await client.get("/", headers=BROWSER)).status_code == 303


@pytest.mark.parametrize("other", ["", KEYS.splitlines()[3].replace("key-of-operator", "another-key-of-operator")])
async def test_a_key_that_is_removed_or_replaced_ends_its_sessions(guarded: Pages, keys_file: Path, other: str) -> None:
    async with guarded.client() as client:
        await log_in(client, "key-of-operator")
        assert (await client.get("/console/keys", headers=BROWSER)).status_code == 200
        lines = [line for line in KEYS.splitlines() if "operator" not in line]
        keys_file.write_text("\n".join([*lines, other]))
        reload_keys(guarded.traffic.keys, keys_file)
        assert (await client.get("/console/keys", headers=BROWSER)).status_code == 303
        keys_file.write_text(KEYS)
        reload_keys(guarded.traffic.keys, keys_file)
        assert (await client.get("/console/keys", headers=BROWSER)).status_code == 303, "it does not come back"


async def test_a_session_is_over_after_eight_hours(guarded: Pages, clock: Clock) -> None:
    async with guarded.client() as client:
        await log_in(client, "key-of-operator")
        await clock.advance(8 * 3600 - 1)
        assert (await client.get("/", headers=BROWSER)).status_code == 200
        await clock.advance(2)
        assert (await client.get("/", headers=BROWSER)).status_code == 303


async def test_wrong_keys_are_limited_and_logged_without_their_text(guarded: Pages) -> None:
    async with guarded.client() as client:
        with capture_every_log() as logs:
            for _ in range(10):
                answer = await log_in(client, "a-guess-of-mine")
                assert answer.status_code == 200
                assert "no key of this gateway" in answer.text
                assert "a-guess-of-mine" not in answer.text
            limited = await log_in(client, "key-of-operator")
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "60")
        assert [line["event"] for line in logs if "console" in line["event"]] == [
            *["console_login_refused"] * 10,
            "console_login_limited",
        ]
        assert "guess" not in json.dumps(logs, default=str)


async def test_clients_behind_a_trusted_proxy_have_limits_of_their_own(serve: Serve, keys_file: Path) -> None:
    async def guess(client: httpx.AsyncClient, address: str) -> int:
        client.headers["x-forwarded-for"] = address
        return (await log_in(client, "a-guess")).status_code

    async with serve(api_keys_file=keys_file, trusted_proxies="127.0.0.1") as pages, pages.client() as client:
        assert [await guess(client, "8.8.8.8") for _ in range(11)] == [*[200] * 10, 429]
        assert await guess(client, "9.9.9.9") == 200
    async with serve(api_keys_file=keys_file) as pages, pages.client() as client:
        assert [await guess(client, f"8.8.8.{place}") for place in range(11)] == [*[200] * 10, 429]


async def test_a_stranger_sends_little(guarded: Pages) -> None:
    async with guarded.client() as client:
        page = (await client.get("/console/login", headers=BROWSER)).text
        fields = {"csrf": token_in(page), "key": "x" * 20_000}
        assert (await client.post("/console/login", data=fields)).status_code == 413


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "/console//evil", "x"])
async def test_the_login_leads_nowhere_else(guarded: Pages, wanted: str) -> None:
    async with guarded.client() as client:
        assert (await log_in(client, "key-of-operator", wanted)).headers["location"] == "/"


async def test_without_keys_there_is_no_login(pages: Pages) -> None:
    async with pages.client() as client:
        assert (await client.get("/console/login", headers=BROWSER)).headers["location"] == "/"


async def test_several_workers_without_redis_say_that_sessions_are_one_processs(serve: Serve, keys_file: Path) -> None:
    async with serve(api_keys_file=keys_file, workers=2) as pages, pages.client() as client:
        assert "kept by one of 2 processes" in (await client.get("/console/login", headers=BROWSER)).text


async def test_every_worker_knows_a_session_in_redis(valkey_process: Valkey, keys_file: Path) -> None:
    stores = [StateStore.connect(valkey_process.url) for _ in range(2)]
    keys = KeyRing.load(keys_file)
    one, other = (Sessions(store.sessions, keys) for store in stores)
    try:
        key = keys.authenticate("key-of-operator")
        visitor = await one.open(key)
        assert await other.find(visitor) == key
        assert await other.find("another") is None
        with valkey_process.client() as client:
            names = b" ".join(client.keys("*console*"))
            assert visitor.encode() not in names
        await other.close(visitor)
        assert await one.find(visitor) is None
    finally:
        for store in stores:
            await store.close()


@pytest.mark.slow
async def test_a_person_logs_in_looks_and_logs_out(chromium: Browser, guarded: Pages) -> None:
    async with listening(guarded) as address, Watched.open_tab(chromium, address) as tab:
        await tab.page.goto(f"{address}/console/keys")
        assert tab.page.url == f"{address}/console/login?next=/console/keys"
        await tab.check_every_look()
        await tab.walk_by_keyboard()
        await tab.page.fill("#key", "wrong-key")
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_selector("[role=alert]")
        await tab.page.fill("#key", "key-of-operator")
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_url(f"{address}/console/keys")
        assert await tab.page.evaluate("document.cookie") == "", "no script can read the session"
        await tab.open("/console/try")
        await tab.page.click("#score")
        await tab.page.wait_for_selector(".waterfall")
        await tab.page.click("text=Log out")
        await tab.page.wait_for_url(f"{address}/console/login")
        await tab.page.goto(f"{address}/console/keys")
        assert tab.page.url == f"{address}/console/login?next=/console/keys"
