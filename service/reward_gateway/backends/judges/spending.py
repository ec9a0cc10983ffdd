"""What a judge costs: by the tokens of each answer, and against a budget per day (UTC)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from reward_gateway.errors import GatewayError
from reward_gateway.sample import Invalid

MILLION = 1e6


class Price(BaseModel):
    """Price of a million tokens, in the currency that the operator reckons in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0, allow_inf_nan=False, description="Price of a million tokens of questions.")
    output: float = Field(ge=0, allow_inf_nan=False, description="Price of a million tokens of answers.")

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Price of one request, by the tokens that the server counted."""
        return (self.input * prompt_tokens + self.output * completion_tokens) / MILLION


class SpendStore(Protocol):
    """Sums by name, kept until their day is over. May raise StateUnavailable."""

    async def add(self, name: str, amount: float) -> float:
        """Add to a sum, and return it."""

    async def close(self) -> None:
        """Release the connections."""


class LocalSpend:
    """Sums of this process."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}

    async def add(self, name: str, amount: float) -> float:
        self._sums[name] = self._sums.get(name, 0.0) + amount
        return self._sums[name]

    async def close(self) -> None:
        """Nothing is held."""


class Budget:
    """What one judge may cost in a day.

    Args:
        limit: in the currency of its price; None: no limit, nothing is kept.
        now: the present moment, in UTC.
    """

    def __init__(
        self,
        judge: str,
        limit: float | None,
        store: SpendStore,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._judge, self._limit, self._store, self._now = judge, limit, store, now

    async def check(self) -> Invalid | None:
        """Why the judge may not be asked now: its budget is spent, or the store that knows does not answer."""
        if self._limit is None:
            return None
        try:
            spent = await self._store.add(self._name(), 0.0)
        except GatewayError as error:
            return Invalid("state_unavailable", error.message)
        if spent < self._limit:
            return None
        return Invalid("over_budget", f"the judge {self._judge} has spent its budget of today (UTC)")

    async def add(self, cost: float) -> None:
        """Count what an answer cost."""
        if self._limit is None or not cost:
            return
        try:
            await self._store.add(self._name(), cost)
        except GatewayError:  # the next question finds the store away
            return

    def _name(self) -> str:
        return f"{self._judge}/{self._now():%Y-%m-%d}"
