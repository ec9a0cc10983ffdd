"""A request that changes nothing is answered without the store, which is then left alone for a while."""

from collections.abc import Awaitable
from typing import Any

import pytest
from reward_gateway.errors import IdempotencyConflict, StateUnavailable
from reward_gateway.scoring.attempts import Attempts

from tests.clock import Clock

pytestmark = pytest.mark.anyio


class Store:
    """Remembers one body, while it is not away."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0

    async def remember_body(self, address: str, digest: str, ttl_s: float) -> bool:
        self.asked += 1
        if self.away:
            raise StateUnavailable("away")
        return digest == "body"


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def attempts(store: Store) -> Attempts:
    return Attempts(lambda: store, ttl_s=60.0)  # type: ignore[arg-type,return-value]


async def said(attempts: Attempts, body: str = "body") -> Any:
    async def answer() -> int:
        return 7

    computing: Awaitable[int] = answer()
    return await attempts.answer_if_same_body("address", body, computing)


async def test_a_repeat_is_computed_again_and_refused_with_another_body(attempts: Attempts, store: Store) -> None:
    assert await said(attempts) == 7
    with pytest.raises(IdempotencyConflict):
        await said(attempts, "other body")
    assert store.asked == 2


async def test_a_store_that_is_away_is_asked_once_in_five_seconds(
    attempts: Attempts, store: Store, clock: Clock
) -> None:
    store.away = True
    for _ in range(3):
        assert await said(attempts, "other body") == 7
    assert store.asked == 1
    await clock.advance(5.1)
    store.away = False
    with pytest.raises(IdempotencyConflict):
        await said(attempts, "other body")
    assert await said(attempts) == 7
    assert store.asked == 3
