"""Connections to public addresses only: a name is resolved once, and the checked address is the one connected to.

A second lookup could return another address (DNS rebinding), so there is none. The HTTP client above knows only the
name, so that TLS verifies the certificate against it.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore

from .addresses import Address, is_public, parse_address
from .failures import FetchFault, unresolved_host

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""The addresses of a host; raises OSError where there are none."""

MOST_TRIED = 4
"""Addresses of one host that are tried, each for the whole time of a connection."""


async def resolve_host(host: str, port: int) -> list[Address]:
    """The addresses of a name, as this machine's resolver orders them. Raises OSError."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [parse_address(str(entry[4][0])) for entry in entries]
    return [address for address in dict.fromkeys(addresses) if address is not None]


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Dials a host if every one of its addresses is public.

    Args:
        connect_s: time for a connection to one address.
        resolve: how a name becomes addresses.
        public: which addresses may be dialled.
    """

    def __init__(
        self, connect_s: float, resolve: Resolve = resolve_host, public: Callable[[Address], bool] = is_public
    ) -> None:
        self._connect_s = connect_s
        self._resolve = resolve
        self._public = public
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is the client's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to a host. Raises FetchFault."""
        for address in (await self._resolve_public(host, port))[:MOST_TRIED]:
            try:
                return await self._tcp.connect_tcp(str(address), port, self._connect_s)
            except (httpcore.NetworkError, httpcore.TimeoutException):
                continue
        raise FetchFault("its host cannot be reached", outcome="unreachable")

    async def _resolve_public(self, host: str, port: int) -> Sequence[Address]:
        literal = parse_address(host)
        try:
            addresses = [literal] if literal is not None else await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise unresolved_host() from None
        if not addresses or not all(map(self._public, addresses)):
            raise unresolved_host()
        return addresses
