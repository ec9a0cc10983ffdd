"""cli/reloading.py: recipes are read again when their file changes, however it changes."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from reward_gateway.backends.model_servers import ModelServers
from reward_gateway.backends.upstreams.file import load_upstreams
from reward_gateway.backends.upstreams.server import UpstreamServer
from reward_gateway.cache.null import NullCache
from reward_gateway.cli import reloading
from reward_gateway.cli.reloading import watch
from reward_gateway.cli.worker import make_replica_breaker
from reward_gateway.gateway import Gateway
from reward_gateway.pages.answers import NoModels
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry

from tests.backends.triton.opening import open_tritons
from tests.clock import until

pytestmark = pytest.mark.anyio

ONE = "rewards: {one: {components: {a: {score: length_penalty}}}}"
OTHER = "rewards: {other: {components: {a: {score: length_penalty}}}}"


def mount(folder: Path, version: str, recipes: str) -> None:
    """As Kubernetes mounts a ConfigMap, and changes it: the file is a link through ``..data``."""
    (folder / version).mkdir()
    (folder / version / "rewards.yaml").write_text(recipes)
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")
    if not (folder / "rewards.yaml").is_symlink():
        (folder / "rewards.yaml").symlink_to("..data/rewards.yaml")


def rewritten(folder: Path) -> None:
    (folder / "rewards.yaml").write_text(OTHER)


def replaced(folder: Path) -> None:
    (folder / "new").write_text(OTHER)
    (folder / "new").rename(folder / "rewards.yaml")


def mounted_anew(folder: Path) -> None:
    mount(folder, "..2", OTHER)


def watched() -> int:
    """How many folders this process is told about by the kernel."""
    told = 0
    for info in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            told += info.read_text().count("inotify wd:")
    return told


@pytest.mark.parametrize("change", [rewritten, replaced, mounted_anew])
async def test_recipes_are_read_again_when_their_file_changes(change: Callable[[Path], None], tmp_path: Path) -> None:
    if change is mounted_anew:
        mount(tmp_path, "..1", ONE)
    else:
        (tmp_path / "rewards.yaml").write_text(ONE)
    gateway = Gateway(load_book(ONE), EffectsRuntime(CachedScorer(NoModels(), NullCache())))
    before = watched()
    watching = asyncio.create_task(watch(gateway, Settings(rewards_file=tmp_path / "rewards.yaml"), Telemetry()))
    try:
        await until(lambda: watched() > before)
        change(tmp_path)
        await until(lambda: list(gateway.book.plans) == ["other"])
        (tmp_path / "rewards.yaml").write_text("rewards: {broken: {}}")
        await asyncio.sleep(0.5)
        assert list(gateway.book.plans) == ["other"], "a file that cannot work changes nothing"
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


HOSTILE = (b"rewards: \xff", b"rewards: " + b"9" * 5000, b"a: " + b"[" * 100_000, b"rewards: 2001-13-45", b"")


async def test_no_file_ends_the_watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rewards.yaml"
    file.write_text(ONE)
    gateway = Gateway(load_book(ONE), EffectsRuntime(CachedScorer(NoModels(), NullCache())))
    read: list[bytes] = []
    read_book = reloading.read_book

    def read_and_note(settings: Settings, runtime: EffectsRuntime) -> object:
        content = settings.rewards_file.read_bytes()
        read.append(content)
        if content == b"# a bug":
            raise RuntimeError("a bug")
        return read_book(settings, runtime)

    monkeypatch.setattr(reloading, "read_book", read_and_note)
    before = watched()
    watching = asyncio.create_task(watch(gateway, Settings(rewards_file=file), Telemetry()))
    try:
        await until(lambda: watched() > before)
        for content in (*HOSTILE, b"# a bug"):
            file.write_bytes(content)
            await until(lambda content=content: content in read)  # type: ignore[misc]
            assert list(gateway.book.plans) == ["one"]
        file.write_text(OTHER)
        await until(lambda: list(gateway.book.plans) == ["other"])
        assert not watching.done()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def upstreams_file(folder: Path, *names: str) -> Path:
    file = folder / "upstreams.yaml"
    entries = "".join(f"  {name}: {{protocol: openrlhf, urls: [http://127.0.0.1:9]}}\n" for name in names)
    file.write_text(f"upstreams:\n{entries}")
    return file


async def test_upstreams_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "rewards.yaml").write_text(ONE)
    file = upstreams_file(tmp_path, "a")
    models = ModelServers(open_tritons(), UpstreamServer(load_upstreams(file), make_replica_breaker))
    telemetry = Telemetry()
    gateway = Gateway(load_book(ONE), EffectsRuntime(CachedScorer(models, NullCache())))
    settings = Settings(rewards_file=tmp_path / "recipes" / "rewards.yaml", upstreams_file=file)
    before = watched()
    watching = asyncio.create_task(watch(gateway, settings, telemetry))

    def known() -> set[str]:
        return set(gateway.runtime.known_models() or ())

    try:
        await until(lambda: watched() > before + 1)
        upstreams_file(tmp_path, "a", "b")
        await until(lambda: known() == {"a", "b"})
        file.write_text("upstreams: {c: {protocol: telepathy}}")
        await asyncio.sleep(0.5)
        assert "b" in models.upstreams, "a file that cannot work changes nothing"
        upstreams_file(tmp_path, "b")
        await until(lambda: known() == {"b"})
        assert telemetry.metrics.models.known_or_other("b") == "b"
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await models.close()
