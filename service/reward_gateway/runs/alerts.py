"""Tells the operator of runs whose rewards leave the limits that the settings name, and of their return.

Whichever process writes the change into the run's head sends the message, so that each is sent once. It holds names and
numbers, never a text.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson
import structlog

from reward_gateway.intake.webhooks import WebhookClient
from reward_gateway.settings import RunLimits
from reward_gateway.tasks import end_task

from .rows import Row
from .store import RunName

log = structlog.get_logger(__name__)

LEAST = 32
"""Valid samples of a row below which it is not looked at."""

MOST_WAITING = 1000
"""Messages that wait to be sent; further ones are dropped and logged."""

RETRY_S: Final = (1.0, 5.0, 30.0, 120.0)
"""Seconds until a message is sent again; then it is given up."""

ANY = "*"


class Alert(NamedTuple):
    """A run that left a limit (``firing``) or is back within it (``resolved``).

    Attributes:
        kind: ``mean`` or ``zero_variance_share``.
        at: of the row, in ``bucket``: the step, or minutes since 1970.
    """

    name: RunName
    recipe: str
    kind: str
    state: str
    value: float | None
    limit: Any
    bucket: str
    at: int

    def encode(self) -> bytes:
        """The message's JSON."""
        place = {"step": self.at} if self.bucket == "step" else {"t": self.at * 60}
        return orjson.dumps(
            {
                "run": self.name.run,
                "caller": self.name.caller,
                "reward": self.recipe,
                "alert": self.kind,
                "state": self.state,
                "value": self.value,
                "limit": self.limit,
                **place,
            }
        )


def find_limits(alerts: Mapping[str, RunLimits], recipe: str) -> RunLimits | None:
    """The limits of a recipe; None: it has none."""
    return alerts.get(recipe, alerts.get(ANY))


def find_changes(
    name: RunName, recipe: str, bucket: str, row: Row, limits: RunLimits, firing: dict[str, int]
) -> list[Alert]:
    """The alerts that a row begins or ends.

    Args:
        firing: the alerts of the run that have begun, by recipe and kind; it is brought up to date.
    """
    if row.reward.count < LEAST:
        return []
    breaches = _find_breaches(row, limits)
    changes = []
    for kind, (value, breach) in breaches.items():
        key = f"{recipe} {kind}"
        limit = getattr(limits, kind)
        if breach and key not in firing:
            firing[key] = row.at
            changes.append(Alert(name, recipe, kind, "firing", value, limit, bucket, row.at))
        elif not breach and firing.pop(key, None) is not None:
            changes.append(Alert(name, recipe, kind, "resolved", value, limit, bucket, row.at))
    return changes


def _find_breaches(row: Row, limits: RunLimits) -> dict[str, tuple[float, bool]]:
    """By kind, the number that is looked at, and whether it is outside its limit."""
    found = {}
    if limits.mean is not None:
        low, high = limits.mean
        found["mean"] = row.reward.mean, not low <= row.reward.mean <= high
    if limits.zero_variance_share is not None and row.groups:
        share = row.equal_groups / row.groups
        found["zero_variance_share"] = share, share > limits.zero_variance_share
    return found


class AlertSender:
    """Sends alerts, one after the other, until it is closed.

    Args:
        url, secret: where they go, and what signs them.
    """

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = url, secret
        self._client = WebhookClient()
        self._waiting: asyncio.Queue[Alert] = asyncio.Queue(MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    def send(self, alert: Alert) -> None:
        """Queue an alert."""
        log.warning("run_alert", reward=alert.recipe, alert=alert.kind, state=alert.state)
        try:
            self._waiting.put_nowait(alert)
        except asyncio.QueueFull:
            log.error("run alert dropped", once_per="alerts", reward=alert.recipe)

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._send_all(), name="run-alerts")

    async def close(self) -> None:
        """Stop; what waits is not sent."""
        await end_task(self._task)
        await self._client.close()

    async def _send_all(self) -> None:
        while True:
            alert = await self._waiting.get()
            body = alert.encode()
            for wait_s in (*RETRY_S, None):
                if await self._client.post(self._url, body, self._secret):
                    break
                if wait_s is None:
                    log.warning("run alert given up", reward=alert.recipe)
                    break
                await asyncio.sleep(wait_s)
