"""Budgets: samples per UTC day of a tenant, exact over gateways, on a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from reward_gateway.accounts import Account
from reward_gateway.errors import OverBudget
from reward_gateway.metering import budgets as module
from reward_gateway.metering.budgets import Budgets, seconds_to_midnight
from reward_gateway.observer import Observer

from tests.clock import until
from tests.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

TEAM = Account("key", "team", budget=1000)


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Heard(Observer):
    """Counts what could not be checked."""

    def __init__(self) -> None:
        self.unchecked, self.refused = 0, list[str]()

    def budget_unchecked(self) -> None:
        self.unchecked += 1

    def over_budget(self, tenant: str) -> None:
        self.refused.append(tenant)


@pytest.fixture
def server(tmp_path: Path) -> Valkey:
    return Valkey(tmp_path)


@pytest.fixture
async def running(server: Valkey, anyio_backend: str) -> AsyncIterator[Valkey]:
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def three(running: Valkey) -> AsyncIterator[list[Budgets]]:
    """The budgets of three gateways."""
    made = [Budgets(running.url, Clock()) for _ in range(3)]
    yield made
    for budgets in made:
        await budgets.close()


async def test_requests_at_once_over_three_gateways_spend_all_of_it_and_no_more(three: list[Budgets]) -> None:
    async def ask(number: int) -> int:
        try:
            await three[number % 3].spend(TEAM, 7)
        except OverBudget:
            return 0
        return 7

    assert sum(await asyncio.gather(*map(ask, range(200)))) == 1000 - 1000 % 7
    assert await three[0].read("team") == 994
    await three[1].spend(TEAM, 6)
    with pytest.raises(OverBudget) as refused:
        await three[2].spend(TEAM, 1)
    assert refused.value.retry_after_s == 60
    assert "of which 0 are left" in refused.value.message


async def test_tenants_have_budgets_of_their_own_and_a_new_day_a_new_one(three: list[Budgets]) -> None:
    (budgets, *_) = three
    clock = budgets._clock
    assert isinstance(clock, Clock)
    await budgets.spend(TEAM, 1000)
    await budgets.spend(Account("key", "others", budget=10), 10)
    clock.now = datetime(2026, 5, 2, tzinfo=UTC)
    await budgets.spend(TEAM, 1000)


async def test_what_is_given_back_can_be_spent_again(three: list[Budgets]) -> None:
    (budgets, *_) = three
    day = await budgets.spend(TEAM, 1000)
    budgets.give_back(TEAM, day, 400)
    await until(lambda: not budgets._giving)
    await three[1].spend(TEAM, 400)
    with pytest.raises(OverBudget):
        await three[1].spend(TEAM, 1)


async def test_while_the_store_is_away_nothing_is_refused_and_it_is_counted_later(
    running: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    heard = Heard()
    budgets = Budgets(running.url, Clock(), heard)
    await budgets.spend(TEAM, 100)
    running.kill()
    for _ in range(3):
        await budgets.spend(TEAM, 300)
    assert heard.unchecked == 3
    running.start()
    with pytest.raises(OverBudget):  # 900 were let through; its predecessor forgot the hundred
        await budgets.spend(TEAM, 101)
    assert heard.refused == ["team"]
    assert await budgets.read("team") == 900
    await budgets.close()


def test_a_day_ends_at_midnight_in_utc() -> None:
    assert seconds_to_midnight(datetime(2026, 5, 1, tzinfo=UTC)) == 86_400
    assert seconds_to_midnight(datetime(2026, 5, 1, 23, 59, 59, 999, tzinfo=UTC)) == 1
