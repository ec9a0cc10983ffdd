"""The meter of one process: every request of an API key is counted here once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reward_gateway.accounts import Account, current_account

from .budgets import Budgets
from .usage import Counts, UsageCounter


@dataclass(slots=True)
class Charge:
    """What a request counts.

    Attributes:
        counts: set by whoever answers it; None: it was answered before, and counts nothing.
    """

    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts samples against budgets, and for usage.

    Attributes:
        budgets: None: there is no store to keep them, and none is enforced.
        usage: None: nothing is counted.
    """

    budgets: Budgets | None = None
    usage: UsageCounter | None = None

    async def spend(self, samples: int) -> str | None:
        """Count samples against the budget of the caller of the running task; the day, or None if there is none.

        Raises:
            OverBudget: they would exceed it.
        """
        account = current_account()
        if account is None or account.budget is None or self.budgets is None:
            return None
        return await self.budgets.spend(account, samples)

    @contextmanager
    def settle(self, samples: int, day: str | None) -> Iterator[Charge]:
        """Work whose samples were spent: they are given back unless it sets the charge's counts."""
        account, charge = current_account(), Charge()
        try:
            yield charge
        except BaseException:
            self._give_back(account, day, samples)
            raise
        if charge.counts is None:
            self._give_back(account, day, samples)
        elif account is not None and self.usage is not None:
            self.usage.count(account.key, account.tenant, charge.counts)

    def _give_back(self, account: Account | None, day: str | None, samples: int) -> None:
        if account is not None and day is not None and self.budgets is not None:
            self.budgets.give_back(account, day, samples)

    async def close(self) -> None:
        if self.budgets is not None:
            await self.budgets.close()
        if self.usage is not None:
            await self.usage.close()
