"""Clients that send too much, too slowly or nothing: they take no memory and no place, and others are served beside."""

import asyncio
import contextlib
import os
import socket
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import psutil
import pytest

from tests.chaos.callers import Answer, Caller, HttpCaller, Ledger, load, make_responses
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import WITHOUT_TRITON, ChaosStack, Launch
from tests.chaos.verdicts import at_least, at_most, exactly
from tests.http.listening import Client, post

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

KEYS = """
keys:
  - {name: others, key: key of the others, rights: [score]}
  - {name: slow, key: key of the slow one, rights: [score]}
"""
OTHERS = {"Authorization": "Bearer key of the others"}
SLOW = "authorization: Bearer key of the slow one"

HEADER_S, IDLE_S, GRACE_S = 10.0, 10.0, 10.0
"""What headers and bodies have by default; a connection may be idle for 75 s by default."""

ATTACKERS, FLOOD_S = 4, 10.0
"""Clients that send headers without a key, and for how long; they share the cores of the gateway."""

BODIES = 520
"""More bodies than requests are worked on at once."""

FILES = 900
"""Open files of a gateway that gets more connections than that."""


@pytest.fixture(scope="module")
def stack(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> ChaosStack:
    """One worker with keys, which scores rules."""
    keys = tmp_path_factory.mktemp("keys") / "keys.yaml"
    keys.write_text(KEYS)
    return launch("--api-keys-file", str(keys), "--idle-timeout-s", str(IDLE_S), *WITHOUT_TRITON)


def port_of(stack: ChaosStack) -> int:
    return int(stack.http.rpartition(":")[2])


@contextlib.asynccontextmanager
async def connections(stack: ChaosStack, count: int) -> AsyncIterator[list[Client]]:
    """So many open connections."""
    clients = [Client(*await asyncio.open_connection("127.0.0.1", port_of(stack))) for _ in range(count)]
    try:
        yield clients
    finally:
        for client in clients:
            client.writer.transport.abort()


async def ask_rule(caller: Caller, turn: int) -> None:
    await caller.score("rule", make_responses(turn))


@contextlib.asynccontextmanager
async def beside(stack: ChaosStack, ledger: Ledger) -> AsyncIterator[None]:
    """Others are served, and health is asked for over new connections, until the block ends."""
    health = Ledger()

    async def ask(caller: Caller, turn: int) -> None:
        if caller is probe:
            await probe.get("/livez")
            await probe.close()
        else:
            await ask_rule(caller, turn)

    probe = Probe(stack.http, health)
    async with load([probe, *(HttpCaller(stack.http, ledger, OTHERS) for _ in range(4))], ask, 0.02):
        yield
    assert health.answered == health.statuses[200], health.strange
    assert not health.unanswered
    ledger.seconds[0] = health.seconds[200]  # under a status that no answer has


class Probe(HttpCaller):
    """Asks whether the gateway lives."""

    async def get(self, path: str) -> Answer | None:
        return await self.post(path, None, method="GET")


async def alone(stack: ChaosStack) -> float:
    """The median latency of the others alone, in seconds."""
    ledger = Ledger()
    async with beside(stack, ledger):
        await asyncio.sleep(3.0)
    return statistics.median(ledger.seconds[200])


def judge_others(ledger: Ledger, alone_s: float, verdict: GiveVerdict) -> None:
    """Nobody was kept waiting or refused, and health checks were answered."""
    verdict("others' requests without rewards", ledger.answered - ledger.statuses[200], exactly(0), "")
    verdict("others' unanswered requests", ledger.unanswered, exactly(0), "")
    verdict("others' p95 over their median alone", (ledger.quantile(0.95, 200) - alone_s) * 1e3, at_most(250), "ms")
    verdict("health p95", ledger.quantile(0.95, 0) * 1e3, at_most(500), "ms")


@contextlib.asynccontextmanager
async def grown(stack: ChaosStack) -> AsyncIterator[list[float]]:
    """Afterwards, the list holds by how many MiB the worker's memory had grown at most."""
    (pid,) = stack.workers()
    worker = psutil.Process(pid)
    before = worker.memory_info().rss
    seen, largest = [before], list[float]()

    async def watch() -> None:
        while True:
            seen.append(worker.memory_info().rss)
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    yield largest
    watching.cancel()
    largest.append((max(seen) - before) / 2**20)


async def every(clients: Iterable[Client], act: Callable[[Client], Awaitable[object]]) -> list[object]:
    """Let every client act, at once; the results, and the faults of connections that were cut."""
    return await asyncio.gather(*map(act, clients), return_exceptions=True)


def flood(address: tuple[str, int], each: int, count: int) -> int:
    """Send headers of ``each`` bytes that do not end over ``count`` connections; the bytes that were taken."""
    block = (b"x-filler: " + b"f" * 1012 + b"\r\n") * 32
    sent, clients = 0, list[socket.socket]()
    for _ in range(count):
        with contextlib.suppress(OSError):  # it was told that this is too much, or made room for others
            clients.append(socket.create_connection(address, timeout=30))
            clients[-1].sendall(b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\n")
            for start in range(0, each, len(block)):
                clients[-1].sendall(block[: each - start])
                sent += min(len(block), each - start)
        time.sleep(FLOOD_S / count)
    for client in clients:
        client.close()
    return sent


@pytest.mark.parametrize(("each", "count"), [(1 << 20, 410), (30 << 10, 2000)], ids=["over_the_limit", "below_it"])
async def test_headers_before_any_key(
    stack: ChaosStack, each: int, count: int, ledger: Ledger, verdict: GiveVerdict
) -> None:
    alone_s = await alone(stack)
    address = "127.0.0.1", port_of(stack)
    async with grown(stack) as growth, beside(stack, ledger):
        # In threads, so that who measures the latency of others does nothing else.
        parts = [asyncio.to_thread(flood, address, each, count // ATTACKERS) for _ in range(ATTACKERS)]
        sent = sum(await asyncio.gather(*parts))
    verdict(
        f"headers sent, {each >> 10} KiB over each connection",
        sent / 2**20,
        at_least(0.95 * each * count / 2**20),
        "MiB",
    )
    verdict("growth of the worker", growth[0], at_most(64), "MiB")
    judge_others(ledger, alone_s, verdict)


async def test_connections_that_wait(stack: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    alone_s = await alone(stack)
    ends: dict[str, list[float]] = {"silent": [], "kept": [], "trickling": []}
    said: list[bytes] = []

    async def wait(kind: str, client: Client) -> None:
        began = time.monotonic()
        said.append(await client.closed())
        ends[kind].append(time.monotonic() - began)

    async def keep(client: Client) -> None:
        await client.send(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await client.answer()
        await wait("kept", client)

    async def trickle(client: Client) -> None:
        waiting = asyncio.create_task(wait("trickling", client))
        for byte in b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"f" * 1000:
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0.5)
            if waiting.done():
                break
        await waiting

    async with connections(stack, 600) as clients, beside(stack, ledger):
        parts = (
            every(clients[:200], lambda client: wait("silent", client)),
            every(clients[200:400], keep),
            every(clients[400:], trickle),
        )
        async with asyncio.timeout(90):
            await asyncio.gather(*parts)
    answers = [text for text in said if text]
    verdict("closed connections of 600", sum(map(len, ends.values())), exactly(600), "")
    verdict("silent ones closed after", max(ends["silent"]), at_most(HEADER_S + 2), "s")
    verdict("kept ones without a request closed after", max(ends["kept"]), at_most(IDLE_S + 2), "s")
    verdict("trickling headers ended after", max(ends["trickling"]), at_most(HEADER_S + 2), "s")
    verdict("of 200 trickling ones, told 408", sum(text.startswith(b"HTTP/1.1 408") for text in answers), exactly(200))
    judge_others(ledger, alone_s, verdict)


@pytest.mark.parametrize("length", [1000, 4 << 20], ids=["of_1_kB", "of_4_MiB"])
async def test_bodies_of_a_byte_a_second(stack: ChaosStack, length: int, ledger: Ledger, verdict: GiveVerdict) -> None:
    alone_s = await alone(stack)
    slow, ended = Ledger(), list[float]()

    async def send(client: Client) -> None:
        began = time.monotonic()
        await client.send(post(b"{", SLOW, length=length))
        answering = asyncio.create_task(client.answer())
        while not (await asyncio.wait([answering], timeout=1.0))[0]:
            client.writer.write(b" ")
        status, headers, body = await answering
        ended.append(time.monotonic() - began)
        slow.note_answer(200 if status == 408 else status, ended[-1], headers.get("retry-after"), str(body))

    async with grown(stack) as growth, connections(stack, BODIES) as clients, beside(stack, ledger):
        async with asyncio.timeout(90):
            faults = [fault for fault in await every(clients, send) if fault is not None]
    verdict(f"bodies of {BODIES} without an answer", len(faults), exactly(0), "")
    verdict("answers but 408 and 503, or without Retry-After", len(slow.strange + slow.without_retry_after), exactly(0))
    if length * BODIES > 1 << 30:  # more than the bodies that are read may take
        verdict("refused at their headers: no room", slow.statuses[503], at_least(BODIES / 3), "")
        verdict("the slowest refusal", slow.quantile(1.0, 503), at_most(5), "s")
    else:
        verdict("ended as too slow, 408", slow.statuses[200], exactly(BODIES), "")
    verdict("the last one ended after", max(ended), at_most(GRACE_S + length / 2**20 + 4), "s")
    verdict("growth of the worker", growth[0], at_most(64), "MiB")
    judge_others(ledger, alone_s, verdict)


async def test_more_connections_than_files(launch: Launch, ledger: Ledger, verdict: GiveVerdict) -> None:
    wrapper = ("prlimit", f"--nofile={FILES}:{FILES}")
    stack = await asyncio.to_thread(launch, "--body-grace-s", "60", *WITHOUT_TRITON, wrapper=wrapper)
    (worker,) = stack.workers()
    probes, refused = Ledger(), Ledger()

    async def occupy(client: Client) -> None:
        await client.send(post(b"{", length=1000))

    async with connections(stack, FILES + 200) as clients:
        await every(clients, occupy)
        await asyncio.sleep(2.0)
        files = len(os.listdir(f"/proc/{worker}/fd")) if Path(f"/proc/{worker}").exists() else float("nan")
        for turn in range(100):
            probe, work = Probe(stack.http, probes), HttpCaller(stack.http, refused)
            await probe.get("/livez")
            await ask_rule(work, turn)
            await probe.close()
            await work.close()
    assert [worker] == stack.workers(), "nobody died of it"
    async with load([HttpCaller(stack.http, ledger)], ask_rule, 0.01):
        await asyncio.sleep(2.0)
    verdict(f"open files, of {FILES}", files, at_most(FILES - 50), "")
    verdict("health checks of 100 that were answered", probes.statuses[200], exactly(100), "")
    verdict("health p95", probes.quantile(0.95) * 1e3, at_most(500), "ms")
    verdict("work of 100 that was refused with Retry-After", refused.statuses[503], exactly(100), "")
    verdict("rejected p99", refused.quantile(0.99, 503) * 1e3, at_most(50), "ms")
    verdict("refusals without Retry-After", len(refused.without_retry_after), exactly(0), "")
    verdict("afterwards, requests without rewards", ledger.answered - ledger.statuses[200], exactly(0), "")
