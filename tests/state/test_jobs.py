"""Jobs are specified once and tried in both homes: in this process, and in a real Valkey."""

import asyncio

import pytest
from reward_gateway.fair_queue import WEIGHTS
from reward_gateway.state.jobs import (
    WORK,
    Delivery,
    JobLimits,
    JobStore,
    JobView,
    NewJob,
    TakenPiece,
    job_topic,
    queue_topic,
)
from reward_gateway.state.local_jobs import LocalJobs
from reward_gateway.state.store import StateStore

from tests.clock import Clock

pytestmark = pytest.mark.anyio

LEASE_S = 0.2
NO_LIMITS = JobLimits()


def new_job(name: str = "j", pieces: int = 1, tenant: str = "alice", **more: object) -> NewJob:
    """A job of pieces of one sample."""
    given = {"head": b"head", "samples": pieces, "inputs": [b"%d" % piece for piece in range(pieces)], **more}
    return NewJob(tenant, name, **given)  # type: ignore[arg-type]


async def take(jobs: JobStore, worker: str = "w", lease_s: float = 30.0) -> TakenPiece:
    taken = await jobs.take(worker, lease_s)
    assert taken is not None
    return taken


async def record(jobs: JobStore, taken: TakenPiece, words: bytes | None = None) -> bool:
    return await jobs.record(taken, [Delivery(b"[%b]" % (words or taken.input), 1)], {"samples": 1})


async def read(jobs: JobStore, name: str = "j", after: str = "", tenant: str = "alice") -> JobView:
    view = await jobs.read(tenant, name, after, 100)
    assert view is not None
    return view


async def test_a_job_is_scored_piece_by_piece_and_read_from_where_the_reader_stopped(store: StateStore) -> None:
    jobs = store.jobs
    assert (await jobs.submit(new_job(pieces=2), NO_LIMITS)).outcome == "new"
    assert (await read(jobs)).status == "queued"
    first = await take(jobs)
    assert (first.tenant, first.job, first.head, first.input, first.times) == ("alice", "j", b"head", b"0", 1)
    assert await record(jobs, first)
    view = await read(jobs)
    assert (view.status, view.completed, view.deliveries) == ("running", 1, [b"[0]"])
    assert await record(jobs, await take(jobs))
    rest = await read(jobs, after=view.cursor)
    assert (rest.status, rest.completed, rest.deliveries, rest.usage) == ("done", 2, [b"[1]"], {"samples": 2})
    assert (await read(jobs, after=rest.cursor)).deliveries == []
    assert await jobs.take("w", 30.0) is None
    page = await jobs.read("alice", "j", "", 1)
    assert page is not None
    assert (page.deliveries, page.more, rest.more) == ([b"[0]"], True, False)


async def test_nobody_reads_another_tenants_job(store: StateStore) -> None:
    await store.jobs.submit(new_job(), NO_LIMITS)
    assert await store.jobs.read("bob", "j", "", 1) is None


async def test_a_lost_piece_is_handed_out_again_and_its_first_results_count(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(), NO_LIMITS)
    lost = await take(jobs, "dead", LEASE_S)
    assert await jobs.take("w", LEASE_S) is None
    await asyncio.sleep(1.5 * LEASE_S)
    again = await take(jobs, "w", LEASE_S)
    assert (again.input, again.times) == (lost.input, 2)
    assert not await jobs.renew(lost, "dead")
    assert await record(jobs, lost, b"1")  # it was only slow
    assert not await jobs.renew(again, "w")
    assert not await record(jobs, again, b"2")
    assert (await read(jobs)).deliveries == [b"[1]"]


async def test_a_lease_that_is_renewed_is_kept(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(), NO_LIMITS)
    taken = await take(jobs, "slow", LEASE_S)
    for _ in range(4):
        await asyncio.sleep(LEASE_S / 2)
        assert await jobs.renew(taken, "slow")
    assert await jobs.take("w", LEASE_S) is None


async def test_a_lease_that_is_given_up_is_free_at_once(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(), NO_LIMITS)
    taken = await take(jobs, "w", 60.0)
    await jobs.release(taken, "another")
    assert await jobs.take("v", 60.0) is None
    await jobs.release(taken, "w")
    assert (await take(jobs, "v", 60.0)).times == 2


async def test_a_parked_piece_is_nobodys_until_its_time_is_up(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(), NO_LIMITS)
    taken = await take(jobs, "w", LEASE_S)
    await jobs.park(taken, 3 * LEASE_S)
    await asyncio.sleep(2 * LEASE_S)
    assert await jobs.take("v", LEASE_S) is None
    await asyncio.sleep(2 * LEASE_S)
    again = await take(jobs, "v", LEASE_S)
    assert (again.input, again.times) == (taken.input, 1)
    assert await record(jobs, taken)  # the first results count, whoever has them
    assert not await record(jobs, again)


async def test_a_parked_piece_that_is_given_up_is_free_at_once(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(), NO_LIMITS)
    taken = await take(jobs, "w", 60.0)
    await jobs.park(taken, 60.0)
    await jobs.release(taken, "w")
    assert (await take(jobs, "v", 60.0)).input == taken.input


async def test_a_piece_that_was_recorded_is_not_parked(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(), NO_LIMITS)
    taken = await take(jobs, "w", 60.0)
    assert await record(jobs, taken)
    await jobs.park(taken, 0.001)
    await asyncio.sleep(LEASE_S)
    assert await jobs.take("v", 60.0) is None


async def test_the_jobs_of_a_lane_take_turns(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job("large", pieces=3), NO_LIMITS)
    await jobs.submit(new_job("small"), NO_LIMITS)
    assert [(await take(jobs)).job for _ in range(4)] == ["large", "small", "large", "large"]


async def test_tenants_and_priorities_are_served_by_weight(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job("much", pieces=40, priority="batch"), NO_LIMITS)
    await jobs.submit(new_job("more", pieces=40, tenant="bob"), NO_LIMITS)
    served = [(await take(jobs)).job for _ in range(25)]
    ratio = WEIGHTS["training"] / WEIGHTS["batch"]
    assert served.count("more") == pytest.approx(25 * ratio / (ratio + 1), abs=2)


async def test_a_key_makes_a_repeat_the_same_job(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job("one", key=("key", "body")), NO_LIMITS)
    repeat = await jobs.submit(new_job("two", key=("key", "body")), NO_LIMITS)
    assert (repeat.outcome, repeat.job) == ("same", "one")
    assert (await jobs.submit(new_job("three", key=("key", "other")), NO_LIMITS)).outcome == "conflict"
    assert await jobs.read("alice", "two", "", 1) is None


async def test_a_tenant_leaves_room_for_another_and_all_of_it_ends(store: StateStore) -> None:
    jobs, limits = store.jobs, JobLimits(samples=10, jobs=3)
    assert (await jobs.submit(new_job("a", pieces=5), limits)).outcome == "new"
    assert (await jobs.submit(new_job("b"), limits)).outcome == "share"
    assert (await jobs.submit(new_job("c", pieces=2, tenant="bob"), limits)).outcome == "new"
    assert (await jobs.submit(new_job("d", pieces=4, tenant="bob"), limits)).outcome == "full"
    assert (await jobs.submit(new_job("e", tenant="carol"), limits)).outcome == "new"
    assert (await jobs.submit(new_job("f", tenant="dave"), limits)).outcome == "full"
    waiting = await jobs.count_waiting()
    assert (waiting.jobs, waiting.samples) == (3, 8)
    assert waiting.oldest_s >= 0


async def test_cancelling_answers_what_is_open(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(pieces=3), NO_LIMITS)
    await record(jobs, await take(jobs))
    running = await take(jobs)
    pieces = await jobs.open_pieces("alice", "j")
    assert sorted(pieces.values()) == [b"1", b"2"]
    assert await jobs.cancel("alice", "j", {piece: Delivery(b"[-1]", 1) for piece in pieces})
    assert not await record(jobs, running)
    view = await read(jobs)
    assert (view.status, view.completed, view.deliveries) == ("cancelled", 3, [b"[0]", b"[-1]", b"[-1]"])
    assert await jobs.take("w", 1.0) is None
    assert (await jobs.count_waiting()).jobs == 0


async def test_a_job_that_fails_says_why(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(pieces=2), NO_LIMITS)
    assert await jobs.fail(await take(jobs), b'{"code":"unscorable_sample"}')
    view = await read(jobs)
    assert (view.status, view.error) == ("failed", b'{"code":"unscorable_sample"}')
    assert await jobs.take("w", 1.0) is None


async def test_a_piece_is_replaced_by_its_parts(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(samples=2), NO_LIMITS)
    await jobs.split(await take(jobs), [b"a", b"b"])
    parts = [await take(jobs), await take(jobs)]
    assert [part.input for part in parts] == [b"a", b"b"]
    for part in parts:
        assert await record(jobs, part)
    assert (await read(jobs)).status == "done"


async def test_results_together_are_shown_once_all_are_there(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(pieces=2, run="r", queue=True, together=True), NO_LIMITS)
    await record(jobs, await take(jobs))
    assert (await read(jobs)).deliveries == []
    assert await jobs.take_results("alice", "r", "c", 9, 60.0) == []
    await record(jobs, await take(jobs))
    assert (await read(jobs)).deliveries == [b"[0]", b"[1]"]
    assert [each.results for each in await jobs.take_results("alice", "r", "c", 9, 60.0)] == [b"[0]", b"[1]"]


async def test_a_runs_results_go_to_one_consumer_and_again_unless_acknowledged(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(pieces=3, run="r", queue=True), NO_LIMITS)
    for _ in range(3):
        await record(jobs, await take(jobs))
    (first,) = await jobs.take_results("alice", "r", "a", 1, LEASE_S)
    rest = await jobs.take_results("alice", "r", "b", 9, 600.0)
    assert [each.results for each in (first, *rest)] == [b"[0]", b"[1]", b"[2]"]
    assert first.job == "j"
    assert await jobs.take_results("alice", "r", "a", 9, 60.0) == []
    assert await jobs.take_results("bob", "r", "a", 9, 60.0) == []
    await asyncio.sleep(1.5 * LEASE_S)
    assert await jobs.take_results("alice", "r", "b", 9, 60.0) == [first]  # the others' time is longer
    receipts = [each.receipt for each in (first, *rest)]
    assert await jobs.acknowledge("alice", "r", receipts[:1]) == 1
    assert (await read(jobs)).deliveries == [b"[1]", b"[2]"]  # what somebody has is kept for nobody
    assert await jobs.acknowledge("alice", "r", receipts) == 2
    view = await read(jobs)
    assert (view.status, view.completed, view.deliveries) == ("done", 3, [])
    assert await jobs.acknowledge("alice", "r", receipts) == 0
    assert await jobs.empty("alice", "r") == 0


async def test_a_queue_is_emptied(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(pieces=2, run="r", queue=True), NO_LIMITS)
    for _ in range(2):
        await record(jobs, await take(jobs))
    assert await jobs.empty("alice", "r") == 2
    assert len((await read(jobs)).deliveries) == 2
    assert await jobs.take_results("alice", "r", "a", 9, 60.0) == []


async def test_those_who_wait_are_woken(store: StateStore) -> None:
    jobs = store.jobs
    jobs.listen()
    await asyncio.sleep(0.2)
    topics = [WORK, job_topic("alice", "j"), queue_topic("alice", "r")]
    with jobs.wakes.watch(topics[0]) as work, jobs.wakes.watch(topics[1]) as job, jobs.wakes.watch(topics[2]) as queue:
        await jobs.submit(new_job(run="r", queue=True), NO_LIMITS)
        await asyncio.wait_for(work.wait(), 5.0)
        await record(jobs, await take(jobs))
        await asyncio.wait_for(job.wait(), 5.0)
        await asyncio.wait_for(queue.wait(), 5.0)


async def test_a_job_without_progress_expires(store: StateStore) -> None:
    jobs = store.jobs
    await jobs.submit(new_job(pieces=2, expires_s=0.3), NO_LIMITS)
    await record(jobs, await take(jobs))
    await asyncio.sleep(0.4)
    view = await read(jobs)
    assert (view.status, view.deliveries) == ("expired", [])
    assert [(await jobs.count_waiting()).expired for _ in range(2)] == [1, 0]
    assert await jobs.take("w", 1.0) is None
    await asyncio.sleep(0.5)
    assert await jobs.read("alice", "j", "", 1) is None


async def test_a_store_on_disk_can_say_that_it_is_safe(store: StateStore) -> None:
    assert await store.jobs.sync() in (True, False)


async def test_keys_of_jobs_in_this_process_end_with_them() -> None:
    with Clock(asyncio.get_running_loop()) as clock:
        jobs = LocalJobs(WEIGHTS)
        await jobs.submit(new_job("one", key=("key", "body"), expires_s=60.0), NO_LIMITS)
        await clock.advance(61.0)
        assert (await jobs.submit(new_job("two", key=("key", "other"), expires_s=60.0), NO_LIMITS)).outcome == "new"
