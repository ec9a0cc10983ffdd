"""Rates: exactly as many as the key may make over all processes, and when the next one may pass."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute
from reward_gateway.cache.breaker import Breaker
from reward_gateway.errors import RateLimited, Unauthenticated
from reward_gateway.local.sockets import socket_folder
from reward_gateway.observer import Observer
from reward_gateway.settings import Settings
from reward_gateway.traffic.guard import Traffic
from reward_gateway.traffic.keys import ApiKey
from reward_gateway.traffic.rate_limiter import KeyRateLimiter, SharedWindows, share_of

from tests.clock import LONGEST_WAIT_S, until
from tests.valkey import Valkey

pytestmark = pytest.mark.anyio


def key(name: str, rate: str | None = None) -> ApiKey:
    return ApiKey(name=name, sha256="0" * 64, rate=rate)


async def passed(limiter: KeyRateLimiter, caller: ApiKey, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            await limiter.check_rate(caller)
        except RateLimited:
            continue
        count += 1
    return count


@pytest.fixture
def time_of_day(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of day in its one element; it stands still until a test moves it."""
    now = [1_700_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


class TestInProcess:
    async def test_the_rate_itself_passes_and_one_more_does_not(self, time_of_day: list[float]) -> None:
        limiter, caller = KeyRateLimiter("5/hour"), key("a")
        assert await passed(limiter, caller, 5) == 5
        time_of_day[0] += 600.5
        with pytest.raises(RateLimited) as refused:
            await limiter.check_rate(caller)
        assert refused.value.status == 429
        assert refused.value.retry_after_s == 3000
        time_of_day[0] += 3000
        await limiter.check_rate(caller)

    async def test_keys_do_not_use_up_each_others_rate(self) -> None:
        limiter = KeyRateLimiter("2/hour")
        assert await passed(limiter, key("a"), 5) == 2
        assert await passed(limiter, key("b"), 5) == 2

    async def test_a_keys_own_rate_goes_before_the_default(self) -> None:
        assert await passed(KeyRateLimiter("2/hour"), key("a", "4/hour"), 9) == 4

    async def test_no_rate_means_no_limit(self) -> None:
        assert await passed(KeyRateLimiter(None), key("a"), 1000) == 1000

    async def test_a_rate_is_divided_among_the_workers(self, time_of_day: list[float]) -> None:
        assert await passed(KeyRateLimiter("8/hour", lambda: 4), key("a"), 9) == 2
        slow = KeyRateLimiter("2/hour", lambda: 4)
        assert await passed(slow, key("a"), 9) == 1
        time_of_day[0] += 3601
        assert await passed(slow, key("a"), 9) == 0, "four workers at one an hour would be twice the rate"
        time_of_day[0] += 3600
        assert await passed(slow, key("a"), 9) == 1

    @given(st.integers(1, 10_000), st.integers(1, 60), st.integers(1, 64))
    async def test_all_shares_together_are_never_more_than_the_rate(
        self, amount: int, minutes: int, workers: int
    ) -> None:
        rate = RateLimitItemPerMinute(amount, minutes)
        share = share_of(rate, workers)
        assert share.amount == max(1, amount // workers)
        assert workers * share.amount / share.get_expiry() <= amount / rate.get_expiry() * (1 + 1e-12)


class Gateway(Observer):
    """The rate limiter of one process of several, and what it is told and tells."""

    def __init__(self, url: str, rate: str, workers: int = 2, timeout_s: float = 10.0) -> None:
        self.now = 0.0
        self.alone = 0
        self.breaker = Breaker(2, lambda: self.now)
        shared = SharedWindows(url, self.breaker, timeout_s)
        self.limiter = KeyRateLimiter(rate, lambda: workers, shared, self)

    def rate_checked_alone(self) -> None:
        self.alone += 1

    async def passed(self, tries: int, name: str = "a") -> int:
        return await passed(self.limiter, key(name), tries)

    async def recover(self) -> None:
        """Until a probe has found the server."""
        async with asyncio.timeout(LONGEST_WAIT_S):
            while self.breaker.state != "closed":
                self.now += 10
                await self.passed(1, name="prober")
                await asyncio.sleep(0.01)


Start = Callable[..., Gateway]


@pytest.fixture
async def start(valkey: Valkey) -> AsyncIterator[Start]:
    """Starts the limiter of a process on the server."""
    started: list[Gateway] = []

    def start(rate: str, **options: Any) -> Gateway:
        started.append(Gateway(valkey.url, rate, **options))
        return started[-1]

    yield start
    for gateway in started:
        await gateway.limiter.close()


class TestShared:
    async def test_a_rate_holds_over_all_processes_at_once(self, start: Start) -> None:
        gateways = [start("5/hour", workers=8) for _ in range(8)]
        counts = await asyncio.gather(*(gateway.passed(5) for gateway in gateways))
        assert sum(counts) == 5
        assert [gateway.alone for gateway in gateways] == [0] * 8

    async def test_one_process_may_use_the_whole_rate(self, start: Start) -> None:
        one, other = start("5/hour"), start("5/hour")
        assert await one.passed(9) == 5
        assert await other.passed(9) == 0

    async def test_the_next_request_may_pass_when_the_caller_is_told(
        self, start: Start, time_of_day: list[float]
    ) -> None:
        one, other = start("2/minute"), start("2/minute")
        assert await one.passed(1) == 1
        time_of_day[0] += 20
        assert await other.passed(1) == 1
        time_of_day[0] += 10.5
        with pytest.raises(RateLimited) as refused:
            await one.limiter.check_rate(key("a"))
        assert refused.value.retry_after_s == 30
        time_of_day[0] += 30
        assert await one.passed(2) == 1, "the first has left the window, the second has not"

    async def test_a_process_opens_at_most_sixteen_connections(self, start: Start, valkey: Valkey) -> None:
        gateway = start("5/hour")
        await asyncio.gather(*(gateway.passed(1, name=f"caller-{i}") for i in range(64)))
        with valkey.client() as client:
            assert len(client.client_list()) == 16 + 1  # this client's own

    async def test_keys_without_a_rate_never_ask_the_server(self, valkey: Valkey, start: Start) -> None:
        gateway = start("5/hour", timeout_s=3600.0)
        gateway.limiter._default = None
        valkey.freeze()
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                assert await gateway.passed(1000) == 1000
        finally:
            valkey.thaw()

    async def test_a_server_that_never_answers_is_waited_for_twice_and_then_left_alone(
        self, valkey: Valkey, start: Start
    ) -> None:
        gateway = start("4/hour", workers=2, timeout_s=0.05)
        valkey.freeze()
        try:
            assert await gateway.passed(9) == 2
        finally:
            valkey.thaw()
        assert gateway.breaker.state == "open"
        assert gateway.alone == 9


@pytest.mark.stack
async def test_a_rate_is_shared_over_a_unix_socket_too(tmp_path: Path) -> None:
    with socket_folder() as sockets:
        server = Valkey(tmp_path)
        server.start("--unixsocket", f"{sockets}/state")
        limiters = [
            KeyRateLimiter("3/hour", lambda: 2, SharedWindows(f"unix://{sockets}/state", Breaker(2, lambda: 0.0)))
            for _ in range(2)
        ]
        assert [await passed(limiter, key("a"), 2) for limiter in limiters] == [2, 1]
        server.kill()


@pytest.mark.stack
class TestOutage:
    @pytest.fixture
    def valkey(self, tmp_path: Path) -> Any:
        server = Valkey(tmp_path)
        server.start()
        yield server
        server.kill()

    async def test_each_process_enforces_its_share_and_the_rate_is_shared_again_afterwards(
        self, valkey: Valkey, start: Start
    ) -> None:
        gateways = [start("6/hour", workers=3) for _ in range(3)]
        valkey.kill()
        assert [await gateway.passed(9) for gateway in gateways] == [2, 2, 2]
        assert [gateway.alone for gateway in gateways] == [9, 9, 9]
        valkey.start()
        for gateway in gateways:
            await gateway.recover()
        counts = [await gateway.passed(4, name="b") for gateway in gateways]
        assert sum(counts) == 6
        assert counts[0] == 4, "more than its share: the window is shared again"

    async def test_an_outage_does_not_grant_the_window_a_second_time(self, valkey: Valkey, start: Start) -> None:
        one, other = start("4/hour", workers=2), start("4/hour", workers=2)
        assert await one.passed(2) == 2
        valkey.kill()
        assert (await one.passed(9), await other.passed(9)) == (0, 2)
        valkey.start()

    async def test_a_server_that_is_away_from_the_start_is_no_reason_to_refuse(
        self, valkey: Valkey, start: Start
    ) -> None:
        valkey.kill()
        gateway = start("4/hour", workers=2)
        assert await gateway.passed(9) == 2
        with pytest.raises(RateLimited) as refused:
            await gateway.limiter.check_rate(key("a"))
        assert refused.value.retry_after_s is not None
        assert 1 <= refused.value.retry_after_s <= 3600
        valkey.start()


class TestOfSettings:
    @pytest.fixture(autouse=True)
    def patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No machine is too slow for the time limit."""
        monkeypatch.setattr(SharedWindows.__init__, "__defaults__", (60.0,))

    async def test_without_a_rate_nothing_is_connected(self, valkey: Valkey) -> None:
        traffic = Traffic.of(Settings(state_redis_url=valkey.url), breaker=Breaker(2, lambda: 0.0))
        traffic.start()
        assert traffic.census is None
        await traffic.identify_caller(None)
        with valkey.client() as client:
            assert client.dbsize() == 0
        await traffic.close()

    async def test_rates_are_shared_in_the_store_of_state(self, valkey: Valkey) -> None:
        settings = Settings(state_redis_url=valkey.url, redis_url="redis://127.0.0.1:1", rate_limit="3/hour")
        two = [Traffic.of(settings, breaker=Breaker(2, lambda: 0.0)) for _ in range(2)]
        for traffic in two:
            traffic.start()
        outcomes = await asyncio.gather(*(two[i % 2].identify_caller(None) for i in range(8)), return_exceptions=True)
        assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 5
        with valkey.client() as client:
            assert all(name.startswith(b"reward_gateway:") for name in client.scan_iter())
        assert all(traffic.census is not None for traffic in two)
        await until(lambda: all(traffic.census and traffic.census.count == 2 for traffic in two))
        for traffic in two:
            await traffic.close()
        with valkey.client() as client:
            assert client.zcard("reward_gateway:workers") == 0, "who leaves is no longer counted"

    @pytest.mark.parametrize("url", ["", "redis://127.0.0.1:1"])
    async def test_rates_are_divided_among_the_workers_where_they_cannot_be_shared(self, url: str) -> None:
        settings = Settings(state_redis_url=url, rate_limit="8/hour", workers=4)
        traffic = Traffic.of(settings, breaker=Breaker(2, lambda: 0.0))
        assert await passed(traffic.rate_limiter, key("a"), 9) == 2
        await traffic.close()

    @pytest.mark.parametrize("rate", [None, "3/hour"])
    async def test_the_bounds_of_admission_are_those_of_the_settings(self, valkey: Valkey, rate: str | None) -> None:
        heard: list[tuple[int, int]] = []

        class Heard(Observer):
            def admission_changed(self, in_flight: int, queued: int) -> None:
                heard.append((in_flight, queued))

        settings = Settings(
            state_redis_url=valkey.url, rate_limit=rate, max_in_flight=2, max_queued=3, queue_timeout_s=4.0
        )
        traffic = Traffic.of(settings, Heard(), Breaker(2, lambda: 0.0))
        admission = traffic.admission
        assert (admission.max_in_flight, admission.max_queued, admission.queue_timeout_s) == (2, 3, 4.0)
        async with admission.enter():
            assert heard == [(1, 0)]
        await traffic.close()

    async def test_the_keys_file_of_the_settings_is_asked(self, tmp_path: Path) -> None:
        path = tmp_path / "keys.yaml"
        path.write_text("keys: [{name: trainer, key: some secret}]")
        traffic = Traffic.of(Settings(api_keys_file=path))
        assert (await traffic.identify_caller("some secret")).name == "trainer"
        with pytest.raises(Unauthenticated):
            await traffic.identify_caller(None)
        await traffic.close()
