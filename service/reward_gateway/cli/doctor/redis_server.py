"""Asks a Redis or Valkey server what it is, without writing to it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import ConnectionError as Unreached
from redis.retry import Retry

from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import access_options, make_finder
from reward_gateway.redis_servers.finders import Finder, Host, SlotFinder

from .redis_rights import find_forbidden

SLOTS = 16384


class Unanswered(Exception):
    """The server does not answer; the message says why in a few words."""


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself.

    Attributes:
        told: whether it says any of this; not every user may ask.
        maximum, used: bytes of memory; a maximum of 0: no limit.
        policy: what it does when it is full.
        kept: whether it writes to disk.
        replicas: how many follow it.
        forbidden: commands that the gateway needs and its user may not use; ``keys``: none of its keys.
    """

    told: bool = False
    version: str = ""
    maximum: int = 0
    used: int = 0
    policy: str = ""
    kept: bool = False
    replicas: int = 0
    forbidden: tuple[str, ...] = ()


def look_at_server(address: RedisAddress, timeout_s: float, needed: Sequence[str], key: str) -> Server:
    """What a server says of itself, and what it refuses of the commands that are needed.

    Args:
        key: one that the gateway might use.

    Raises:
        Unanswered: the server is not found, or does not answer.
    """
    try:
        with _connect(address, timeout_s) as client:
            try:
                client.ping()
            except NoPermissionError:
                return Server(forbidden=("ping",))
            forbidden = tuple(find_forbidden(client, needed, key))
            try:
                told = cast("dict[str, Any]", client.info())
            except RedisError:
                return Server(forbidden=forbidden)
            try:
                saves = bool(cast("dict[str, str]", client.config_get("save")).get("save"))
            except RedisError:
                saves = True  # servers that others run refuse the question, and keep what they hold
    except AuthenticationError:
        raise Unanswered("it refuses the user or the password") from None
    except (RedisError, OSError, ValueError) as error:
        raise Unanswered(f"it cannot be reached ({type(error).__name__})") from None
    name = "Valkey" if "valkey_version" in told else "Redis"
    return Server(
        True,
        f"{name} {told.get('valkey_version', told.get('redis_version', ''))}",
        int(told.get("maxmemory", 0)),
        int(told.get("used_memory", 0)),
        str(told.get("maxmemory_policy", "")),
        bool(told.get("aof_enabled")) or saves,
        int(told.get("connected_slaves", 0)),
        forbidden,
    )


def read_clock(address: RedisAddress, timeout_s: float) -> float | None:
    """Seconds by which a server's clock is ahead of this machine's; None if it does not answer."""
    try:
        with _connect(address, timeout_s) as client:
            before = time.time()
            seconds, micros = cast("tuple[int, int]", client.time())
            return seconds + micros / 1e6 - (before + time.time()) / 2
    except (RedisError, OSError, ValueError):
        return None


def _connect(address: RedisAddress, timeout_s: float) -> Redis:
    """A client of the server, of the master that the Sentinels name, or of the node of a Cluster that keeps state.

    Raises:
        Unanswered: the Sentinels name no master, or the Cluster has no node for some slots.
    """
    each = timeout_s / 2  # to connect, and to answer
    options = {
        "socket_connect_timeout": each,
        "socket_timeout": each,
        "retry": Retry(NoBackoff(), 0),
        **access_options(address),
    }
    if address.kind == "single":
        return Redis.from_url(address.url, **options)
    try:
        host, port = asyncio.run(_find_server(make_finder(address, "state", each)))
    except RedisError as error:
        raise Unanswered(str(error)) from None
    return Redis(host, port, address.database, ssl=address.tls, **options)


async def _find_server(finder: Finder) -> Host:
    """The server of a hash tag, where a Cluster has a node for every slot."""
    if isinstance(finder, SlotFinder):
        missing = SLOTS - sum(last - first + 1 for first, last, _ in await finder.list_slots())
        if missing:
            raise Unreached(f"no node of the Cluster has {missing} of its {SLOTS} slots")
    return await finder.find()
