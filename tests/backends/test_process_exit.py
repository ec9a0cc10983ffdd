"""A process whose output nobody took ends all the same."""

import asyncio
from asyncio.subprocess import PIPE, Process

import anyio
import pytest
from reward_gateway.backends.process_exit import await_exit
from reward_gateway.backends.workers.process import WorkerProcess

from tests.clock import until

pytestmark = pytest.mark.anyio


async def flood() -> Process:
    """A process that has written more than asyncio reads ahead."""
    process = await asyncio.create_subprocess_exec("yes", stdin=PIPE, stdout=PIPE)
    await until(lambda: vars(process.stdout)["_paused"])
    return process


async def test_the_end_is_seen_whatever_it_still_wrote() -> None:
    process = await flood()
    process.kill()
    with anyio.fail_after(20):
        assert await await_exit(process) == -9


async def test_a_worker_whose_reply_is_given_up_ends() -> None:
    worker = WorkerProcess(await flood())
    with anyio.fail_after(20):
        await worker.end()
    assert worker.has_ended
