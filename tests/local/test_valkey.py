"""The embedded Valkeys, started alone: what they keep and where, and what whoever reaches them may do."""

import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import redis
import reward_gateway
from reward_gateway.local.children import Child
from reward_gateway.local.sockets import socket_folder
from reward_gateway.local.valkey import COMMANDS, score_cache, state_store, sync_state
from reward_gateway.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

Make = Callable[[Settings, Path, Path], tuple[Child, str]]
Start = Callable[[Make], "contextlib.AbstractAsyncContextManager[str]"]
FORBIDDEN = (
    "CONFIG GET dir", "CONFIG SET dir /tmp", "REPLICAOF 127.0.0.1 1", "MODULE LIST", "SAVE",
    "BGREWRITEAOF", "FLUSHALL", "KEYS *", "ACL LIST", "CLIENT LIST", "FUNCTION LIST", "MONITOR", "SHUTDOWN",
    "MIGRATE 127.0.0.1 1 key 0 10", "SWAPDB 0 1",
)  # fmt: skip


@contextlib.asynccontextmanager
async def started(make: Make, folder: Path) -> AsyncIterator[str]:
    """A running server; its address. The user ``tests`` may use every command."""
    with socket_folder() as sockets:
        child, url = make(Settings(), folder, sockets)
        rules = next(folder.rglob("users.acl"))
        rules.write_text(f"{rules.read_text()}user tests on nopass ~* &* +@all\n")
        await child.start()
        try:
            yield url
        finally:
            await child.stop()


async def test_the_cache_of_scores_is_bounded_evicts_and_writes_nothing_to_disk(tmp_path: Path) -> None:
    async with started(score_cache, tmp_path) as url:
        client = redis.Redis.from_url(url, username="tests")
        config = client.config_get("maxmemory*", "save", "appendonly")
    assert (config["maxmemory"], config["maxmemory-policy"]) == (str(256 << 20), "volatile-lru")
    assert (config["save"], config["appendonly"]) == ("", "no")


async def test_the_store_of_state_never_evicts_and_writes_every_change(tmp_path: Path) -> None:
    async with started(state_store, tmp_path) as url:
        client = redis.Redis.from_url(url, username="tests")
        config = client.config_get("maxmemory*", "append*", "dir")
    assert (config["maxmemory"], config["maxmemory-policy"]) == (str(256 << 20), "noeviction")
    assert (config["appendonly"], config["dir"]) == ("yes", str(tmp_path / "state"))
    assert config["appendfsync"] == "no", "while it syncs by itself, it answers what it has not yet written"


async def test_what_the_store_of_state_has_written_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.pread(file, 1 << 20, 0)))
    await sync_state(tmp_path)  # there is nothing yet
    async with started(state_store, tmp_path) as url:
        redis.Redis.from_url(url).set("key", "a value that is kept")
        await sync_state(tmp_path)
    assert any(b"a value that is kept" in content for content in synced)


@pytest.mark.parametrize("make", [score_cache, state_store])
async def test_only_commands_that_the_gateway_uses_are_allowed(make: Make, tmp_path: Path) -> None:
    async with started(make, tmp_path) as url:
        client = redis.Redis.from_url(url)
        for command in FORBIDDEN:
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command.split())  # type: ignore[no-untyped-call]
        with pytest.raises(redis.exceptions.ResponseError, match="not allowed"):
            client.eval("return redis.call('CONFIG', 'GET', 'dir')", 0)
        assert client.set("key", "value")


@pytest.mark.parametrize("make", [score_cache, state_store])
async def test_its_files_and_its_socket_are_for_this_user_alone(make: Make, tmp_path: Path) -> None:
    async with started(make, tmp_path) as url:
        redis.Redis.from_url(url).set("key", "value")
        socket = Path(url.removeprefix("unix://"))
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        (home,) = (folder for folder in tmp_path.iterdir() if folder.is_dir())
        modes = {file: file.stat().st_mode & 0o077 for file in [socket, home, *tmp_path.rglob("*")]}
        assert set(modes.values()) == {0}, modes
    assert not socket.parent.exists()


async def test_every_command_of_a_script_is_allowed() -> None:
    package = Path(reward_gateway.__file__).parent
    sources = [file.read_text() for pattern in ("*.lua", "*.py") for file in package.rglob(pattern)]
    called = {name.lower() for text in sources for name in re.findall(r"redis\.p?call\(\s*['\"](\w+)", text)}
    assert len(called) > 20
    assert called - {command.partition("|")[0] for command in COMMANDS} == set()
