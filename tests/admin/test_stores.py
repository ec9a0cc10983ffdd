"""The two stores are told apart, and nobody waits for one that is away."""

from pathlib import Path

import pytest
from reward_gateway.admin import stores
from reward_gateway.admin.stores import StoreWatch
from reward_gateway.observer import Observer, StoreName
from reward_gateway.settings import Settings

from tests.clock import until
from tests.valkey import Valkey

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is too slow for the time limit."""
    monkeypatch.setattr(stores, "TIMEOUT_S", 60.0)


class Told(Observer):
    def __init__(self) -> None:
        self.last: dict[StoreName, bool] = {}

    def store_checked(self, store: StoreName, reachable: bool) -> None:
        self.last[store] = reachable


@pytest.mark.stack
async def test_each_store_is_told_by_its_name_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    cache, state = Valkey(tmp_path / "a"), Valkey(tmp_path / "b")
    cache.start()
    state.start()
    told = Told()
    watch = StoreWatch.of(Settings(redis_url=cache.url, state_redis_url=state.url), told)
    watch.start()
    await until(lambda: told.last == {"cache": True, "state": True})
    state.kill()
    await watch.check_stores()
    assert watch.reachable == told.last == {"cache": True, "state": False}
    state.start()
    await watch.check_stores()
    assert watch.reachable == told.last == {"cache": True, "state": True}
    await watch.close()
    cache.kill()
    state.kill()


async def test_one_server_may_be_both_and_none_may_be_there() -> None:
    one = StoreWatch.of(Settings(redis_url="redis://127.0.0.1:1"))
    await one.check_stores()
    assert one.reachable == {"cache": False, "state": False}
    await one.close()
    none = StoreWatch.of(Settings())
    await none.check_stores()
    assert none.reachable == {}
    await none.close()
