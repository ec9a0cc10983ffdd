"""Adapts one coefficient in many batches, as one of several processes: see test_coefficients.py."""

import asyncio
import sys

from reward_gateway.state.coefficients import Update
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites


async def adapt(url: str, name: str, batches: int) -> None:
    store = StateStore.connect(url, timeout_s=60.0)
    for _ in range(batches):
        await store.commit(StateWrites().update_coefficient(name, Update("add", 0.5, 1.0)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(adapt(sys.argv[1], sys.argv[2], int(sys.argv[3])))
