"""Clients of servers that the operator declared: judges, upstreams, remote sandboxes."""

from collections.abc import Mapping

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
    """A client of one server. It follows no redirects and ignores proxies set in the environment.

    Answers are asked for uncompressed, so that their size is known while they are read; the caller sets deadlines.

    Args:
        headers: sent with every request, beside those of JSON.
        connections: maximum connections.
        connect_s: seconds to wait for a connection.
        idle_s: seconds that an idle connection is kept.
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
    )
