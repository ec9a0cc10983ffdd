"""Clients and pools for an address. Every connection looks up its server when it is opened."""

from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection
from redis.crc import key_slot

from .address import RedisAddress, parse_address
from .connections import FollowingConnection, FollowingTlsConnection
from .finders import Finder, MasterFinder, SlotFinder

Pool = TypeVar("Pool", bound=ConnectionPool)


def connect(address: RedisAddress | str, tag: str, **options: Any) -> Redis:
    """A client whose keys have one hash tag; closing it closes its connections.

    Args:
        tag: the hash tag of all its keys, without braces.
        options: of the connections, as redis-py takes them.
    """
    return Redis.from_pool(make_pool(ConnectionPool, address, tag, **options))


def make_pool(kind: type[Pool], address: RedisAddress | str, tag: str, **options: Any) -> Pool:
    """A pool of connections to the server that has the keys of a hash tag.

    Args:
        kind: :class:`ConnectionPool` or :class:`BlockingConnectionPool`.
    """
    address = parse_address(address) if isinstance(address, str) else address
    options |= access_options(address)
    if address.kind == "single":
        return kind.from_url(address.url, **options)
    timeout_s = options.get("socket_connect_timeout") or 5.0
    finder = make_finder(address, tag, timeout_s)
    options |= {"db": address.database} if address.database else {}
    made: Any = kind
    pool: Pool = made(
        connection_class=FollowingTlsConnection if address.tls else FollowingConnection, finder=finder, **options
    )
    return pool


def make_finder(address: RedisAddress, tag: str, timeout_s: float) -> Finder:
    """What finds the server of a hash tag, for Sentinels and Clusters."""
    if address.kind == "sentinel":
        return MasterFinder(address, timeout_s, sentinel_options(address))
    return SlotFinder(address, key_slot(tag.encode()), timeout_s, access_options(address))


def make_node_pool(address: RedisAddress, node: tuple[str, int], **options: Any) -> ConnectionPool:
    """A pool of connections to one node of a Cluster."""
    host, port = node
    options |= access_options(address)
    return ConnectionPool(
        connection_class=SSLConnection if address.tls else Connection, host=host, port=port, **options
    )


def access_options(address: RedisAddress) -> dict[str, Any]:
    """User, password and certificates, as redis-py takes them."""
    access = address.access
    return _login_options(access.username, access.password) | _tls_options(address)


def sentinel_options(address: RedisAddress) -> dict[str, Any]:
    """The same for the Sentinels."""
    access = address.access
    return _login_options(access.sentinel_username, access.sentinel_password) | _tls_options(address)


def _login_options(username: str, password: str) -> dict[str, Any]:
    return ({"username": username} if username else {}) | ({"password": password} if password else {})


def _tls_options(address: RedisAddress) -> dict[str, Any]:
    if not address.tls:
        return {}
    access = address.access
    files = {"ssl_ca_certs": access.ca, "ssl_certfile": access.certificate, "ssl_keyfile": access.key}
    return {name: str(path) for name, path in files.items() if path is not None}


__all__ = ["BlockingConnectionPool", "ConnectionPool", "access_options", "connect", "make_finder", "make_node_pool"]
