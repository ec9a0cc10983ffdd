"""AReaL: one sample per call, in a pool of processes, with 15 seconds that begin when the call is queued."""

import asyncio
import heapq
import inspect
import pickle
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest
from reward_gateway.client.adapters import areal
from reward_gateway.client.adapters.service import Unscored
from reward_gateway.errors import Unavailable

from tests.client.conftest import Service


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch, service: Service) -> Service:
    """The recipe that compares with the reference, by the environment."""
    monkeypatch.setenv("REWARD_GATEWAY_REWARD", "right")
    return service


@pytest.fixture(autouse=True)
def fresh_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has waited for nothing yet."""
    monkeypatch.setattr(areal, "_patience", areal.Patience())


def test_it_is_a_plain_function_that_can_be_pickled(right: Service) -> None:
    assert not inspect.iscoroutinefunction(areal.reward)
    assert pickle.loads(pickle.dumps(areal.reward)) == areal.reward
    function = pickle.loads(pickle.dumps(areal.Reward("right", right.url)))
    assert function("p", "42", [1], [2], answer="42", query_id="7") == 1.0
    assert areal.reward("p", "41", [1], [2], solution="42") == 0.0


def test_it_runs_in_a_process_of_the_pool(right: Service) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(areal.Reward("right", right.url), "p", "42", [1], [2], answer="42").result(60) == 1.0
        failed = pool.submit(areal.reward, "p", "42", [1], [2])
        with pytest.raises(Unscored, match="missing_field"):
            failed.result(60)


def test_it_never_waits_as_long_as_its_trainer_does(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert areal.LONGEST_S < areal.TIMEOUT_S == 15.0
    monkeypatch.setattr(areal, "LONGEST_S", 0.6)
    monkeypatch.setenv("REWARD_GATEWAY_TIMEOUT_S", "600")
    with pytest.raises(Unavailable):  # and not after ten minutes
        areal.reward("p", "42", [1], [2])


class Clock:
    """A clock to put forward."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> areal.Patience:
    return areal.Patience(clock)


def fail(patience: areal.Patience, clock: Clock, sent: float | None = None, after_s: float | None = None) -> float:
    """A call for which the service is away, which says so at once, or not at all: the seconds that it may take."""
    left = patience.begin(sent)
    clock.now += left if after_s is None else after_s
    patience.end(answered=False)
    return left


def test_a_call_may_wait_for_what_is_left_since_it_was_sent(patience: areal.Patience, clock: Clock) -> None:
    assert patience.begin(None) == 12.0
    assert patience.begin(clock.now - 5.0) == 7.0
    assert patience.begin(clock.now - 11.9) == areal.PROBE_S
    assert patience.begin(clock.now - 3600.0) == 12.0, "the pool did not send it: its call would be over"
    assert patience.begin(clock.now + 5.0) == 12.0


def test_the_wait_of_the_calls_before_it_counts(patience: areal.Patience, clock: Clock) -> None:
    assert fail(patience, clock, sent=clock.now) == 12.0
    assert patience.begin(clock.now - 12.0) == areal.PROBE_S, "it was handed over with the first"
    assert patience.begin(clock.now - 0.001) == areal.PROBE_S, "handed over late, but queued with the first perhaps"


def test_a_call_that_was_sent_when_the_process_was_free_has_not_waited(patience: areal.Patience, clock: Clock) -> None:
    """So AReaL's second attempt waits as long as its first."""
    for _ in range(4):
        assert fail(patience, clock, sent=clock.now) == 12.0
        clock.now += 0.002


def test_a_service_that_says_that_it_is_away_is_asked_by_every_call(patience: areal.Patience, clock: Clock) -> None:
    fail(patience, clock)
    for _ in range(100):
        assert fail(patience, clock, sent=clock.now - 0.001, after_s=0.003) == areal.PROBE_S
    assert patience.begin(clock.now - 0.001) == areal.PROBE_S
    patience.end(answered=True)
    assert patience.begin(clock.now - 0.001) == pytest.approx(12.0, abs=0.01)


def test_a_service_that_says_nothing_is_asked_now_and_then(patience: areal.Patience, clock: Clock) -> None:
    fail(patience, clock)
    assert fail(patience, clock, sent=clock.now - 0.001) == areal.PROBE_S
    with pytest.raises(Unscored, match="did not answer"):
        patience.begin(clock.now - 0.001)
    clock.now += areal.PAUSE_S
    assert patience.begin(clock.now - areal.PAUSE_S - 0.001) == areal.PROBE_S


def test_slow_answers_are_no_failures(patience: areal.Patience, clock: Clock) -> None:
    for _ in range(20):
        assert patience.begin(clock.now) == 12.0
        clock.now += 5.0
        patience.end(answered=True)
        assert patience.begin(clock.now - 5.0) == 7.0


@pytest.mark.parametrize(("processes", "calls"), [(1, 2), (3, 12), (3, 200), (8, 64)])
@pytest.mark.parametrize("after_s", [0.003, None])
def test_no_call_of_a_full_pool_lasts_as_long_as_its_trainer_waits(
    processes: int, calls: int, after_s: float | None
) -> None:
    """All are sent at once. The pool hands as many to its processes as there are, and one more; each takes the next
    when it is free. The service says that it is away after 3 ms, or nothing."""
    started = Clock().now
    clocks = [Clock() for _ in range(processes)]
    pool = [areal.Patience(clock) for clock in clocks]
    free = [(started, i) for i in range(processes)]
    handed_over = deque([started] * min(2 * processes + 1, calls))
    queued = calls - len(handed_over)
    while handed_over:
        now, i = heapq.heappop(free)
        sent, clock = handed_over.popleft(), clocks[i]
        if queued:
            handed_over.append(now)
            queued -= 1
        try:
            fail(pool[i], clock, sent, after_s=after_s if now > started else None)
        except Unscored:
            clock.now += 0.001
        assert clock.now - started < areal.TIMEOUT_S
        heapq.heappush(free, (clock.now, i))


def shorten() -> None:
    """A process of the pool whose calls end after three seconds."""
    areal.LONGEST_S = 3.0


async def wait_as_areal(pool: ProcessPoolExecutor, timeout_s: float) -> float | Exception:
    """One attempt of AReaL's wrapper: 0 if the call does not end in time."""
    work = partial(areal.reward, "p", "42", [1], [2], answer="42")
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(pool, work), timeout_s)
    except TimeoutError:
        return 0.0
    except Exception as error:
        return error


def test_twelve_samples_in_a_pool_of_three_raise_while_the_service_is_away(
    right: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_GATEWAY_TIMEOUT_S", "600")
    with ProcessPoolExecutor(3, mp_context=get_context("spawn"), initializer=shorten) as pool:
        for ready in [pool.submit(time.sleep, 0.5) for _ in range(3)]:
            ready.result(120)
        warm = [pool.submit(areal.reward, "p", "42", [1], [2], answer="42") for _ in range(9)]
        assert {one.result(120) for one in warm} == {1.0}
        right.refusals += [(503, {"retry-after": "1"})] * 1000

        async def ask() -> list[float | Exception]:
            return await asyncio.gather(*(wait_as_areal(pool, 60.0) for _ in range(12)))

        started = time.monotonic()
        results = asyncio.run(ask())
        took_s = time.monotonic() - started
        assert all(isinstance(one, Unavailable | Unscored) for one in results), results
        assert took_s < 4 * 3.0, "the calls did not wait for one another, 3 seconds each"
        right.refusals.clear()  # and now it is back
        assert pool.submit(areal.reward, "p", "42", [1], [2], answer="42").result(120) == 1.0
