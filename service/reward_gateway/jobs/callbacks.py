"""Callbacks: a job's end is told to an address that its submission named and the operator allows.

The message names the job and holds no reward. It is signed, so that its receiver knows whom it comes from:
``X-Signature`` is ``sha256=`` and the HMAC-SHA256 of ``TIMESTAMP.BODY``, in hexadecimal digits, under the secret that
the caller's entry in the keys file names; ``X-Timestamp`` is the time in seconds since the epoch. Whichever worker is
free sends it, and again with growing pauses until it is answered with 2xx, for an hour at most.
"""

import asyncio
import contextlib
import hashlib
import hmac
import time
from typing import Final
from urllib.parse import urlsplit

import httpcore
import orjson
import structlog

from reward_gateway.backends.outgoing_http import share_context
from reward_gateway.errors import InvalidRequest, StateUnavailable
from reward_gateway.intake.fetch.failures import FetchFault
from reward_gateway.intake.fetch.network import PublicNetwork
from reward_gateway.settings import Settings
from reward_gateway.state.jobs import DueCallback, JobStore
from reward_gateway.tasks import end_task, repeat
from reward_gateway.traffic.keys import ApiKey, KeyRing

from .pieces import decode_head

log = structlog.get_logger(__name__)

PARAM = "options.callback"
LOOK_S = 1.0
"""Seconds between two looks for callbacks that are due."""

LEASE_S = 30.0
"""Seconds after which a callback whose worker died is sent by another; longer than sending may take."""

SEND_S = 10.0
RETRY_S: Final = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0)
"""Seconds until a callback is sent again, by how often it was sent; then it is given up."""

LONGEST_URL = 2048
_PORTS = {"http": 80, "https": 443}


def target_of(url: str) -> str | None:
    """Scheme, host and port of an address, as the operator lists it; None for what is no address for a callback."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password or parts.fragment:
        return None
    return f"{parts.scheme}://{parts.hostname.lower()}:{port or _PORTS[parts.scheme]}"


def check_callback(url: str, key: ApiKey | None, settings: Settings) -> None:
    """Raise InvalidRequest unless the caller may be told at this address."""
    if key is None or key.callback_secret is None:
        message = "callbacks are signed with a secret of the caller, and the API key has no callback_secret_env"
        raise InvalidRequest(f"{PARAM}: {message}", param=PARAM)
    target = target_of(url) if len(url) <= LONGEST_URL and url.isascii() and url.isprintable() else None
    if target is None:
        raise InvalidRequest(f"{PARAM}: write http(s)://HOST[:PORT]/PATH, without a user", param=PARAM)
    if target not in {target_of(allowed) for allowed in settings.callback_targets}:
        raise InvalidRequest(
            f"{PARAM}: the operator does not list this scheme, host and port (--callback-targets)", param=PARAM
        )


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of ``X-Signature``."""
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class CallbackSender:
    """Sends callbacks that are due until it is closed.

    Args:
        keys: have the secrets, now: they may be replaced.
    """

    def __init__(self, store: JobStore, keys: KeyRing, settings: Settings) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        network = PublicNetwork(SEND_S / 2, public=lambda _: True)  # the operator named the host; it is looked up once
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=share_context(), max_connections=4, max_keepalive_connections=0, network_backend=network
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(repeat(self.send_due, LOOK_S, "callbacks"), name="callbacks")

    async def close(self) -> None:
        """Stop; what is being sent is sent again by another."""
        await end_task(self._task)
        await self._pool.aclose()

    async def send_due(self) -> None:
        """Send all that is due now."""
        with contextlib.suppress(StateUnavailable):
            while (due := await self._store.take_callback(LEASE_S)) is not None:
                done = await self._send(due)
                left = due.times <= len(RETRY_S)
                if not done and not left:
                    log.warning("callback given up", job=due.job)
                await self._store.settle_callback(due, None if done or not left else RETRY_S[due.times - 1])

    async def _send(self, due: DueCallback) -> bool:
        """Whether the job's end was taken note of, or there is nothing left to tell."""
        view = await self._store.read(due.tenant, due.job, "", 1)
        if view is None:
            return True
        head = decode_head(view.head)
        key = self._keys.find(head.key)
        secret = None if key is None else key.callback_secret
        if head.callback is None or secret is None or key is None:
            return True
        try:
            check_callback(head.callback, key, self._settings)  # the operator may have thought better of it
        except InvalidRequest:
            return True
        body = orjson.dumps(
            {"job": due.job, "status": view.status, "samples": view.samples, "completed": view.completed}
        )
        timestamp = str(int(time.time()))
        headers = {
            "Host": urlsplit(head.callback).netloc,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "reward-gateway",
            "X-Timestamp": timestamp,
            "X-Signature": sign(secret, timestamp, body),
        }
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            async with asyncio.timeout(SEND_S):
                async with self._pool.stream("POST", head.callback, headers=pairs, content=body) as response:
                    return 200 <= response.status < 300  # its body is not read, and redirects are not followed
        except (TimeoutError, FetchFault, OSError, httpcore.NetworkError, httpcore.ProtocolError):
            return False
        except httpcore.TimeoutException:
            return False
