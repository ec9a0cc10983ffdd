"""Callbacks: a job's end is told to an address that its submission named and the operator allows.

The message names the job and holds no reward. It is signed (:mod:`reward_gateway.intake.webhooks`) under the secret
that the caller's entry in the keys file names, so that its receiver knows whom it comes from. Whichever worker is free
sends it, and again with growing pauses until it is answered with 2xx, for an hour at most.
"""

import asyncio
import contextlib
from typing import Final

import orjson
import structlog

from reward_gateway.errors import InvalidRequest, StateUnavailable
from reward_gateway.intake.webhooks import WebhookClient, is_plain, target_of
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

RETRY_S: Final = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0)
"""Seconds until a callback is sent again, by how often it was sent; then it is given up."""


def check_callback(url: str, key: ApiKey | None, settings: Settings) -> None:
    """Raise InvalidRequest unless the caller may be told at this address."""
    if key is None or key.callback_secret is None:
        message = "callbacks are signed with a secret of the caller, and the API key has no callback_secret_env"
        raise InvalidRequest(f"{PARAM}: {message}", param=PARAM)
    target = target_of(url) if is_plain(url) else None
    if target is None:
        raise InvalidRequest(f"{PARAM}: write http(s)://HOST[:PORT]/PATH, without a user", param=PARAM)
    if target not in {target_of(allowed) for allowed in settings.callback_targets}:
        raise InvalidRequest(
            f"{PARAM}: the operator does not list this scheme, host and port (--callback-targets)", param=PARAM
        )


class CallbackSender:
    """Sends callbacks that are due until it is closed.

    Args:
        keys: have the secrets, now: they may be replaced.
    """

    def __init__(self, store: JobStore, keys: KeyRing, settings: Settings) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._client = WebhookClient()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(repeat(self.send_due, LOOK_S, "callbacks"), name="callbacks")

    async def close(self) -> None:
        """Stop; what is being sent is sent again by another."""
        await end_task(self._task)
        await self._client.close()

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
        return await self._client.post(head.callback, body, secret)
