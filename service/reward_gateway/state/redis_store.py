"""Named state in Redis or Valkey: keys, versions and scripts that all kinds share.

Each change increments a clock per kind and namespace and stores it as the name's version, in the same step as the
change itself, so that versions grow across resets and processes. All keys of a tenant have the same hash tag, so that a
script uses one slot of a cluster.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from copy import copy
from functools import cache
from importlib.resources import files
from typing import Any, Self, TypeVar

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from reward_gateway.errors import StateUnavailable

from .namespace import LEGACY, NO_NAMESPACE, Namespace
from .port import StoredName

TIMEOUT_S = 5.0

SETTLED_LIMIT = 10_000
"""Maximum number of names that a process remembers to be without legacy state."""

T = TypeVar("T")


@cache
def load_script(name: str) -> str:
    """The text of a script in ``lua/``."""
    return files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


def state_unavailable(error: Exception) -> StateUnavailable:
    """The error for a store that is unreachable or refuses a command; it contains no key and no value."""
    store = "the store of state (REWARD_GATEWAY_STATE_REDIS_URL)"
    if isinstance(error, OutOfMemoryError):
        return StateUnavailable(f"{store} is full: give it more memory, or reset what is not needed")
    if isinstance(error, ResponseError):
        return StateUnavailable(f"{store} refused: {str(error).split(' ', 1)[0]}")
    return StateUnavailable(f"{store} cannot be reached; try again")


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


class RedisScripts:
    """A client with time limits, and the scripts in ``lua/``.

    Args:
        client: a client that answers bytes (``decode_responses=False``); its owner closes it.
        timeout_s: longest wait for an answer.

    Every call raises :class:`StateUnavailable` if the store cannot be reached or refuses.
    """

    def __init__(self, client: Redis, timeout_s: float = TIMEOUT_S) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._scripts: dict[str, AsyncScript] = {}

    @asynccontextmanager
    async def _use_client(self) -> AsyncIterator[Any]:
        """The client within the time limit. Typed as Any: redis-py's types mix text and bytes, and this client returns
        bytes.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                yield self._client
        except (RedisError, OSError) as error:
            raise state_unavailable(error) from error

    async def _run_script(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script."""
        async with self._use_client() as client:
            if name not in self._scripts:
                self._scripts[name] = client.register_script(load_script(name))
            return await self._scripts[name](keys=list(keys), args=list(arguments))


class RedisVersionedStore(RedisScripts):
    """Base of the stores of named values in Redis."""

    kind = ""

    def __init__(self, client: Redis, timeout_s: float = TIMEOUT_S, space: Namespace = NO_NAMESPACE) -> None:
        super().__init__(client, timeout_s)
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
        async with self._use_client() as client:
            if await self._reads_legacy(client, name):
                pairs = zip(self.list_kept_keys(name, legacy=True), self.list_kept_keys(name), strict=True)
                keys = [*self.list_version_keys(name), *(key for pair in pairs for key in pair)]
                adopted = bool(await self._run_script("adopt_legacy", keys, [name]))
        self._mark_settled(name)
        return adopted

    async def _read_stored(self, name: str, fetch: Callable[[Any, bool], Awaitable[T | None]]) -> T | None:
        """A value of the namespace, or the legacy one if the namespace has never written the name.

        Args:
            fetch: reads the value through the client, and returns None if there is none; its second argument is True
                for the legacy value.
        """
        async with self._use_client() as client:
            value = await fetch(client, False)
            if value is None and not self._is_settled(name) and await self._reads_legacy(client, name):
                value = await fetch(client, True)
        return value

    async def _reads_legacy(self, client: Any, name: str) -> bool:
        """True if a name has legacy state, which the namespace has not replaced."""
        owner = self._space.find_keys(self.kind, name)
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.hexists(index_key(LEGACY, self.kind), name)
            pipeline.hexists(index_key(owner, self.kind), name)
            pipeline.sismember(settled_key(owner, self.kind), name)
            exists, written, settled = await pipeline.execute()
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

    @asynccontextmanager
    async def _replace_value(self, name: str) -> AsyncIterator[Any]:
        """One transaction that deletes a name's value, runs the queued commands, and assigns the next version."""
        await self.adopt_legacy(name)
        async with self._use_client() as client, client.pipeline(transaction=True) as pipeline:
            pipeline.delete(*self.list_keys(name))
            yield pipeline
            pipeline.eval(load_script("next_version"), 2, *self.list_version_keys(name), name)
            await pipeline.execute()

    async def list_versions(self) -> dict[str, StoredName]:
        owners = [LEGACY, self._space.tenant_keys, self._space.run_keys]
        async with self._use_client() as client, client.pipeline(transaction=False) as pipeline:
            for owner in owners:
                pipeline.hgetall(index_key(owner, self.kind))
                pipeline.smembers(settled_key(owner, self.kind))
            answers = await pipeline.execute()
        legacy, _, tenant, tenant_settled, run, run_settled = answers
        hidden = tenant_settled | run_settled
        names = {name: StoredName(int(version), "legacy") for name, version in legacy.items() if name not in hidden}
        names |= {name: StoredName(int(version), "tenant") for name, version in tenant.items()}
        names |= {name: StoredName(int(version), "run") for name, version in run.items()}
        return {name.decode(): stored for name, stored in names.items()}

    async def reset(self, name: str) -> bool:
        (index, _), owner = self.list_version_keys(name), self._space.find_keys(self.kind, name)
        await self.adopt_legacy(name)
        async with self._use_client() as client:
            has_legacy = await client.hexists(index_key(LEGACY, self.kind), name)
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.hdel(index, name)
                pipeline.delete(*self.list_keys(name))
                if has_legacy:  # it must not come back
                    pipeline.sadd(settled_key(owner, self.kind), name)
                known, *_ = await pipeline.execute()
        return bool(known)
