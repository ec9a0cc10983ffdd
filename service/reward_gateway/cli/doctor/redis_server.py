"""Asks a Redis or Valkey server what it is, without writing to it."""

import time
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry


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
    """

    told: bool = False
    version: str = ""
    maximum: int = 0
    used: int = 0
    policy: str = ""
    kept: bool = False


def look_at_server(url: str, timeout_s: float) -> Server:
    """What a server says of itself. Raises Unanswered."""
    try:
        with _connect(url, timeout_s) as client:
            client.ping()
            try:
                told = cast("dict[str, Any]", client.info())
            except RedisError:
                return Server()
            try:
                saves = bool(cast("dict[str, str]", client.config_get("save")).get("save"))
            except RedisError:
                saves = True  # servers that others run refuse the question, and keep what they hold
    except AuthenticationError:
        raise Unanswered("it refuses the password") from None
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
    )


def read_clock(url: str, timeout_s: float) -> float | None:
    """Seconds by which a server's clock is ahead of this machine's; None if it does not answer."""
    try:
        with _connect(url, timeout_s) as client:
            before = time.time()
            seconds, micros = cast("tuple[int, int]", client.time())
            return seconds + micros / 1e6 - (before + time.time()) / 2
    except (RedisError, OSError, ValueError):
        return None


def _connect(url: str, timeout_s: float) -> Redis:
    each = timeout_s / 2  # to connect, and to answer
    return Redis.from_url(url, socket_connect_timeout=each, socket_timeout=each, retry=Retry(NoBackoff(), 0))
