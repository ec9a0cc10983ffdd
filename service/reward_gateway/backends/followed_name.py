"""The addresses of a name, looked up again and again while servers join and leave behind it."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit, urlunsplit

LOOK_UP_EVERY_S = 4.0
"""How often a name is looked up."""

LOOK_UP_AGAIN_S = 0.5
"""The same of one that has no address: the first server that joins is used at once."""

EMPTY_LOOK_UPS = 2
"""Answers in a row that a name has no address after which its servers are taken to have left."""

Resolve = Callable[[str], Awaitable[list[str] | None]]
"""Looks an address up; see :func:`resolve_addresses`."""


class FollowedName:
    """A name that stands for all its addresses, such as that of a headless Service of Kubernetes.

    Args:
        url: an address with the name as its host.

    Attributes:
        addresses: as of the last look-up, sorted; empty before the first one.
    """

    def __init__(self, url: str, resolve: Resolve) -> None:
        self.url = url
        self.addresses: list[str] = []
        self._resolve = resolve
        self._empty = 0

    async def refresh(self) -> bool:
        """Look the name up again; whether its addresses changed. A name server that fails changes nothing."""
        found = await self._resolve(self.url)
        if found is None:
            return False
        self._empty = 0 if found else self._empty + 1
        if found == self.addresses or (not found and self._empty < EMPTY_LOOK_UPS):
            return False
        self.addresses = list(found)
        return True

    @property
    def pause_s(self) -> float:
        """Seconds until the next look-up."""
        return LOOK_UP_EVERY_S if self.addresses else LOOK_UP_AGAIN_S

    def make_label(self, taken: Collection[str]) -> str:
        """The name with the lowest number that is free: addresses come and go, and labels must not add up."""
        netloc = urlsplit(self.url).netloc
        return next(label for k in range(len(taken) + 1) if (label := f"{netloc}#{k}") not in taken)


async def resolve_addresses(url: str) -> list[str] | None:
    """The address with each IP address that its host's name has now, sorted.

    Returns:
        An empty list if the name has none; None if no name server answers.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return [] if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA) else None
    except OSError:
        return None
    hosts = sorted({str(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in found})
    return [
        urlunsplit((parts.scheme, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", parts.path, "", ""))
        for host in hosts
    ]
