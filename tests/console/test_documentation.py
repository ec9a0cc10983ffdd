"""Documentation beside the console: whoever is logged in reads it, and the session opens nothing else."""

import re
from pathlib import Path

import pytest
from reward_gateway.cli.reloading import reload_keys
from reward_gateway.console.sessions import Sessions
from reward_gateway.errors import StateUnavailable
from reward_gateway.guide.site import is_documentation
from reward_gateway.http.call import OPEN_PATHS
from reward_gateway.traffic.keys import ApiKey
from starlette.routing import Route
from starlette.types import Scope

from tests.console.conftest import KEYS, Pages, Serve
from tests.console.test_console import BROWSER
from tests.console.test_login import log_in

pytestmark = pytest.mark.anyio

ALWAYS_200 = "/axolotl/"
"""Its client takes every other status for a reward of 0: a refusal is a text in the reward's place."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

DOCUMENTATION = ("/docs", "/docs/guide/", "/docs/guide/start/concepts", "/openapi.json", "/pages/rewards/plain")


@pytest.mark.parametrize("path", DOCUMENTATION)
async def test_a_session_reads_documentation(guarded: Pages, path: str) -> None:
    async with guarded.client() as client:
        assert (await client.get(path)).status_code == 401, "a program needs its key as before"
        led = await client.get(path, headers=BROWSER)
        assert (led.status_code, led.headers["location"]) == (303, f"/console/login?next={path}")
        assert (await log_in(client, "key-of-researcher", path)).headers["location"] == path
        assert (await client.get(path, headers=BROWSER)).status_code == 200


async def test_a_session_opens_no_path_of_the_api(guarded: Pages) -> None:
    async with guarded.client() as client:
        await log_in(client, "key-of-operator")
        paths = (await client.get("/openapi.json")).json()["paths"]
        asked = 0
        for path, item in paths.items():
            if is_documentation(path) or path in OPEN_PATHS or path.startswith(ALWAYS_200):
                continue
            for method in item:
                answer = await client.request(method.upper(), path, headers={"content-type": "application/json"})
                asked += answer.status_code in (401, 403)  # some trainers' clients know only the one
                assert answer.status_code != 200 or path.endswith("/health"), f"{method} {path}"
        assert asked > 100


async def test_the_session_is_looked_up_for_documentation_alone(
    guarded: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[tuple[str, str]] = set()
    find_reader = guarded.console.find_reader

    async def note(scope: Scope) -> ApiKey | None:
        asked.add((scope["method"], scope["path"]))
        return await find_reader(scope)

    monkeypatch.setattr(guarded.console, "find_reader", note)
    written = [route.path for route in guarded.app.routes if isinstance(route, Route)]
    assert len(written) == len(guarded.app.routes)
    paths = {re.sub(r"\{(\w+)[^}]*\}", r"\1", path) for path in written}
    async with guarded.client() as client:
        await log_in(client, "key-of-operator")
        for path in paths:
            for method in METHODS:
                await client.request(method, path)
    assert len(paths) > 200
    assert asked == {(method, path) for method in ("GET", "HEAD") for path in paths if is_documentation(path)}


async def test_a_key_that_is_removed_ends_the_reading(serve: Serve, keys_file: Path) -> None:
    async with serve(api_keys_file=keys_file) as pages, pages.client() as client:
        await log_in(client, "key-of-researcher")
        assert (await client.get("/docs/guide/")).status_code == 200
        keys_file.write_text(KEYS.replace("key-of-researcher", "another-key-of-hers"))
        reload_keys(pages.traffic.keys, keys_file)
        assert (await client.get("/docs/guide/")).status_code == 401


async def test_a_key_without_the_right_to_score_reads_nothing(guarded: Pages) -> None:
    async with guarded.client() as client:
        await log_in(client, "key-of-uploader")
        assert (await client.get("/docs/guide/")).status_code == 403


async def test_without_keys_no_session_is_looked_up(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: Sessions, visitor: str) -> None:
        raise StateUnavailable("the store is away")

    async with pages.client() as client:
        await client.get("/", headers=BROWSER)
        assert client.cookies, "every browser has a visitor's id"
        monkeypatch.setattr(Sessions, "find", fail)
        assert (await client.get("/docs/guide/", headers=BROWSER)).status_code == 200


async def test_without_a_console_the_key_is_asked_for(serve: Serve, keys_file: Path) -> None:
    async with serve(api_keys_file=keys_file, console=False) as pages, pages.client() as client:
        assert (await client.get("/docs/guide/", headers=BROWSER)).status_code == 401
