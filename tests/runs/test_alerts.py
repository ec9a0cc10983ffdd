"""A run that leaves its limits is told of once, signed, and once more when it is back."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from reward_gateway.cli.worker import make_alert_sender
from reward_gateway.intake.webhooks import sign
from reward_gateway.runs import alerts
from reward_gateway.runs.alerts import Alert
from reward_gateway.runs.history import RunHistory
from reward_gateway.runs.store import LocalRunStore
from reward_gateway.settings import RunLimits, Settings

from tests.clock import LONGEST_WAIT_S
from tests.jobs.test_callbacks import Receiver
from tests.runs.test_history import A, scored

pytestmark = pytest.mark.anyio

LIMITS = {"r": RunLimits(mean=(0.0, 1.0), zero_variance_share=0.5)}


class Run:
    """A run with limits, and the alerts of it."""

    def __init__(self, **limits: RunLimits) -> None:
        self.told: list[Alert] = []
        self.history = RunHistory(LocalRunStore(1 << 20), limits=limits or LIMITS, alert=self.told.append)

    async def score(
        self, step: int | None, mean: float, *, equal: bool = False, n: int = 64, recipe: str = "r"
    ) -> None:
        spread = 0.0 if equal else 0.1
        rewards = [mean + (spread if k % 2 else -spread) for k in range(n)]
        groups = [k // 2 for k in range(n)]
        self.history.record(scored(*rewards, recipe=recipe, groups=groups), replace(A, step=step))
        await self.history.flush()

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(alert.kind, alert.state) for alert in self.told]


async def test_leaving_a_band_and_coming_back_is_told_once_each() -> None:
    run = Run()
    for step, mean in enumerate((0.5, 2.0, 2.5, 0.5, -1.0)):
        await run.score(step, mean)
    assert run.states == [("mean", "firing"), ("mean", "resolved"), ("mean", "firing")]
    first = run.told[0]
    assert (first.name.run, first.recipe, first.bucket, first.at) == ("a", "r", "step", 1)
    assert first.value == pytest.approx(2.0)


async def test_groups_without_variance_are_told_of() -> None:
    run = Run()
    await run.score(0, 0.5)
    await run.score(1, 0.5, equal=True)
    assert run.states == [("zero_variance_share", "firing")]
    assert run.told[0].value == 1.0


async def test_few_samples_tell_nothing_and_minutes_stand_for_steps() -> None:
    run = Run()
    await run.score(0, 9.0, n=30)
    assert run.told == []
    await run.score(None, 9.0)
    assert [alert.bucket for alert in run.told] == ["minute"]


async def test_a_star_stands_for_every_other_recipe() -> None:
    run = Run(**{"r": RunLimits(), "*": RunLimits(mean=(0.0, 1.0))})
    await run.score(0, 9.0)
    await run.score(0, 9.0, recipe="s")
    assert [alert.recipe for alert in run.told] == ["s"]


async def test_two_processes_tell_once() -> None:
    one, other = Run(), Run()
    other.history = RunHistory(one.history.store, limits=LIMITS, alert=other.told.append)
    for run in (one, other, one):
        await run.score(3, 9.0)
    assert (len(one.told), len(other.told)) == (1, 0)


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


async def test_the_message_is_signed_and_sent_again_until_it_is_taken(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "RETRY_S", (0.0, 0.0))
    receiver.statuses = [503, 302]
    settings = Settings(
        run_alerts=LIMITS,
        run_alert_url=f"http://127.0.0.1:{receiver.port}/alerts",
        run_alert_secret=SecretStr("a secret"),
    )
    run = Run()
    sender = make_alert_sender(settings, run.history)
    assert sender is not None
    sender.start()
    await run.score(7, 9.0)
    async with asyncio.timeout(LONGEST_WAIT_S):
        while len(receiver.received) < 3:
            await asyncio.sleep(0.01)
    await sender.close()
    headers, body = receiver.received[-1]
    assert headers["x-signature"] == sign("a secret", headers["x-timestamp"], body)
    told: dict[str, Any] = json.loads(body)
    assert told.pop("value") == pytest.approx(9.0)
    assert (told.pop("run"), told.pop("caller"), told.pop("reward"), told.pop("step")) == ("a", "alice", "r", 7)
    assert told == {"alert": "mean", "state": "firing", "limit": [0.0, 1.0]}


@pytest.mark.parametrize(
    "given",
    [
        {"run_alerts": {"r": {"mean": [0, 1]}}},
        {"run_alerts": {"r": {"mean": [0, 1]}}, "run_alert_url": "http://h", "run_alert_secret": None},
        {"run_alert_url": "ftp://h"},
        {"run_alerts": {"r": {"median": [0, 1]}}, "run_alert_url": "http://h", "run_alert_secret": "s"},
    ],
)
def test_settings_that_cannot_be_met_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)
