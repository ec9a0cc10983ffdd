"""The epoch of a store: a store that came back without its state is noticed, and late writes change nothing.

The store holds a marker with the id of its epoch, written at first use, and the number of writes since. Every process
remembers both. A store whose marker is missing or another has lost its state: it was flushed, it started without its
file, or an empty replica took over. One that has counted fewer writes than a process has seen has lost the last of it:
a replica that lagged behind took over, or an older snapshot was restored. From then on every operation raises
StateUnavailable, in every process, until an operator accepts the loss, which begins a new epoch, or until the store is
back with its state. Requests that may go on with what is there say so (:func:`allow_restart`).

Every script carries the id, the number, and the span of the store's clock in which its sender waits for the answer; see
``lua/guard.lua``.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import structlog

from reward_gateway.errors import StateUnavailable

from .namespace import LEGACY

log = structlog.get_logger(__name__)

MARKER = f"{LEGACY}epoch"
"""Redis key of the marker."""

ID, WRITES = "id", "writes"
"""The fields of the marker: the id of the epoch, absent while the state is lost, and how many writes were counted."""

CLOCK_S = 10.0
"""Seconds after which the store's clock is read again before a script is dated."""

MARGIN_S = 0.1
"""Seconds by which the store's clock may run behind what was computed of it."""

RETRY_AFTER_S = 10.0
"""Seconds after which clients of a store that has lost its state may try again: a person has to act."""

LOST = (
    "the store of state (REWARD_GATEWAY_STATE_REDIS_URL) has lost what it held: bring it back, or begin anew with "
    "`reward-gateway state accept-reset`"
)


AWAY = "the store of state (REWARD_GATEWAY_STATE_REDIS_URL) cannot be reached; try again"


@cache
def load_script(name: str) -> str:
    """The text of a script in ``lua/``."""
    return files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


@dataclass(slots=True)
class Restart:
    """Allows a request to use a store that has lost its state.

    Attributes:
        happened: it has used one.
    """

    happened: bool = False


_restart: ContextVar[Restart | None] = ContextVar("state_restart", default=None)


@contextlib.contextmanager
def allow_restart() -> Iterator[Restart]:
    """Use a store that has lost its state as it is, in this task and those that it starts."""
    token = _restart.set(restart := Restart())
    try:
        yield restart
    finally:
        _restart.reset(token)


def may_restart() -> bool:
    """Whether this task may use a store that has lost its state."""
    return _restart.get() is not None


@dataclass(frozen=True, slots=True)
class Expected:
    """What the marker has to say.

    Attributes:
        id: of the epoch; empty: there must be none, since the request uses a store that has lost its state.
        writes: how many must have been counted at least.
    """

    id: str
    writes: int


class StoreEpoch:
    """What this process remembers of the store.

    Args:
        memory: file in which that outlives the process; None: it does not.
        replicas: how many replicas must confirm each change before it counts as made.

    Attributes:
        is_lost: the store has lost its state, as far as is known.
        is_away: the store could not be reached when it was last looked for.
    """

    def __init__(self, memory: Path | None = None, replicas: int = 0) -> None:
        self._memory = memory
        self.replicas = replicas
        self._id, self._writes = "", 0
        if memory is not None and memory.exists():
            self._id, _, writes = memory.read_text(encoding="ascii").strip().partition(" ")
            self._writes = int(writes or 0)
        self._kept = Expected(self._id, self._writes)
        self._clock: tuple[int, float] | None = None  # the store's in µs, and when it had been read
        self.is_lost = self.is_away = False

    async def enter(self, client: Any) -> Expected:
        """What the marker has to say, as far as this process knows.

        Args:
            client: a Redis client.

        Raises:
            StateUnavailable: the store has lost its state.
            RedisError, OSError: the store cannot be reached.
        """
        now = asyncio.get_running_loop().time()
        if self._clock is None or self.is_lost or not 0 <= now - self._clock[1] < CLOCK_S:
            await self.refresh(client)
        if not self.is_lost:
            return Expected(self._id, self._writes)
        restart = _restart.get()
        if restart is None:
            raise StateUnavailable(LOST, retry_after_s=RETRY_AFTER_S)
        restart.happened = True
        return Expected("", 0)

    def note_writes(self, expected: Expected, writes: int, *, confirmed: bool = False) -> None:
        """The store has counted so many writes, in the epoch that was expected.

        Args:
            confirmed: as many replicas as have to have them. Without those that were not confirmed, which were answered
                to nobody, a replica that takes over has lost nothing.
        """
        if self.replicas and not confirmed:
            return
        if expected.id and expected.id == self._id:
            self._writes = max(self._writes, writes)

    async def refresh(self, client: Any) -> None:
        """Compare the marker with what is remembered, and read the store's clock. Raises RedisError or OSError."""
        remembered = self._id, self._writes
        answer = await client.eval(load_script("enter_epoch"), 1, MARKER, *remembered, secrets.token_hex(8))
        self._clock = int(answer[2]), asyncio.get_running_loop().time()
        self.is_away = False
        current = answer[0].decode()
        if not current and not self.is_lost:
            log.error("state_lost", reason=LOST)
        self.is_lost = not current
        if current and current != self._id:
            self._id, self._writes = current, 0
        if current:
            self.note_writes(Expected(current, 0), int(answer[1]))
        self._remember()

    async def accept_reset(self, client: Any) -> bool:
        """Begin a new epoch; False if the store has not lost its state. Raises RedisError or OSError."""
        await self.refresh(client)  # so that the new epoch replaces what this process remembers
        accepted = bool(await client.eval(load_script("accept_reset"), 1, MARKER, secrets.token_hex(8)))
        await self.refresh(client)
        if accepted:
            log.warning("state_reset_accepted")
        return accepted

    def date(self, give_up_at: float) -> tuple[int, int]:
        """The span of the store's clock, in µs, from now until a time of the running loop's clock.

        What the store does after that time is outside of the span: its clock has moved on since it was read at least as
        far as ours.
        """
        assert self._clock is not None, "the store was not entered"
        store_us, read_at = self._clock
        now = asyncio.get_running_loop().time()
        return store_us + round((now - read_at - MARGIN_S) * 1e6), store_us + round((give_up_at - read_at) * 1e6)

    def _remember(self) -> None:
        known = Expected(self._id, self._writes)
        if self._memory is None or known == self._kept:
            return
        written = self._memory.with_name(f"{self._memory.name}.{os.getpid()}")
        try:
            written.write_text(f"{self._id} {self._writes}\n", encoding="ascii")
            written.replace(self._memory)
            self._kept = known
        except OSError as error:
            log.warning("state_epoch_not_kept", reason=type(error).__name__)
