"""One reading of a URL, for the check and for the call: what is not plain is refused, not guessed.

Two parsers that differ in one character are how such guards are passed by. Here the parts that were checked are the
parts that are dialled.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import idna

from .addresses import parse_address
from .failures import FetchFault

MOST_CHARS = 8192

_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\x00-\x20\x7f/?#@:%\[\]\\]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:/[!-\[\]^-~]*)?(?:\?[!-\[\]^-~]*)?)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class UrlRules:
    """What may be named.

    Attributes:
        http: unencrypted addresses too.
        hosts: names that may be fetched from, ``*.`` before one for all names under it; none: all.
    """

    http: bool = False
    ports: Collection[int] = (443, 80)
    hosts: Collection[str] = ()

    def allows(self, host: str) -> bool:
        """Whether the list of hosts has this one."""
        names = [name.lower() for name in self.hosts]
        return not names or any(host.endswith(name[1:]) if name.startswith("*.") else host == name for name in names)


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL.

    Attributes:
        host: lower case, ASCII, without a trailing dot; an IPv6 address without brackets.
        target: path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the ``Host`` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def read_url(text: str, rules: UrlRules) -> Url:
    """The parts of a URL that may be fetched. Raises FetchFault for any other."""
    text = text.partition("#")[0]
    match = _URL.fullmatch(text) if len(text) <= MOST_CHARS else None
    if match is None:
        raise _refusal("not a plain https address (no user, no spaces or backslashes, escapes only in path and query)")
    scheme = match["scheme"].lower()
    if scheme == "http" and not rules.http:
        raise _refusal("addresses must begin with https://")
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if port not in rules.ports:
        raise _refusal("this port is not fetched from")
    host = _parse_host(match["host"])
    if not rules.allows(host):
        raise _refusal("this host is not on the list of hosts that are fetched from")
    target = match["target"]
    return Url(scheme, host, port, target if target.startswith("/") else f"/{target}")


def _parse_host(text: str) -> str:
    if text.startswith("["):
        address = parse_address(text[1:-1])
        if not isinstance(address, IPv6Address):
            raise _refusal("its host is no address")
        return str(address)
    try:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode()
    except idna.IDNAError:
        raise _refusal("its host is no domain name") from None
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # Resolvers read 0x7f.1 and 2130706433 as addresses; here only four decimal numbers are one.
        address = parse_address(name)
        if not isinstance(address, IPv4Address):
            raise _refusal("write a numeric host as four decimal numbers")
        return name
    if len(name) > 253 or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise _refusal("its host is no full domain name")
    return name


def _refusal(sentence: str) -> FetchFault:
    return FetchFault(sentence, outcome="refused")
