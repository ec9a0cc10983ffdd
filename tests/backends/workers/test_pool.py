"""backends/workers: real processes, which end when work overruns its time or memory, and are replaced."""

import asyncio
import hashlib
import importlib
import inspect
import os
import signal
import threading
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from reward_gateway.backends.workers import child, frames
from reward_gateway.backends.workers import process as process_module
from reward_gateway.backends.workers.pool import NotDone, WorkerPool
from reward_gateway.errors import NotFound
from reward_gateway.fair_queue import Share, charge_to
from reward_gateway.observer import Observer, UnfinishedReason
from reward_gateway.operations import effects
from reward_gateway.operations.requests import answer_body, load_operations

from tests.clock import LONGEST_WAIT_S, turns, until
from tests.worker_processes import pids_of

pytestmark = pytest.mark.anyio

MEMORY = 512 << 20
NOTHING = partial(int, "1")
"""A preparation that takes no time."""

ENDLESS = partial(hashlib.pbkdf2_hmac, "sha1", b"a", b"b", 2**31 - 1)
"""Work in one call of C, which no signal handler of Python can interrupt."""


@pytest.fixture(scope="module")
async def pool(anyio_backend: str) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(load_operations, processes=1, memory=MEMORY)
    yield pool
    await pool.close()


async def test_work_is_done_in_another_process_and_the_next_in_the_same(pool: WorkerPool) -> None:
    first, second = [await pool.run(os.getpid) for _ in range(2)]
    assert first == second != os.getpid()
    assert {first} == pids_of(pool)


async def test_bytes_of_any_size_go_in_and_out(pool: WorkerPool) -> None:
    body = os.urandom(3 << 20)
    assert await pool.run(bytes, body=body) == body
    assert await pool.run(len, body=body) == len(body)


async def test_large_messages_are_encoded_and_decoded_in_threads_and_small_ones_here(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def record(function: Any) -> Any:
        def call(*args: Any) -> Any:
            threads.append(threading.current_thread().name)
            return function(*args)

        return call

    for holder, name in ((frames._Pieces, "write"), (frames._Reader, "read")):
        monkeypatch.setattr(holder, name, record(getattr(holder, name)))
    texts = [str(i) * 100 for i in range(20_000)]
    assert await pool.run(partial(sorted, [2, 1])) == [1, 2]
    assert set(threads) == {"MainThread"}
    assert await pool.run(partial(list, texts)) == texts
    assert threads.count("MainThread") < len(threads) / 2, "more than what shows that a message is large"


@pytest.mark.parametrize("value", [b"x" * (1 << 20), "x" * (1 << 20), list(range(1 << 18)), np.arange(1 << 18), {}])
def test_a_frame_holds_what_was_put_in(value: Any) -> None:
    header, *content, attachment = frames.encode_frame(value, b"beside")
    assert frames.LENGTHS.unpack(header) == (sum(map(len, content)), len(attachment))
    cut = [b"".join(content)[i : i + 1000] for i in range(0, sum(map(len, content)), 1000)]
    np.testing.assert_equal(frames.decode_message(cut), value)


def test_a_frame_over_the_allowed_size_is_not_made() -> None:
    assert frames.encode_frame("x" * 100, most=200)
    with pytest.raises(frames.TooLong):
        frames.encode_frame("x" * 300, most=200)


async def test_what_work_raises_is_raised_here(pool: WorkerPool) -> None:
    with pytest.raises(ValueError, match="invalid literal") as raised:
        await pool.run(partial(int, "x"))
    assert "in a worker process" in raised.value.__notes__[0]
    with pytest.raises(RuntimeError, match="cannot be sent"):
        await pool.run(partial(open, os.devnull))
    assert await pool.run(partial(int, "7")) == 7


async def test_the_event_loop_goes_on_while_a_worker_computes(pool: WorkerPool, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    work = asyncio.create_task(pool.run(partial(Path.read_text, gate)))  # until somebody writes there
    await turns(100)
    assert not work.done()
    await asyncio.to_thread(gate.write_text, "open")
    assert await work == "open"


async def test_a_deadline_ends_the_process_and_the_next_work_gets_another(pool: WorkerPool) -> None:
    (before,) = {await pool.run(os.getpid)}
    with pytest.raises(NotDone) as ended:
        await pool.run(ENDLESS, asyncio.get_running_loop().time() + 1.0)
    assert ended.value.why == "time"
    await until(lambda: not psutil.pid_exists(before))
    assert await pool.run(os.getpid) != before


@pytest.fixture
def time_to_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a process whose time has passed live until it notices, however slow the machine is."""
    monkeypatch.setattr(process_module, "GRACE_S", 60.0)


@pytest.mark.usefixtures("time_to_finish")
async def test_work_that_can_be_interrupted_leaves_its_process_alive(pool: WorkerPool) -> None:
    before = await pool.run(os.getpid)
    with pytest.raises(NotDone):
        await pool.run(partial(time.sleep, 3600), limit_s=0.2)
    assert await pool.run(os.getpid) == before


@pytest.mark.usefixtures("time_to_finish")
async def test_only_what_is_computed_counts_where_the_time_on_a_cpu_is_limited(pool: WorkerPool) -> None:
    before = await pool.run(os.getpid)
    await pool.run(partial(time.sleep, 1.0), cpu_s=0.5)
    for _ in range(2):
        with pytest.raises(NotDone, match="time"):
            await pool.run(partial(exec, "while True: pass"), cpu_s=0.5)
    assert await pool.run(os.getpid) == before


async def test_work_that_computes_too_long_and_cannot_be_interrupted_ends_its_process(pool: WorkerPool) -> None:
    before = await pool.run(os.getpid)
    with pytest.raises(NotDone, match="time"):
        await pool.run(ENDLESS, cpu_s=0.5)
    assert await pool.run(os.getpid) != before


async def test_a_module_is_never_imported_by_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_meanwhile.py").write_text("import sys\nframe = sys._getframe()\n")
    monkeypatch.syspath_prepend(tmp_path)
    frame = importlib.import_module("imported_meanwhile").frame
    alarms: list[float] = []
    monkeypatch.setattr(signal, "setitimer", lambda timer, seconds: alarms.append(seconds))
    child._raise_out_of_time(signal.SIGALRM, frame)  # as if the time were up there
    assert [seconds > 0 for seconds in alarms] == [True]
    with pytest.raises(child.OutOfTime):
        child._raise_out_of_time(signal.SIGALRM, inspect.currentframe())


async def test_a_cancelled_request_frees_its_process(pool: WorkerPool) -> None:
    await pool.run(os.getpid)
    work = asyncio.create_task(pool.run(ENDLESS))
    await asyncio.sleep(0.1)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert await pool.run(partial(sum, [1, 2])) == 3


async def test_memory_over_the_limit_is_the_works_error_and_the_process_is_replaced(pool: WorkerPool) -> None:
    before = await pool.run(os.getpid)
    with pytest.raises(NotDone) as ended:
        await pool.run(partial(bytearray, 2 * MEMORY))
    assert ended.value.why == "memory"
    assert await pool.run(os.getpid) != before
    assert await pool.run(partial(len, bytearray(MEMORY // 8))) == MEMORY // 8


async def test_a_process_that_is_killed_is_lost_and_replaced(pool: WorkerPool) -> None:
    before = await pool.run(os.getpid)
    work = asyncio.create_task(pool.run(partial(time.sleep, 3600)))
    await asyncio.sleep(0.1)
    psutil.Process(before).kill()
    with pytest.raises(NotDone) as ended:
        await work
    assert ended.value.why == "lost"
    assert await pool.run(os.getpid) != before


async def test_after_the_deadline_nothing_is_begun(pool: WorkerPool) -> None:
    with pytest.raises(NotDone) as ended:
        await pool.run(os.getpid, asyncio.get_running_loop().time() - 1.0)
    assert ended.value.why == "time"


async def test_effects_are_answered_here_and_their_failures_raised_there(pool: WorkerPool) -> None:
    asked: list[Any] = []

    async def answer(effect: Any) -> Any:
        asked.append(effect)
        if isinstance(effect, effects.ReadSet):
            raise NotFound("there is no such set")
        return effects.Moments(2.0, 2.0, 2.0)

    read = partial(_give, [{"stream": "s", "rewards": [1.0, 3.0]}])
    work = partial(answer_body, "transform", "running_scale", read, list)
    (result,) = await pool.run(work, answer=answer)
    assert result["error"] is None
    assert [type(effect) for effect in asked] == [effects.MergeMoments]
    with pytest.raises(TypeError, match="needs MergeMoments from outside"):
        await pool.run(work)
    assert await pool.run(partial(sum, [1])) == 1


async def test_while_work_waits_for_an_answer_another_process_computes(anyio_backend: str) -> None:
    pool, gate = WorkerPool(load_operations, processes=1), asyncio.Event()

    async def answer(effect: Any) -> effects.Moments:
        await gate.wait()
        return effects.Moments(2.0, 2.0, 2.0)

    read = partial(_give, [{"stream": "s", "rewards": [1.0, 3.0]}])
    try:
        waiting = asyncio.create_task(
            pool.run(partial(answer_body, "transform", "running_scale", read, list), answer=answer)
        )
        await until(lambda: pool._waiting)
        assert await pool.run(partial(sum, [1, 2])) == 3
        assert len(pids_of(pool)) == 2
        gate.set()
        assert (await waiting)[0]["error"] is None
        await until(lambda: len(pids_of(pool)) == 1)
    finally:
        await pool.close()


@pytest.mark.usefixtures("time_to_finish")
async def test_work_whose_time_passes_while_it_waits_for_an_answer_leaves_its_process_alive(pool: WorkerPool) -> None:
    async def answer(effect: Any) -> None:
        await asyncio.Event().wait()

    before = await pool.run(os.getpid)
    read = partial(_give, [{"stream": "s", "rewards": [1.0, 3.0]}])
    with pytest.raises(NotDone) as ended:
        await pool.run(partial(answer_body, "transform", "running_scale", read, list), limit_s=0.2, answer=answer)
    assert ended.value.why == "time"
    assert await pool.run(os.getpid) == before


async def run_for(pool: WorkerPool, caller: str, work: Any, done: list[str]) -> None:
    with charge_to(Share(caller)):
        await pool.run(work)
    done.append(caller)


async def test_callers_take_turns(anyio_backend: str) -> None:
    pool, done = WorkerPool(load_operations, processes=1), list[str]()
    work = partial(sum, [1, 2])
    try:  # all of them wait for the first process
        await asyncio.gather(*(run_for(pool, caller, work, done) for caller in ("many", "many", "many", "one")))
        assert done == ["many", "one", "many", "many"]
    finally:
        await pool.close()


async def test_a_caller_whose_work_takes_long_keeps_no_other_waiting(anyio_backend: str) -> None:
    told: list[tuple[str, int, int]] = []

    class Told(Observer):
        def worker_pool_changed(self, pool: str, busy: int, queued: int) -> None:
            told.append((pool, busy, queued))

    pool, done = WorkerPool(load_operations, processes=2, observer=Told()), list[str]()
    try:
        slow = [asyncio.create_task(run_for(pool, "slow", partial(time.sleep, 3600), done)) for _ in range(5)]
        await until(lambda: told and told[-1] == ("operations", 2, 3))
        async with asyncio.timeout(LONGEST_WAIT_S):
            await run_for(pool, "quick", partial(sum, [1, 2]), done)
        assert done == ["quick"]
        await until(lambda: len(pids_of(pool)) == 2)  # the further process has ended
        assert told[-1] == ("operations", 2, 3)
        for task in slow:
            task.cancel()
        await asyncio.wait(slow)
        assert told[-1] == ("operations", 0, 0)
    finally:
        await pool.close()


async def test_what_a_caller_used_alone_is_not_held_against_it(anyio_backend: str) -> None:
    pool, done = WorkerPool(load_operations, processes=1), list[str]()
    try:
        for _ in range(3):
            await run_for(pool, "early", partial(time.sleep, 0.5), done)
        works = [("early", 3), ("late", 3)]
        begun = [
            asyncio.create_task(run_for(pool, caller, partial(sum, [1]), done)) for caller, n in works for _ in range(n)
        ]
        await asyncio.gather(*begun)
        assert done[3:6].count("early") >= 1
    finally:
        await pool.close()


async def test_a_process_given_just_as_its_work_is_cancelled_is_passed_on(anyio_backend: str) -> None:
    pool = WorkerPool(load_operations, processes=1)
    try:
        await pool.run(partial(sum, [1]))
        (worker,) = pool._idle
        pool._idle.clear()
        first, second = [asyncio.create_task(pool.run(partial(sum, [n]))) for n in (1, 2)]
        await asyncio.sleep(0)
        pool._give(worker)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await second == 2
        assert len(pool._idle) == 1
    finally:
        await pool.close()


def _give(items: list[Any], body: bytes) -> tuple[list[Any], None]:
    return items, None


async def test_a_worker_knows_no_setting_of_the_gateway(
    pool: WorkerPool, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_GATEWAY_REDIS_URL", "redis://:secret@cache")
    fresh = WorkerPool(NOTHING, processes=1)
    try:
        assert await fresh.run(partial(os.getenv, "REWARD_GATEWAY_REDIS_URL")) is None
    finally:
        await fresh.close()


async def test_closing_leaves_no_process_behind(anyio_backend: str) -> None:
    pool = WorkerPool(NOTHING, processes=2)
    pool.start()
    await until(lambda: len(pids_of(pool)) == 2)
    pids = pids_of(pool)
    await pool.close()
    assert not any(map(psutil.pid_exists, pids))


async def test_closing_tells_those_that_wait_and_those_that_come_later(anyio_backend: str) -> None:
    pool = WorkerPool(load_operations, processes=1)
    await pool.run(os.getpid)
    works = [asyncio.create_task(pool.run(ENDLESS)) for _ in range(3)]
    await until(lambda: len(pool._queue) == 2)
    await pool.close()
    answers = await asyncio.gather(*works, pool.run(os.getpid), return_exceptions=True)
    assert [getattr(answer, "why", answer) for answer in answers] == ["lost"] * 4
    assert pids_of(pool) == set()


async def test_closing_ends_a_process_that_is_just_starting(anyio_backend: str) -> None:
    pool, before = WorkerPool(partial(time.sleep, 3600), processes=1), children()
    pool.start()
    await until(lambda: children() - before)
    started = children() - before
    await pool.close()
    assert not any(map(psutil.pid_exists, started))


@pytest.mark.usefixtures("time_to_finish")
async def test_a_process_that_dies_while_its_work_is_given_up_is_replaced(pool: WorkerPool) -> None:
    before = await pool.run(os.getpid)
    work = asyncio.create_task(pool.run(ENDLESS))
    await until(lambda: not pool._idle)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    psutil.Process(before).kill()
    assert await pool.run(os.getpid) != before


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


class Told(Observer):
    def __init__(self) -> None:
        self.unfinished: list[str] = []

    def work_unfinished(self, reason: UnfinishedReason) -> None:
        self.unfinished.append(reason)


async def test_work_that_is_not_done_is_told_with_its_reason(anyio_backend: str) -> None:
    told = Told()
    pool = WorkerPool(load_operations, processes=1, memory=MEMORY, observer=told)
    try:
        assert await pool.run(partial(int, "1")) == 1
        for work, limit_s in ((partial(bytes, 4 * MEMORY), None), (ENDLESS, 0.0)):
            with pytest.raises(NotDone):
                await pool.run(work, limit_s=limit_s)
        assert told.unfinished == ["memory", "time"]
    finally:
        await pool.close()


async def test_a_process_that_cannot_be_started_is_lost_work_that_may_be_sent_again() -> None:
    pool = WorkerPool(partial(int, "no number"), processes=1)
    try:
        with pytest.raises(NotDone, match="lost"):
            await pool.run(partial(int, "1"), None)
    finally:
        await pool.close()


async def test_every_work_that_waits_for_processes_that_cannot_be_started_is_told() -> None:
    pool = WorkerPool(partial(int, "no number"), processes=1)
    try:
        works = [pool.run(partial(int, "1"), None) for _ in range(3)]
        answers = await asyncio.gather(*works, return_exceptions=True)
        assert [getattr(answer, "why", answer) for answer in answers] == ["lost"] * 3
    finally:
        await pool.close()


async def test_a_failed_start_that_nobody_waited_for_fails_no_later_work(tmp_path: Path) -> None:
    pool = WorkerPool(partial(Path.read_text, tmp_path / "there"), processes=1)
    try:
        pool.start()
        await until(lambda: not pool._starting)
        (tmp_path / "there").touch()
        assert await pool.run(partial(int, "1")) == 1
    finally:
        await pool.close()
