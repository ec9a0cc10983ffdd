"""From which address a visitor comes: the connection's, or the one that proxies name which the operator trusts."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import Request


class VisitorAddress:
    """Finds the address of a visitor.

    Each proxy adds at the end of ``X-Forwarded-For`` from where it was asked; what stands before the first one that
    nobody trusts may be made up, and is not read.

    Args:
        trusted: addresses and networks of proxies.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted: list[IPv4Network | IPv6Network] = [ip_network(network, strict=False) for network in trusted]

    def find(self, request: Request) -> str:
        """The address; empty if the connection has none."""
        address = request.client.host if request.client else ""
        named = ",".join(request.headers.getlist("x-forwarded-for")).split(",") if self._trusted else []
        while named and self._is_trusted(address):
            found = _parse(named.pop())
            if found is None:
                break
            address = str(found)
        return address

    def _is_trusted(self, text: str) -> bool:
        address = _parse(text)
        return address is not None and any(address in network for network in self._trusted)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address, which may have a port behind it; one of IPv4 that is written as IPv6 is one of IPv4."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
