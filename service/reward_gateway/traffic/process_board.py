"""What the gateway processes tell of themselves, for people who look after them: who is alive, and how they are.

Each process of a pod or machine writes a few numbers and names into Redis every few seconds, and what it refused
lately. Without Redis there is this process alone.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from reward_gateway import __version__
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect
from reward_gateway.tasks import end_task, repeat

from .admission import Admission
from .drain import Drain
from .refusals import MOST, Refusal, Refusals

log = structlog.get_logger(__name__)

TAG = "board"
PROCESSES, REFUSALS = f"reward_gateway:{{{TAG}}}:processes", f"reward_gateway:{{{TAG}}}:refusals"
EVERY_S = 5.0
LIFETIME_S = 20.0
"""A process that has told nothing for this long is no longer alive."""

REFUSALS_TTL_S = 86_400
LOOKS_EVERY_S = 15.0
"""Seconds between two looks at what the process can answer."""

TIMEOUT_S = 2.0
AWAY = (RedisError, OSError)
"""Exceptions raised when Redis is unavailable."""


class Health(msgspec.Struct, array_like=True):
    """What a process can answer.

    Attributes:
        missing: recipes that lack what was set up, and does not answer now.
        devices: where its models are, by the name of the model.
    """

    ready: bool = True
    missing: list[str] = []
    devices: dict[str, str] = {}


class Process(msgspec.Struct, array_like=True):
    """A process as it was when it told of itself; ``pod`` is the name of its host, and ``started`` since 1970."""

    pod: str
    pid: int
    started: float
    version: str
    in_flight: int
    queued: int
    draining: bool
    health: Health


class _Told(msgspec.Struct, array_like=True):
    at: float
    process: Process


_encode = msgspec.msgpack.Encoder().encode
_decode_told = msgspec.msgpack.Decoder(_Told).decode
_decode_refusal = msgspec.msgpack.Decoder(Refusal).decode


@dataclass(slots=True)
class ProcessBoard:
    """The processes that are alive, and what they refused lately.

    Args:
        url: ``redis://`` address of the state store; None: there is none.

    Attributes:
        look: what this process can answer, asked now and then; None: nobody can say.
    """

    admission: Admission
    drain: Drain
    refusals: Refusals
    address: RedisAddress | str | None
    look: Callable[[], Awaitable[Health]] | None = field(default=None, init=False)
    _pod: str = field(default_factory=socket.gethostname, init=False)
    _started: float = field(default_factory=time.time, init=False)
    _name: str = field(default_factory=lambda: os.urandom(12).hex(), init=False)
    _health: Health = field(default_factory=Health, init=False)
    _looked_at: float | None = field(default=None, init=False)
    _client: Redis | None = field(default=None, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.address:
            self._client = connect(self.address, TAG, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S)

    @property
    def shared(self) -> bool:
        """Whether other processes are seen."""
        return self._client is not None

    def start(self) -> None:
        """Start telling in the background."""
        if self._task is None and self._client is not None:
            self._task = asyncio.create_task(repeat(self._tell_if_reachable, EVERY_S, "processes"), name="processes")

    async def close(self) -> None:
        """Stop, and be no longer among those that are alive."""
        await end_task(self._task)
        if self._client is not None:
            if self._task is not None:
                with contextlib.suppress(*AWAY):
                    await self._client.hdel(PROCESSES, self._name)
            await self._client.aclose()

    async def describe_own(self) -> Process:
        """This process now."""
        now = asyncio.get_running_loop().time()
        if self.look is not None and (self._looked_at is None or now - self._looked_at >= LOOKS_EVERY_S):
            self._looked_at = now
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    self._health = await self.look()
            except Exception as error:  # what it could answer before stands
                log.warning("health_not_told", error=type(error).__name__, once_per="health")
        admission = self.admission
        return Process(
            self._pod,
            os.getpid(),
            self._started,
            __version__,
            admission.in_flight,
            admission.queued,
            self.drain.leaving,
            self._health,
        )

    async def tell(self) -> None:
        """Write what this process is like, and what it refused. Raises RedisError or OSError."""
        if self._client is None:
            return
        own, waiting = await self.describe_own(), list(self.refusals.waiting)
        now = await self._read_time()
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hset(PROCESSES, self._name, _encode(_Told(now, own)))
        pipeline.expire(PROCESSES, 3600)
        if waiting:
            pipeline.lpush(REFUSALS, *map(_encode, waiting))
            pipeline.ltrim(REFUSALS, 0, MOST - 1)
            pipeline.expire(REFUSALS, REFUSALS_TTL_S)
        await pipeline.execute()
        for _ in waiting:
            if self.refusals.waiting:
                self.refusals.waiting.popleft()

    async def read_processes(self) -> list[Process]:
        """Those that are alive, by pod and by the time of their start. Raises RedisError or OSError."""
        if self._client is None:
            return [await self.describe_own()]
        await self.tell()
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hgetall(PROCESSES)
        pipeline.time()
        held, (seconds, _) = await pipeline.execute()
        told = {name: _decode_told(value) for name, value in held.items()}
        silent = [name for name, found in told.items() if seconds - found.at > LIFETIME_S]
        if silent:
            await self._client.hdel(PROCESSES, *silent)
        alive = [found.process for name, found in told.items() if name not in silent]
        return sorted(alive, key=lambda process: (process.pod, process.started, process.pid))

    async def read_refusals(self) -> list[Refusal]:
        """The latest, the newest first. Raises RedisError or OSError."""
        if self._client is None:
            return list(reversed(self.refusals.latest))
        pipeline = self._client.pipeline(transaction=False)
        pipeline.lrange(REFUSALS, 0, MOST - 1)
        (held,) = await pipeline.execute()
        found = [_decode_refusal(value) for value in held] + list(self.refusals.waiting)
        return sorted(found, key=lambda refusal: refusal.at, reverse=True)[:MOST]

    async def _read_time(self) -> float:
        assert self._client is not None, "asked where there is a store alone"
        seconds, _ = await self._client.time()
        return float(seconds)

    async def _tell_if_reachable(self) -> None:
        with contextlib.suppress(*AWAY):
            await self.tell()
