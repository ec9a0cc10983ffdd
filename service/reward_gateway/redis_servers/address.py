"""Addresses of Redis, as settings write them.

============================================= ==========================================================
``redis://HOST:PORT/NUMBER``                  one server (``rediss://``: over TLS)
``unix://PATH``                               one server, over a socket of this machine
``redis+sentinel://HOST:PORT,HOST:PORT/NAME`` the master that the Sentinels call NAME (``/NAME/NUMBER``)
``redis+cluster://HOST:PORT,HOST:PORT``       a Cluster, found through some of its nodes
============================================= ==========================================================

``rediss+sentinel://`` and ``rediss+cluster://`` use TLS, for the Sentinels too. A user and a password may stand before
the first host; those of a setting come first.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

Kind = Literal["single", "sentinel", "cluster"]

SCHEMES = (
    *("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://"),
    *("redis+cluster://", "rediss+cluster://"),
)

FORMS = (
    "redis://HOST:PORT/NUMBER, rediss://… (TLS), unix://PATH, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or "
    "redis+cluster://HOST:PORT,HOST:PORT"
)

_SINGLE = "write redis://HOST:PORT/NUMBER or unix://PATH, and special characters of a password as %XX"

_PORTS = {"sentinel": 26379, "cluster": 6379}
_URL = re.compile(r"(rediss?)\+(sentinel|cluster)://(?:([^@/]*)@)?([^/?]*)(/[^?]*)?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?")


class WrongAddress(ValueError):
    """An address cannot be used; the message says why, and never has a password."""


@dataclass(frozen=True, slots=True)
class Access:
    """What opens a server: a user of its access list, and files for TLS.

    Attributes:
        ca: certificates of the authorities that are trusted (PEM); None: those of this machine.
        certificate, key: for servers that ask for a client's certificate (PEM).
    """

    username: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a store is.

    Attributes:
        url: of one server, without user and password; empty for Sentinels and Clusters.
        hosts: of the Sentinels, or of nodes of the Cluster.
        master: what the Sentinels call the master.
        database: number of the database; a Cluster has 0 only.
    """

    kind: Kind
    url: str = field(default="", repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    master: str = ""
    database: int = 0
    tls: bool = False
    access: Access = Access()

    def opened_by(self, access: Access) -> "RedisAddress":
        """The address with what opens it; a user and password of the address remain where the access has none."""
        own = self.access
        username, password = access.username or own.username, access.password or own.password
        return replace(self, access=replace(access, username=username, password=password))

    def __str__(self) -> str:
        """As it may be shown: without user and password."""
        if self.kind == "single":
            return self.url.partition("?")[0]
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        path = f"/{self.master}" + (f"/{self.database}" if self.database else "") if self.master else ""
        return f"redis{'s' if self.tls else ''}+{self.kind}://{hosts}{path}"


def parse_address(url: str) -> RedisAddress:
    """The address that a text names. Raises WrongAddress."""
    match = _URL.fullmatch(url)
    if match is None:
        return _parse_single(url)
    scheme, kind, user, hosts, path = match.groups()
    assert kind in ("sentinel", "cluster")
    username, _, password = (user or "").partition(":")
    found = tuple(_parse_host(host, _PORTS[kind]) for host in hosts.split(","))
    segments = [unquote(part) for part in (path or "").strip("/").split("/") if part]
    access = Access(username=unquote(username), password=unquote(password))
    if kind == "cluster":
        if segments and segments != ["0"]:
            raise WrongAddress("a Redis Cluster has one database only: leave the number out")
        return RedisAddress("cluster", hosts=found, tls=scheme == "rediss", access=access)
    if not segments or len(segments) > 2 or (len(segments) == 2 and not segments[1].isdecimal()):
        raise WrongAddress(
            "an address of Sentinels ends in the name of their master: redis+sentinel://HOST:PORT,HOST:PORT/MASTER, "
            "with /NUMBER for a database other than 0"
        )
    database = int(segments[1]) if len(segments) == 2 else 0
    return RedisAddress("sentinel", "", found, segments[0], database, scheme == "rediss", access)


def _parse_single(url: str) -> RedisAddress:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise WrongAddress(_SINGLE) from None
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise WrongAddress(f"write one of {FORMS}")
    if parts.scheme == "unix":
        if not parts.path:
            raise WrongAddress(_SINGLE)
    elif port == 0 or not (parts.path in ("", "/") or parts.path[1:].isdecimal()):
        raise WrongAddress(_SINGLE)
    user = parts.netloc.rpartition("@")[0]
    username, _, password = user.partition(":")
    access = Access(username=unquote(username), password=unquote(password))
    plain = url.replace(f"{user}@", "", 1) if user else url
    return RedisAddress("single", plain, tls=parts.scheme == "rediss", access=access)


def _parse_host(text: str, default: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text.strip())
    if match is None or not 0 < int(match[2] or default) <= 65535:
        raise WrongAddress("an address of Sentinels or of a Cluster lists HOST:PORT, separated by commas")
    return match[1].strip("[]"), int(match[2] or default)
