"""Callers that know the right score of every text that they send, and a ledger of what they were answered."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import grpc
from reward_gateway.proto import reward_pb2
from reward_gateway.proto.reward_pb2_grpc import RewardServiceStub

EXPECTED: Mapping[str, Callable[[str], float]] = {
    "rule": lambda response: -float(len(response.split())),
    "model": lambda response: float(len(response.encode())),
    "elsewhere": lambda response: -float(len(response.split())),  # `rule` of another gateway, in tests/fleet
}
"""The right reward of a response, by recipe; see ``tests.chaos.stacks.RECIPES``."""

ALLOWED = frozenset({200, 429, 503, 504})
"""Statuses that a well-formed request may be answered with, whatever is broken."""

REJECTED = frozenset({429, 503})
"""Statuses that say when to come again."""

UNAVAILABLE, DEADLINE_EXCEEDED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED

HTTP_STATUS = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    UNAVAILABLE: 503,
    DEADLINE_EXCEEDED: 504,
}
"""The HTTP twin of a gRPC status, for those that a well-formed request may get."""

CACHE_MODES = {mode: f"CACHE_{mode.upper()}" for mode in ("use", "refresh", "off")}
"""The gRPC names of what HTTP calls so."""


@dataclass
class Ledger:
    """What was answered.

    Attributes:
        statuses: answers by HTTP status; gRPC statuses count as their twins.
        seconds: latencies by status.
        wrong: what was wrong with scores.
        strange: statuses that a well-formed request must not get.
        without_retry_after: rejections that do not say when to come again.
        unanswered: requests whose connection was refused or broken.
        refused: of those over HTTP, requests whose connection was refused.
        lost_seconds: how long each of those over HTTP took.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    without_retry_after: list[str] = field(default_factory=list)
    unanswered: int = 0
    refused: int = 0
    lost_seconds: list[float] = field(default_factory=list)

    @property
    def broken(self) -> int:
        """Requests over HTTP whose connection was opened and ended without an answer."""
        return len(self.lost_seconds) - self.refused

    @property
    def answered(self) -> int:
        return sum(self.statuses.values())

    def quantile(self, q: float, *statuses: int) -> float:
        """Latency in seconds at quantile ``q`` of the answers with these statuses; NaN without any."""
        ordered = sorted(second for status in statuses or self.seconds for second in self.seconds.get(status, ()))
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")

    def note_answer(self, status: int, seconds: float, retry_after: str | None, text: str) -> None:
        """Note the status of an answer."""
        self.statuses[status] += 1
        self.seconds.setdefault(status, []).append(seconds)
        if status not in ALLOWED:
            self.strange.append(f"{status}: {text[:300]}")
        if status in REJECTED and not (retry_after or "").isdigit():
            self.without_retry_after.append(f"{status}: {text[:300]}")

    def note_rewards(self, expected: Sequence[float], rewards: Sequence[float | None]) -> None:
        """Compare rewards with the right ones; None, for a sample without a score, is never wrong."""
        if len(rewards) != len(expected):
            self.wrong.append(f"{len(rewards)} rewards for {len(expected)} samples")
        for right, reward in zip(expected, rewards, strict=False):
            if reward is not None and abs(reward - right) > 1e-5 * max(1.0, abs(right)):
                self.wrong.append(f"{reward} is not {right}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers (lower case) and a body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Caller(Protocol):
    """Sends requests whose right rewards it knows, one at a time."""

    async def score(self, reward: str, responses: Sequence[str], **options: Any) -> list[float | None] | None:
        """The rewards, checked; None for an answer without rewards, or none at all."""

    async def connect(self) -> object:
        """Open the connection, unless it is open."""

    async def close(self) -> None: ...


class HttpCaller:
    """A caller over one kept-alive HTTP connection, with next to no work of its own.

    Args:
        base: address of the gateway.
        ledger: where answers are noted.
        headers: sent with every request.
        patience_s: after which the caller breaks the connection.
    """

    def __init__(
        self, base: str, ledger: Ledger, headers: Mapping[str, str] | None = None, patience_s: float = 60.0
    ) -> None:
        self.base = base
        self._parts = urlsplit(base)
        self._ledger = ledger
        self._headers = dict(headers or {})
        self._patience_s = patience_s
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def score(
        self, reward: str, responses: Sequence[str], headers: Mapping[str, str] | None = None, **options: Any
    ) -> list[float | None] | None:
        samples = [{"prompt": "p", "response": response} for response in responses]
        body = {"reward": reward, "samples": samples, "options": {"explain": False, **options}}
        answer = await self.post("/v1/score", body, headers)
        if answer is None or answer.status != 200:
            return None
        rewards = [result["reward"] for result in answer.json()["results"]]
        self._ledger.note_rewards([EXPECTED[reward](response) for response in responses], rewards)
        return rewards

    async def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answer | None:
        """Send JSON and note the answer; None if the connection was refused or broken.

        Args:
            body: None sends no body.
        """
        began = time.monotonic()
        content = b"" if body is None else json.dumps(body).encode()
        try:
            answer = await asyncio.wait_for(
                self._exchange(f"{method} {path}", content, headers or {}), self._patience_s
            )
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self._ledger.unanswered += 1
            self._ledger.refused += isinstance(error, ConnectionRefusedError)
            self._ledger.lost_seconds.append(time.monotonic() - began)
            await self.close()
            return None
        except asyncio.CancelledError:
            await self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            await self.close()
        text = answer.body.decode(errors="replace")
        self._ledger.note_answer(answer.status, time.monotonic() - began, answer.headers.get("retry-after"), text)
        return answer

    async def _exchange(self, method_and_path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        reader, writer = await self.connect()
        head = {"Host": self._parts.netloc, "Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"{method_and_path} HTTP/1.1", *(f"{k}: {v}" for k, v in {**head, **self._headers, **headers}.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
        return Answer(int(first.split()[1]), fields, await reader.readexactly(int(fields["content-length"])))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open the connection, unless it is open."""
        if self._connection is None:
            self._connection = await asyncio.open_connection(self._parts.hostname, self._parts.port, limit=1 << 26)
        return self._connection

    async def close(self) -> None:
        if self._connection is not None:
            self._connection[1].transport.abort()
            self._connection = None


class GrpcCaller:
    """A caller over a gRPC channel; arguments as for :class:`HttpCaller`."""

    def __init__(
        self, address: str, ledger: Ledger, metadata: Mapping[str, str] | None = None, patience_s: float = 60.0
    ) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self._stub = RewardServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._ledger = ledger
        self._metadata = tuple((metadata or {}).items())
        self._patience_s = patience_s

    async def score(self, reward: str, responses: Sequence[str], **options: Any) -> list[float | None] | None:
        asked = reward_pb2.ScoreRequest(
            reward=reward,
            samples=[reward_pb2.Sample(prompt="p", response=response) for response in responses],
            options=reward_pb2.Options(**{name: CACHE_MODES.get(value, value) for name, value in options.items()}),
        )
        began = time.monotonic()
        try:  # after a connection was broken: wait for the next one, as a client does that is not in a hurry
            answer = await self._stub.Score(
                asked, timeout=self._patience_s, metadata=self._metadata, wait_for_ready=True
            )
        except grpc.aio.AioRpcError as error:
            metadata: Any = error.trailing_metadata()
            trailing = {key: str(value) for key, value in metadata or ()}
            if "error-code" not in trailing and error.code() in (UNAVAILABLE, DEADLINE_EXCEEDED):
                self._ledger.unanswered += 1  # the channel's own: the connection broke, or patience ended
                return None
            status = HTTP_STATUS.get(error.code(), 500)
            text = f"{error.code()}: {error.details()}"
            self._ledger.note_answer(status, time.monotonic() - began, trailing.get("retry-after"), text)
            return None
        self._ledger.note_answer(200, time.monotonic() - began, None, "")
        rewards = [result.reward if result.valid else None for result in answer.results]
        self._ledger.note_rewards([EXPECTED[reward](response) for response in responses], rewards)
        return rewards

    async def connect(self) -> None:
        """Open the connection, unless it is open."""
        await self._channel.channel_ready()

    async def close(self) -> None:
        await self._channel.close(None)


def make_responses(turn: int, count: int = 1) -> list[str]:
    """Texts of one to nine words, different for every turn and place."""
    return [" ".join(f"word{turn}.{k}" for _ in range(1 + (turn + k) % 9)) for k in range(count)]


@contextlib.asynccontextmanager
async def load(callers: Sequence[Caller], ask: Callable[[Caller, int], Awaitable[object]], pause_s: float = 0.0) -> Any:
    """Every caller asks again and again, as soon as it is answered (and has paused), until the block ends.

    Args:
        ask: sends one request; its number is different for every request.
    """
    ends = asyncio.Event()
    turns = iter(range(1 << 60))

    async def work(caller: Caller) -> None:
        while not ends.is_set():
            await ask(caller, next(turns))
            await asyncio.sleep(pause_s)

    tasks = [asyncio.create_task(work(caller)) for caller in callers]
    try:
        yield
    finally:
        ends.set()
        await asyncio.gather(*tasks)
        for caller in callers:
            await caller.close()


async def send_at_rate(
    callers: Sequence[Caller], ask: Callable[[Caller, int], Awaitable[object]], rate: float, seconds: float
) -> None:
    """Send requests at a constant rate for some seconds, whether or not earlier ones are answered.

    A request uses a caller that waits for no answer; while there is none, requests are left out.
    """
    idle = list(callers)
    tasks: set[asyncio.Task[None]] = set()

    async def one(caller: Caller, turn: int) -> None:
        await ask(caller, turn)
        idle.append(caller)

    started = time.monotonic()
    for turn in range(round(rate * seconds)):
        if (wait := started + turn / rate - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        if idle:
            task = asyncio.create_task(one(idle.pop(), turn))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
