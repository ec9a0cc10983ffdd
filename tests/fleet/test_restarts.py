"""Gateways are restarted and killed under load. Clients here repeat nothing, unless a test says so."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from reward_gateway.client import RewardClient

from tests.chaos.callers import Caller, GrpcCaller, HttpCaller, Ledger, load, make_responses
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import SLOW
from tests.chaos.verdicts import at_least, at_most, exactly
from tests.fleet.fleet import Fleet

pytestmark = pytest.mark.anyio

REWARDS = ("rule", "model", "elsewhere")
AT_ONCE = 24
"""Requests that are under way when a gateway is killed."""


async def ask(caller: Caller, turn: int) -> None:
    """A rule, a model of the Tritons or one of the upstream, past the cache."""
    await caller.score(REWARDS[turn % len(REWARDS)], make_responses(turn, 1 + turn % 5), cache="off")


class Anew(HttpCaller):
    """A caller that opens a connection for every request."""

    async def score(self, *asked: object, **options: object) -> list[float | None] | None:
        rewards = await super().score(*asked, **options)  # type: ignore[arg-type]
        await self.close()
        return rewards


def make_callers(fleet: Fleet, over_http: Ledger, over_grpc: Ledger) -> list[Caller]:
    return [
        *(HttpCaller(fleet.http, over_http) for _ in range(4)),
        *(Anew(fleet.http, over_http) for _ in range(2)),
        *(GrpcCaller(fleet.grpc, over_grpc) for _ in range(3)),
    ]


async def test_a_rolling_restart_under_load_loses_no_request(four: Fleet, verdict: GiveVerdict) -> None:
    over_http, over_grpc = Ledger(), Ledger()
    async with load(make_callers(four, over_http, over_grpc), ask, 0.02):
        await asyncio.sleep(1.0)
        statuses = []
        for gateway in four.gateways:
            statuses.append(await asyncio.to_thread(gateway.restart))
            assert four.balancer is not None
            await asyncio.to_thread(four.balancer.wait_until_up, 4)
        await asyncio.sleep(1.0)
    for name, ledger in (("HTTP", over_http), ("gRPC", over_grpc)):
        lost = ledger.answered - ledger.statuses[200] + ledger.unanswered
        verdict(f"requests lost over {name} of {ledger.answered}", lost, exactly(0))
        verdict(f"wrong scores over {name}", len(ledger.wrong), exactly(0))
        verdict(f"requests over {name}", ledger.answered, at_least(100))
    verdict("gateways that did not end as they should", sum(status != 0 for status in statuses), exactly(0))


async def test_a_killed_gateway_costs_its_own_requests_alone(four: Fleet, verdict: GiveVerdict) -> None:
    """As many requests as are under way at the gateway when it is killed are lost, and none that is sent later.

    Later is a tenth of a second: the balancer sends a request over a connection that it has kept until it has read that
    it was closed, and nobody can tell whether such a request has been begun.
    """
    assert four.balancer is not None
    over_http, over_grpc, later = Ledger(), Ledger(), Ledger()
    callers: list[Caller] = [
        *(HttpCaller(four.http, over_http) for _ in range(AT_ONCE // 2)),
        *(GrpcCaller(four.grpc, over_grpc) for _ in range(AT_ONCE // 2)),
    ]
    slow = [
        asyncio.create_task(caller.score("model", [f"{SLOW} {n} {k}" for k in range(8)], cache="off"))
        for n, caller in enumerate(callers)
    ]
    await asyncio.sleep(0.5)
    own = sum(int(row["scur"]) for row in four.balancer.read_servers() if row["svname"] == "gateway-1")
    await asyncio.to_thread(four.gateways[0].kill)
    await asyncio.sleep(0.1)
    async with load(make_callers(four, later, later), ask, 0.02):
        await asyncio.gather(*slow)
        await asyncio.sleep(2.0)
    for caller in callers:
        await caller.close()
    lost = AT_ONCE - over_http.statuses[200] - over_grpc.statuses[200]
    verdict("requests under way at the killed gateway", own, at_least(1))
    verdict(f"requests lost of {AT_ONCE}", lost, at_most(own))
    others = sum(int(row["eresp"]) for row in four.balancer.read_servers() if row["svname"] != "gateway-1")
    verdict("answers that other gateways failed to give", others, exactly(0))
    verdict(
        f"requests lost of {later.answered} sent after it was killed",
        later.answered - later.statuses[200] + later.unanswered,
        exactly(0),
    )
    wrong = [*over_http.wrong, *over_grpc.wrong, *later.wrong]
    verdict("wrong scores", len(wrong), exactly(0))
    await asyncio.to_thread(four.gateways[0].start_again)
    await asyncio.to_thread(four.balancer.wait_until_up, 4)


class Counting:
    """Clients of the library, which repeats with an idempotency key, on a recipe that counts samples."""

    def __init__(self, url: str, clients: int = 4) -> None:
        self.sent = 0
        self.failed: list[str] = []
        self._url = url
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(120)

    def _run(self) -> None:
        with RewardClient(self._url, run="counted", timeout_s=60) as client:
            while not self._over.wait(0.02):
                samples = [{"prompt": "p", "response": "r", "features": {"mine": float(k)}} for k in range(3)]
                try:
                    client.score_samples(samples, reward="counted")
                except Exception as error:  # what a trainer would see
                    self.failed.append(repr(error))
                else:
                    with self._lock:
                        self.sent += len(samples)


async def test_retries_with_idempotency_keys_count_once_while_gateways_are_killed(
    four: Fleet, verdict: GiveVerdict
) -> None:
    assert four.balancer is not None
    counting = Counting(four.http)
    with counting.running():
        for gateway in four.gateways[:3]:
            await asyncio.sleep(1.0)
            await asyncio.to_thread(gateway.kill)
            await asyncio.to_thread(gateway.start_again)
            await asyncio.to_thread(four.balancer.wait_until_up, 4)
    state = httpx.get(f"{four.http}/v1/state/moments/fleet", headers={"X-Run": "counted"}, timeout=30).json()
    assert counting.failed == []
    verdict(f"samples of {counting.sent} not counted once", abs(state["value"]["count"] - counting.sent), exactly(0))
    verdict("samples counted", counting.sent, at_least(100))
