"""Equal samples in flight are computed once; a leader's misfortune is its own."""

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
from reward_gateway.cache.port import Entry
from reward_gateway.cache.single_flight import Result, SingleFlight
from reward_gateway.sample import Invalid

from tests.clock import Clock, turns

pytestmark = pytest.mark.anyio


def entry(key: bytes) -> Entry:
    return Entry(key * 4)


class Request:
    """One request's share in the work: what it computed, and how."""

    def __init__(self, flights: SingleFlight, keys: str, answer: Result | Exception | None = None) -> None:
        self.flights = flights
        self.keys = [bytes([ord(key)]) for key in keys]
        self.answer = answer
        self.computed: list[bytes] = []
        self.gate = asyncio.Event()

    async def compute(self, positions: list[int]) -> Sequence[Result]:
        self.computed += [self.keys[position] for position in positions]
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer or entry(self.keys[position]) for position in positions]

    def start(self, seconds: float = 5.0) -> "asyncio.Task[list[Result]]":
        deadline = asyncio.get_running_loop().time() + seconds
        return asyncio.ensure_future(self.flights.compute_results(self.keys, self.compute, deadline))

    def entries(self) -> list[Entry]:
        return [entry(key) for key in self.keys]


async def both(leader: Request, follower: Request) -> tuple["asyncio.Task[list[Result]]", "asyncio.Task[list[Result]]"]:
    """Start the one, then the other; the leader is still computing."""
    first = leader.start()
    await asyncio.sleep(0)
    second = follower.start()
    follower.gate.set()
    await asyncio.sleep(0)
    return first, second


async def test_equal_samples_of_one_request_are_computed_once() -> None:
    request = Request(SingleFlight(), "abacb")
    request.gate.set()
    assert await request.start() == request.entries()
    assert request.computed == [b"a", b"b", b"c"]


async def test_a_follower_computes_only_what_nobody_else_does() -> None:
    flights = SingleFlight()
    leader, follower = Request(flights, "ab"), Request(flights, "bca")
    first, second = await both(leader, follower)
    assert follower.computed == [b"c"]
    leader.gate.set()
    assert await first == leader.entries()
    assert await second == follower.entries()
    assert len(flights) == 0


async def test_what_is_done_is_no_longer_in_flight() -> None:
    flights = SingleFlight()
    for _ in range(2):
        request = Request(flights, "a")
        request.gate.set()
        await request.start()
        assert request.computed == [b"a"]


async def test_a_fault_of_the_sample_holds_for_the_follower() -> None:
    flights, odd = SingleFlight(), Invalid("invalid_media", "It is no picture.")
    leader, follower = Request(flights, "a", odd), Request(flights, "a")
    first, second = await both(leader, follower)
    leader.gate.set()
    assert await first == await second == [odd]
    assert follower.computed == []


@pytest.mark.parametrize("code", ["overloaded", "model_unavailable", "deadline_exceeded", "internal_error"])
async def test_a_leader_that_was_unlucky_leaves_the_follower_to_compute(code: str) -> None:
    flights, unlucky = SingleFlight(), Invalid(code, "Not now.")  # type: ignore[arg-type]
    leader, follower = Request(flights, "ab", unlucky), Request(flights, "ab")
    first, second = await both(leader, follower)
    leader.gate.set()
    assert await first == [unlucky, unlucky]
    assert await second == follower.entries()


async def test_a_leader_that_fails_leaves_the_follower_to_compute() -> None:
    flights = SingleFlight()
    leader, follower = Request(flights, "a", RuntimeError("broken")), Request(flights, "a")
    first, second = await both(leader, follower)
    leader.gate.set()
    with pytest.raises(RuntimeError, match="broken"):
        await first
    assert await second == follower.entries()


async def test_a_leader_that_goes_away_leaves_one_follower_to_compute_for_all() -> None:
    flights = SingleFlight()
    leader, *followers = [Request(flights, "a") for _ in range(4)]
    first = leader.start()
    await asyncio.sleep(0)
    tasks = [follower.start() for follower in followers]
    await asyncio.sleep(0)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    await turns()
    for follower in followers:
        follower.gate.set()
    assert await asyncio.gather(*tasks) == [leader.entries()] * 3
    assert sorted(len(follower.computed) for follower in followers) == [0, 0, 1]


async def test_a_follower_does_not_wait_beyond_its_deadline(clock: Clock) -> None:
    flights = SingleFlight()
    leader, follower = Request(flights, "a"), Request(flights, "ab")
    first = leader.start(seconds=7200)
    await turns()
    follower.gate.set()
    second = follower.start(seconds=3600)
    await clock.advance(3500)
    assert not second.done()
    await clock.advance(101)
    late, known = await second
    assert isinstance(late, Invalid)
    assert (late.code, known) == ("deadline_exceeded", entry(b"b"))
    leader.gate.set()
    assert await first == leader.entries()


async def test_a_follower_that_was_late_leaves_the_results_to_the_others(clock: Clock) -> None:
    flights = SingleFlight()
    leader, hasty, patient = (Request(flights, "a") for _ in range(3))
    first, late, waits = leader.start(seconds=7200), hasty.start(seconds=60), patient.start(seconds=7200)
    await turns()
    await clock.advance(61)
    assert [result for result in await late if isinstance(result, Invalid)]
    leader.gate.set()
    assert await first == await waits == leader.entries()
    assert (hasty.computed, patient.computed) == ([], [])


async def test_requests_that_follow_each_other_do_not_wait_in_a_circle() -> None:
    flights = SingleFlight()
    requests = [Request(flights, keys) for keys in ("abc", "cad", "dbx")]
    tasks = [request.start() for request in requests]
    await asyncio.sleep(0)
    for request in requests:
        request.gate.set()
    assert await asyncio.gather(*tasks) == [request.entries() for request in requests]
    assert sorted(key for request in requests for key in request.computed) == [b"a", b"b", b"c", b"d", b"x"]
