"""Named state in Redis or Valkey: keys, versions and scripts that all kinds share.

Each change increments a clock per kind and namespace and stores it as the name's version, in the same step as the
change itself, so that versions grow across resets and processes. All keys have the same hash tag, so that a script uses
one slot of a cluster.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import Any, Self, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from reward_gateway.counted import count_of
from reward_gateway.errors import StateUnavailable
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import make_pool

from .epoch import AWAY, ID, LOST, MARKER, WRITES, StoreEpoch, load_script
from .namespace import LEGACY, NO_NAMESPACE, TAG, Namespace
from .port import StoredName

TIMEOUT_S = 5.0

CONNECTIONS = 32
"""Maximum connections of a client, and so commands under way: further ones wait for their turn."""

SETTLED_LIMIT = 10_000
"""Maximum number of names that a process remembers to be without legacy state."""

WORDS = 4000
"""Maximum number of values in one command that a script runs, an even number; Lua's stack is limited."""

CONFIRM_MS = 1000
"""Time in which replicas have to confirm a change."""

UNCONFIRMED = (
    "a change of state was not confirmed by {} in time (REWARD_GATEWAY_STATE_REPLICAS), and may be lost if another "
    "server takes over: send the request again, with the same Idempotency-Key where it has one"
)

REFUSALS = ("LATE", "RESET")
"""How errors of ``guard.lua`` begin."""

Command = tuple[str | bytes | int, ...]
"""A command of Redis: its name, then its arguments."""

T = TypeVar("T")


def state_unavailable(error: Exception) -> StateUnavailable:
    """The error for a store that is unreachable or refuses a command; it contains no key and no value."""
    store = "the store of state (REWARD_GATEWAY_STATE_REDIS_URL)"
    if isinstance(error, OutOfMemoryError):
        return StateUnavailable(f"{store} is full: give it more memory, or reset what is not needed")
    if isinstance(error, ReadOnlyError):
        return StateUnavailable(f"{store} is a replica, which takes no changes: name the primary")
    if isinstance(error, (AuthenticationError, NoPermissionError)):
        return StateUnavailable(f"{store} refuses the user or the password of its address, or a command of that user")
    if isinstance(error, ResponseError) and str(error).startswith("NOREPLICAS"):
        return StateUnavailable(f"{store} has too few replicas to take changes (min-replicas-to-write); try again")
    if isinstance(error, ResponseError):
        return StateUnavailable(f"{store} refused: {str(error).split(' ', 1)[0]}")
    return StateUnavailable(AWAY)


def index_key(owner: str, kind: str) -> str:
    """Redis key of the versions of a kind's names.

    Args:
        owner: how the keys begin (:mod:`.namespace`).
    """
    return f"{owner}{kind}:index"


def clock_key(owner: str, kind: str) -> str:
    """Redis key of the counter of a kind's versions."""
    return f"{owner}{kind}:clock"


def settled_key(owner: str, kind: str) -> str:
    """Redis key of the names that were reset: their legacy state is no longer read."""
    return f"{owner}{kind}:settled"


def data_key(owner: str, kind: str, name: str, part: str = "data") -> str:
    """Redis key of a part of a name's value."""
    return f"{owner}{kind}:{part}:{name}"


def connect_client(address: RedisAddress | str, timeout_s: float) -> Redis:
    """A client for :class:`RedisScripts`, which limit the time of every answer.

    It has no time limit of its own but for connecting: the client keeps to that with ``asyncio.wait_for``, which in
    Python 3.11 loses the cancellation of a request whose command has just been sent, and the request then stays in its
    cohort. One attempt per command: a change whose answer was lost must not be sent again.

    A pool that does not wait refuses the command for which it has no connection, as if the store were away: a request
    of 100 prompts that join their cohorts is more than the client's own bound.
    """
    pool = make_pool(
        BlockingConnectionPool,
        address,
        TAG,
        max_connections=CONNECTIONS,
        timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


class RedisScripts:
    """A client with time limits, and the scripts in ``lua/``.

    Args:
        client: a client that answers bytes (``decode_responses=False``); its owner closes it.
        timeout_s: longest wait for an answer.
        epoch: what is remembered of the store; None: nothing yet.

    Every call raises :class:`StateUnavailable` if the store cannot be reached, refuses, or has lost its state. A script
    whose answer did not arrive in time has changed nothing, or did so within that time.
    """

    def __init__(self, client: Redis, timeout_s: float = TIMEOUT_S, epoch: StoreEpoch | None = None) -> None:
        # Typed as Any: redis-py's types mix text and bytes, and this client returns bytes.
        self._client: Any = client
        self._timeout_s = timeout_s
        self._epoch = epoch or StoreEpoch()
        self._scripts: dict[str, AsyncScript] = {}

    @asynccontextmanager
    async def _limit_time(self) -> AsyncIterator[float]:
        """The time limit, and the errors of the client as ours; gives the time at which it ends."""
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                yield limit.when() or 0.0
        except (RedisError, OSError) as error:
            raise state_unavailable(error) from error

    async def run_script(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script between ``guard.lua`` and ``count.lua``."""
        async with self._limit_time() as give_up_at:
            if name not in self._scripts:
                text = load_script("guard") + load_script(name) + load_script("count")
                self._scripts[name] = self._client.register_script(text)
            while True:
                expected = await self._epoch.enter(self._client)
                dated = [*arguments, expected.id, expected.writes, *self._epoch.date(give_up_at)]
                try:
                    writes, answer = await self._call_script(name, [*keys, MARKER], dated)
                    self._epoch.note_writes(expected, writes, confirmed=True)
                    return answer
                except ResponseError as error:
                    if str(error).partition(" ")[0] not in REFUSALS:
                        raise
                await self._epoch.refresh(self._client)  # nothing has changed: try again with what holds now

    async def _call_script(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script and, where replicas have to confirm changes, wait for them on the same connection."""
        script = self._scripts[name]
        if not self._epoch.replicas:
            return await script(keys=keys, args=arguments)
        command: tuple[Any, ...] = ("EVALSHA", script.sha)
        while True:
            async with self._client.pipeline(transaction=False) as pipeline:
                pipeline.execute_command(*command, len(keys), *keys, *arguments)
                pipeline.execute_command("WAIT", self._epoch.replicas, CONFIRM_MS)
                answer, confirmed = await pipeline.execute(raise_on_error=False)
            if isinstance(answer, NoScriptError):
                command = ("EVAL", script.script)  # a server that was started anew, or has taken over
                continue
            if isinstance(answer, Exception):
                raise answer
            if isinstance(confirmed, Exception) or confirmed < self._epoch.replicas:
                raise StateUnavailable(UNCONFIRMED.format(count_of(self._epoch.replicas, "replica")))
            return answer

    async def read_commands(self, *commands: Command) -> list[Any]:
        """The answers to commands that only read, of a store that had its state until after the last of them."""
        async with self._limit_time():
            while True:
                expected = await self._epoch.enter(self._client)
                async with self._client.pipeline(transaction=False) as pipeline:
                    for command in commands:
                        pipeline.execute_command(*command)
                    pipeline.hmget(MARKER, ID, WRITES)
                    answers: list[Any] = await pipeline.execute()
                epoch, writes = answers.pop()
                if (epoch or b"").decode() == expected.id and int(writes or 0) >= expected.writes:
                    self._epoch.note_writes(expected, int(writes or 0))
                    return answers
                await self._epoch.refresh(self._client)


class RedisMarker(RedisScripts):
    """The marker of the store itself, for those who watch over it."""

    @property
    def known_fault(self) -> str:
        """Why the store could not be used when it was last asked, as a sentence; empty if it could."""
        return AWAY if self._epoch.is_away else LOST if self._epoch.is_lost else ""

    def mark_away(self) -> None:
        """The store cannot be reached, until it next answers."""
        self._epoch.is_away = True

    async def is_lost(self) -> bool:
        """Compare the marker with what is remembered, now."""
        async with self._limit_time():
            await self._epoch.refresh(self._client)
        return self._epoch.is_lost

    async def accept_reset(self) -> bool:
        """Begin a new epoch; False if the store has not lost its state."""
        async with self._limit_time():
            return await self._epoch.accept_reset(self._client)


class RedisVersionedStore(RedisScripts):
    """Base of the stores of named values in Redis."""

    kind = ""

    def __init__(
        self,
        client: Redis,
        timeout_s: float = TIMEOUT_S,
        epoch: StoreEpoch | None = None,
        space: Namespace = NO_NAMESPACE,
    ) -> None:
        super().__init__(client, timeout_s, epoch)
        self._space = space
        self._settled: dict[str, None] = {}  # index key and name of names that no longer have legacy state

    def within(self, space: Namespace) -> Self:
        """The store as a namespace sees it; client and scripts are shared."""
        view = copy(self)
        view._space = space
        return view

    def make_key(self, name: str, part: str = "data", *, legacy: bool = False) -> str:
        """Redis key of a part of a name's value."""
        owner = LEGACY if legacy else self._space.find_keys(self.kind, name)
        return data_key(owner, self.kind, name, part)

    def list_keys(self, name: str, *, legacy: bool = False) -> list[str]:
        """All keys of a name's value."""
        return [self.make_key(name, legacy=legacy)]

    def list_kept_keys(self, name: str, *, legacy: bool = False) -> list[str]:
        """All keys of a name, those included that survive a reset."""
        return self.list_keys(name, legacy=legacy)

    def list_version_keys(self, name: str) -> list[str]:
        """The keys of a name's version: index and clock."""
        owner = self._space.find_keys(self.kind, name)
        return [index_key(owner, self.kind), clock_key(owner, self.kind)]

    async def adopt_legacy(self, name: str) -> bool:
        """Copy a name's legacy state to the namespace that is about to write it; False if there is none to copy."""
        if self._is_settled(name):
            return False
        adopted = False
        if await self._reads_legacy(name):
            pairs = zip(self.list_kept_keys(name, legacy=True), self.list_kept_keys(name), strict=True)
            keys = [*self.list_version_keys(name), *(key for pair in pairs for key in pair)]
            adopted = bool(await self.run_script("adopt_legacy", keys, [name]))
        self._mark_settled(name)
        return adopted

    async def _read_stored(self, name: str, fetch: Callable[[bool], Awaitable[T | None]]) -> T | None:
        """A value of the namespace, or the legacy one if the namespace has never written the name.

        Args:
            fetch: reads the value, and returns None if there is none; its argument is True for the legacy value.
        """
        value = await fetch(False)
        if value is None and not self._is_settled(name) and await self._reads_legacy(name):
            value = await fetch(True)
        return value

    async def _reads_legacy(self, name: str) -> bool:
        """True if a name has legacy state, which the namespace has not replaced."""
        owner = self._space.find_keys(self.kind, name)
        exists, written, settled = await self.read_commands(
            ("HEXISTS", index_key(LEGACY, self.kind), name),
            ("HEXISTS", index_key(owner, self.kind), name),
            ("SISMEMBER", settled_key(owner, self.kind), name),
        )
        if not exists or written or settled:
            self._mark_settled(name)
            return False
        return True

    def _is_settled(self, name: str) -> bool:
        return self.make_key(name) in self._settled

    def _mark_settled(self, name: str) -> None:
        if len(self._settled) >= SETTLED_LIMIT:
            self._settled.clear()
        self._settled[self.make_key(name)] = None

    async def _replace_value(self, name: str, command: str = "", key: str = "", values: Sequence[Any] = ()) -> None:
        """Delete a name's value, write the new one, and assign the next version, in one step.

        Args:
            command: writes some values under the key; empty: the new value is empty.
            values: what follows the key; pairs stay together.
        """
        await self.adopt_legacy(name)
        words: list[Any] = []
        for start in range(0, len(values), WORDS):
            part = values[start : start + WORDS]
            words += [len(part) + 2, command, key, *part]
        await self.run_script("replace_value", [*self.list_version_keys(name), *self.list_keys(name)], [name, *words])

    async def list_versions(self) -> dict[str, StoredName]:
        owners = [LEGACY, self._space.tenant_keys, self._space.run_keys]
        commands: list[Command] = []
        for owner in owners:
            commands += [("HGETALL", index_key(owner, self.kind)), ("SMEMBERS", settled_key(owner, self.kind))]
        answers = await self.read_commands(*commands)
        legacy, _, tenant, tenant_settled, run, run_settled = answers
        hidden = tenant_settled | run_settled
        names = {name: StoredName(int(version), "legacy") for name, version in legacy.items() if name not in hidden}
        names |= {name: StoredName(int(version), "tenant") for name, version in tenant.items()}
        names |= {name: StoredName(int(version), "run") for name, version in run.items()}
        return {name.decode(): stored for name, stored in names.items()}

    async def reset(self, name: str) -> bool:
        (index, _), owner = self.list_version_keys(name), self._space.find_keys(self.kind, name)
        await self.adopt_legacy(name)
        (has_legacy,) = await self.read_commands(("HEXISTS", index_key(LEGACY, self.kind), name))
        keys = [index, settled_key(owner, self.kind), *self.list_keys(name)]
        return bool(await self.run_script("reset_name", keys, [name, int(has_legacy)]))

    async def move_legacy(self, *, discard: bool) -> dict[str, bool]:
        index = index_key(LEGACY, self.kind)
        (names,) = await self.read_commands(("HKEYS", index))
        moved = {}
        for name in sorted(name.decode() for name in names):
            moved[name] = await self.adopt_legacy(name)
            if moved[name] or discard:
                keys = [index, settled_key(LEGACY, self.kind), *self.list_kept_keys(name, legacy=True)]
                await self.run_script("reset_name", keys, [name, 0])
        return moved
