"""A background task is ended, whatever it does about being cancelled."""

import asyncio
import contextlib

import pytest
from reward_gateway.tasks import end_task, repeat

from tests.clock import until

pytestmark = pytest.mark.anyio


async def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    lost: list[int] = []

    async def lose_two() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(lost) == 2:
                    raise
                lost.append(1)

    task = asyncio.create_task(lose_two())
    await asyncio.sleep(0)
    await end_task(task)
    assert task.cancelled()
    assert len(lost) == 2


async def test_a_task_that_has_ended_in_any_way_is_left_alone() -> None:
    async def fail() -> None:
        raise OSError

    task = asyncio.create_task(fail())
    with contextlib.suppress(OSError):
        await asyncio.shield(task)
    await end_task(task)
    await end_task(None)


async def test_a_repeated_step_is_taken_again_whatever_it_raises() -> None:
    taken = 0

    async def step() -> None:
        nonlocal taken
        taken += 1
        raise RuntimeError("this step failed")

    task = asyncio.create_task(repeat(step, 0.0, "test"))
    await until(lambda: taken > 3)
    await end_task(task)
    assert task.cancelled()
