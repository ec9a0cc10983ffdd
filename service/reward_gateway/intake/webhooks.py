"""Signed messages to addresses that the operator allows.

``X-Signature`` is ``sha256=`` and the HMAC-SHA256 of ``TIMESTAMP.BODY``, in hexadecimal digits, under a secret that
both sides know; ``X-Timestamp`` is the time in seconds since the epoch.
"""

import asyncio
import hashlib
import hmac
import time
from urllib.parse import urlsplit

import httpcore

from reward_gateway.backends.outgoing_http import share_context

from .fetch.failures import FetchFault
from .fetch.network import PublicNetwork

SEND_S = 10.0
LONGEST_URL = 2048
_PORTS = {"http": 80, "https": 443}


def target_of(url: str) -> str | None:
    """Scheme, host and port of an address, as the operator lists it; None for what is no address for a message."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password or parts.fragment:
        return None
    return f"{parts.scheme}://{parts.hostname.lower()}:{port or _PORTS[parts.scheme]}"


def is_plain(url: str) -> bool:
    """Whether an address is one that a message can be sent to."""
    return len(url) <= LONGEST_URL and url.isascii() and url.isprintable() and target_of(url) is not None


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of ``X-Signature``."""
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class WebhookClient:
    """Posts signed messages; redirects are not followed, and answers are not read."""

    def __init__(self) -> None:
        network = PublicNetwork(SEND_S / 2, public=lambda _: True)  # the operator named the host; it is looked up once
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=share_context(), max_connections=4, max_keepalive_connections=0, network_backend=network
        )

    async def post(self, url: str, body: bytes, secret: str) -> bool:
        """Whether the message was answered with 2xx."""
        timestamp = str(int(time.time()))
        headers = {
            "Host": urlsplit(url).netloc,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "reward-gateway",
            "X-Timestamp": timestamp,
            "X-Signature": sign(secret, timestamp, body),
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            async with asyncio.timeout(SEND_S):
                async with self._pool.stream("POST", url, headers=pairs, content=body) as response:
                    return 200 <= response.status < 300
        except (TimeoutError, FetchFault, OSError, httpcore.NetworkError, httpcore.ProtocolError):
            return False
        except httpcore.TimeoutException:
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
