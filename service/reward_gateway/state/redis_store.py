"""Named state in Redis or Valkey: keys, versions and scripts that all kinds share.

Each change increments a clock per kind and stores it as the name's version, in the same step as the change itself, so
that versions grow across resets and processes. All keys have the same hash tag, so that a script uses one slot of a
cluster.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from reward_gateway.errors import StateUnavailable

PREFIX = "reward_gateway:{state}"
TIMEOUT_S = 5.0


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


def index_key(kind: str) -> str:
    """Redis key of the versions of a kind's names."""
    return f"{PREFIX}:{kind}:index"


def clock_key(kind: str) -> str:
    """Redis key of the counter of a kind's versions."""
    return f"{PREFIX}:{kind}:clock"


def data_key(kind: str, name: str, part: str = "data") -> str:
    """Redis key of a part of a name's value."""
    return f"{PREFIX}:{kind}:{part}:{name}"


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

    def __init__(self, client: Redis, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(client, timeout_s)
        self._index = index_key(self.kind)
        self._clock = clock_key(self.kind)

    def _make_key(self, name: str, part: str = "data") -> str:
        return data_key(self.kind, name, part)

    def _list_keys(self, name: str) -> list[str]:
        """All keys of a name's value."""
        return [self._make_key(name)]

    @asynccontextmanager
    async def _replace_value(self, name: str) -> AsyncIterator[Any]:
        """One transaction that deletes a name's value, runs the queued commands, and assigns the next version."""
        async with self._use_client() as client, client.pipeline(transaction=True) as pipeline:
            pipeline.delete(*self._list_keys(name))
            yield pipeline
            pipeline.eval(load_script("next_version"), 2, self._index, self._clock, name)
            await pipeline.execute()

    async def list_versions(self) -> dict[str, int]:
        async with self._use_client() as client:
            index = await client.hgetall(self._index)
        return {name.decode(): int(version) for name, version in index.items()}

    async def reset(self, name: str) -> bool:
        async with self._use_client() as client, client.pipeline(transaction=True) as pipeline:
            pipeline.delete(*self._list_keys(name))
            pipeline.hdel(self._index, name)
            _, known = await pipeline.execute()
        return bool(known)
