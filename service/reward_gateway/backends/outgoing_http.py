"""Clients of servers that the operator declared: judges, upstreams, remote sandboxes."""

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import httpx

CONNECT_S = 5.0
"""Seconds to wait for a connection."""


def open_client(
    headers: Mapping[str, str],
    connections: int,
    *,
    connect_s: float = CONNECT_S,
    idle_s: float = 5.0,
    http2: bool = False,
) -> httpx.AsyncClient:
    """A client of one server. It follows no redirects and ignores proxies set in the environment, but trusts whom
    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name.

    Answers are asked for uncompressed, so that their size is known while they are read; the caller sets deadlines.

    Args:
        headers: sent with every request, beside those of JSON.
        connections: maximum connections.
        connect_s: seconds to wait for a connection.
        idle_s: seconds that an idle connection is kept.
        http2: speak HTTP/2 where the server offers it with TLS.
    """
    return httpx.AsyncClient(
        http2=http2,
        headers={"accept-encoding": "identity", "content-type": "application/json", **headers},
        timeout=httpx.Timeout(None, connect=connect_s),
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=idle_s
        ),
        follow_redirects=False,
        trust_env=False,
        verify=share_context(http2=http2),
    )


def share_context(*, http2: bool = False) -> ssl.SSLContext:
    """The context of all clients that trust the same certificates, which take long to read (50 ms): those of
    ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` as they are now, or httpx's own.

    Args:
        http2: of clients that offer HTTP/2: each connection writes what it offers into its context.

    Raises:
        OSError: the certificates cannot be read.
    """
    named = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    return _make_context(named, _find_state(named[0] or named[1]), http2)


@lru_cache(maxsize=4)
def _make_context(named: tuple[str | None, str | None], state: tuple[int, int] | None, http2: bool) -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=True)


def _find_state(path: str | None) -> tuple[int, int] | None:
    """What changes when a file is written; None where there is none."""
    if not path or not os.path.exists(path):
        return None
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size


def trusted_certificates() -> bytes | None:
    """The certificates of ``SSL_CERT_FILE`` in PEM, for clients of gRPC; None: those that it brings. Raises OSError."""
    file = os.environ.get("SSL_CERT_FILE")
    return Path(file).read_bytes() if file else None
