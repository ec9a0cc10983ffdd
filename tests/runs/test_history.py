"""The history of runs, in this process and in a store that processes share: what is kept, how long, and how much."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.errors import InvalidRequest, NotFound, StateUnavailable
from reward_gateway.runs import history as histories
from reward_gateway.runs import loaded, redis_store
from reward_gateway.runs import store as stores
from reward_gateway.runs.across import RecipeRuns
from reward_gateway.runs.history import RunHistory
from reward_gateway.runs.redis_store import RedisRunStore
from reward_gateway.runs.store import LocalRunStore, RunName
from reward_gateway.sample import ComponentScores, Invalid, Scored
from reward_gateway.scoring.request_scope import RequestScope

from tests.valkey import Valkey

pytestmark = pytest.mark.anyio

A = RequestScope("alice", "a")
NAME = RunName("alice", "a")
T0 = 1_700_000_000.0 - 1_700_000_000 % 3600
"""An hour begins here."""

Start = Callable[..., "Worker"]


class Worker:
    """A gateway process as far as the history of runs goes, on a clock that stands still."""

    def __init__(self, store: Any, now: list[float]) -> None:
        self.counts: Counter[str] = Counter()

        def lose(rows: int) -> None:
            self.counts["lost"] += rows

        def fail() -> None:
            self.counts["failed"] += 1

        self.history = RunHistory(store, lambda: now[0], lose, fail)

    async def score(self, scored: Scored, scope: RequestScope = A, step: int | None = None) -> None:
        self.history.record(scored, replace(scope, step=step))
        await self.history.flush()

    async def rows(self, bucket: Any = "minute", recipe: str = "r", name: RunName = NAME, **given: Any) -> Any:
        return (await self.history.read(name, bucket, **given))["rewards"][recipe]["series"]

    async def runs(self, caller: str | None = "alice", limit: int = 100) -> list[str]:
        heads, _ = await self.history.list_page(caller, None, limit)
        return [head.run for head in heads]


def scored(*rewards: float, recipe: str = "r", version: str = "v1", raw: Any = None, groups: Any = None) -> Scored:
    values = np.array(rewards)
    return Scored(
        recipe,
        version,
        values,
        {"c": ComponentScores(values, values)},
        reward_raw=None if raw is None else np.array(raw),
        lengths=np.arange(len(values), dtype=float),
        group_keys=np.zeros(len(values), np.int64) if groups is None else np.array(groups),
    )


@pytest.fixture
def now() -> list[float]:
    return [T0]


@pytest.fixture(params=["process", pytest.param("redis", marks=pytest.mark.stack)])
async def start(
    request: pytest.FixtureRequest, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Start]:
    """Starts workers: in Redis each with a connection of its own, in process all with one store."""
    started: list[Worker] = []
    local: list[LocalRunStore] = []
    if request.param == "redis":
        monkeypatch.setattr(redis_store, "TIMEOUT_S", 60.0)  # no machine is too slow
        valkey: Valkey = request.getfixturevalue("valkey_process")
        with valkey.client() as client:
            client.flushall()

    def start_worker(max_bytes: int = 1 << 26) -> Worker:
        store: Any
        if request.param == "redis":
            store = RedisRunStore(valkey.url, max_bytes)
        else:
            store = local[0] if local else LocalRunStore(max_bytes)
            local.append(store)
        started.append(Worker(store, now))
        return started[-1]

    yield start_worker
    for worker in started:
        await worker.history.close()


async def test_every_process_tells_what_all_of_them_scored(start: Start) -> None:
    one, other = start(), start()
    await one.score(scored(1.0, 2.0), step=3)
    bad = scored(3.0, np.nan)
    bad.invalid, bad.flags = {1: Invalid("guard", "caught")}, {0: ("truncated",)}
    await other.score(bad, step=3)
    for worker in (one, other):
        told = await worker.history.read(NAME, "step")
        assert (told["run"], told["caller"], told["samples"], told["invalid"]) == ("a", "alice", 4, 1)
        (row,) = told["rewards"]["r"]["series"]
        assert (row["step"], row["n"], row["invalid"], row["flagged"]) == (3, 4, 1, 1)
        assert (row["mean"], row["std"]) == (pytest.approx(2.0), pytest.approx(1.0))
        assert row["components"] == {"c": {"mean": pytest.approx(2.0), "std": pytest.approx(1.0)}}


async def test_rows_are_of_minutes_hours_and_steps(start: Start, now: list[float]) -> None:
    worker = start()
    for minute, step in ((0, 10), (1, 11), (61, None)):
        now[0] = T0 + 60 * minute
        await worker.score(scored(float(minute), float(minute)), step=step)
    assert [(row["t"], row["mean"]) for row in await worker.rows()] == [(T0, 0), (T0 + 60, 1), (T0 + 3660, 61)]
    assert [(row["t"], row["n"]) for row in await worker.rows("hour")] == [(T0, 4), (T0 + 3600, 2)]
    assert [(row["step"], row["mean"]) for row in await worker.rows("step")] == [(10, 0), (11, 1)]
    assert [row["t"] for row in await worker.rows(after=int(T0))] == [T0 + 60, T0 + 3660]
    assert [row["step"] for row in await worker.rows("step", after=10)] == [11]


async def test_a_minute_is_kept_for_a_day_an_hour_for_thirty_and_the_last_steps(
    start: Start, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "SLOTS", {**loaded.SLOTS, "step": 3})
    worker = start()
    for step in range(5):
        await worker.score(scored(1.0), step=step)
    assert [row["step"] for row in await worker.rows("step")] == [2, 3, 4]
    now[0] += 86_400 - 60
    assert [row["n"] for row in await worker.rows()] == [5]
    now[0] += 60
    assert await worker.rows() == []
    await worker.score(scored(1.0))  # in the slot of the first minute
    assert [(row["t"], row["n"]) for row in await worker.rows()] == [(now[0], 1)]
    assert [row["n"] for row in await worker.rows("hour")] == [5, 1]
    now[0] = T0 + 30 * 86_400
    assert [row["n"] for row in await worker.rows("hour")] == [1]


async def test_the_rewards_before_the_comparison_are_told_and_the_advantage_beside_them(start: Start) -> None:
    worker = start()
    await worker.score(scored(-1.0, 1.0, 0.0, 0.0, raw=[2.0, 4.0, 1.0, 1.0], groups=[5, 5, 6, 6]))
    (row,) = await worker.rows()
    assert (row["mean"], row["advantage"]["mean"], row["zero_variance_share"]) == (2.0, 0.0, 0.5)


async def test_members_of_a_group_that_come_one_by_one_meet(start: Start) -> None:
    worker = start()
    for reward in (1.0, 1.0, 1.0):
        worker.history.record(scored(reward, groups=[9]), A)
    (row,) = await worker.rows()
    assert row["zero_variance_share"] == 1.0


async def test_a_version_is_told_with_its_beginning(start: Start, now: list[float]) -> None:
    one, other = start(), start()
    await one.score(scored(1.0), step=1)
    now[0] += 100
    await other.score(scored(1.0, version="v2"), step=2)
    await one.score(scored(1.0, version="v1"), step=2)  # it has not yet read the new file
    now[0] += 1
    await one.score(scored(1.0, version="v2"), step=3)
    now[0] += 100
    await one.score(scored(1.0, version="v1"), step=4)  # the change was taken back
    told = (await other.history.read(NAME, "step"))["rewards"]["r"]["versions"]
    assert [(found["version"], found["step"]) for found in told] == [("v1", 1), ("v2", 2), ("v1", 4)]
    assert [found["since"] for found in told] == [T0, T0 + 100, now[0]]


async def test_runs_and_callers_are_kept_apart(start: Start) -> None:
    worker = start()
    await worker.score(scored(1.0), RequestScope("alice"))
    await worker.score(scored(2.0), RequestScope("alice", "b"))
    await worker.score(scored(3.0), RequestScope("bob", "b"))
    assert [row["mean"] for row in await worker.rows(name=RunName("alice", ""))] == [1.0]
    assert [row["mean"] for row in await worker.rows(name=RunName("bob", "b"))] == [3.0]
    assert sorted(await worker.runs()) == ["", "b"]
    assert await worker.runs("bob") == ["b"]
    assert len(await worker.runs(None)) == 3
    with pytest.raises(NotFound):
        await worker.history.read(RunName("bob", ""), "minute")


async def test_a_listing_has_pages_the_run_seen_last_first(start: Start, now: list[float]) -> None:
    worker = start()
    for k in range(5):
        await worker.score(scored(1.0), RequestScope("alice", f"run{k}"))
        now[0] += k % 2  # some at the same time
    pages, cursor = [], None
    while True:
        heads, cursor = await worker.history.list_page("alice", cursor, 2)
        pages.append([head.run for head in heads])
        if cursor is None:
            break
    assert pages == [["run4", "run3"], ["run2", "run1"], ["run0"]]
    for wrong in ("x", "1", "nan/alice/a", "1e999/alice/a", "-1/alice/a"):
        with pytest.raises(InvalidRequest):
            await worker.history.list_page("alice", wrong, 2)


async def test_a_caller_has_so_many_runs(start: Start, now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stores, redis_store):
        monkeypatch.setattr(module, "MOST_RUNS", 3)
    worker = start()
    for run in ("a", "b", "c", "a", "d"):
        now[0] += 1
        await worker.score(scored(1.0), RequestScope("alice", run))
        await worker.score(scored(1.0), RequestScope("bob", run))
    assert await worker.runs() == ["d", "a", "c"]
    assert await worker.runs("bob") == ["d", "a", "c"]


async def test_there_is_room_for_so_many_bytes(start: Start, now: list[float]) -> None:
    worker = start(max_bytes=6000)
    for k in range(30):
        now[0] += 1
        await worker.score(scored(1.0), RequestScope("alice", f"run{k}"), step=k)
    kept = await worker.runs()
    assert kept == [f"run{29 - k}" for k in range(len(kept))]
    assert 2 <= len(kept) <= 12
    for run in kept:
        await worker.history.forget(RunName("alice", run))
    await worker.score(scored(1.0), step=1)
    assert await worker.runs() == ["a"]


async def test_a_run_is_forgotten(start: Start) -> None:
    one, other = start(), start()
    await one.score(scored(1.0), step=1)
    await one.history.forget(NAME)
    for worker in (one, other):
        with pytest.raises(NotFound):
            await worker.history.read(NAME, "step")
        assert await worker.runs() == []
    with pytest.raises(NotFound):
        await other.history.forget(NAME)
    await other.score(scored(2.0), step=2)
    assert [row["step"] for row in await one.rows("step")] == [2]


async def test_what_cannot_be_summarised_holds_up_nothing_else(start: Start) -> None:
    worker = start()
    odd = scored(1.0, recipe="odd")
    odd.group_keys = np.zeros(0, np.int64)
    worker.history.record(odd, A)
    await worker.score(scored(2.0))
    assert [row["mean"] for row in await worker.rows()] == [2.0]


async def test_batches_that_wait_are_bounded(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "MAX_WAITING_ROWS", 5)
    worker = start()
    for reward in (1.0, 2.0, 3.0):
        worker.history.record(scored(reward, reward), A)
    assert worker.counts == {"lost": 2}
    assert [row["mean"] for row in await worker.rows()] == [2.5]


@pytest.mark.stack
async def test_while_the_store_is_away_batches_wait_and_nothing_is_counted_twice(
    tmp_path: Path, now: list[float]
) -> None:
    valkey_server = Valkey(tmp_path)
    valkey_server.start()
    worker = Worker(RedisRunStore(valkey_server.url, 1 << 26), now)
    await worker.score(scored(1.0), step=1)
    valkey_server.kill()
    worker.history.record(scored(2.0), replace(A, step=1))
    with pytest.raises(StateUnavailable):
        await worker.history.read(NAME, "step")
    worker.history.record(scored(3.0), replace(A, step=2))
    with pytest.raises(StateUnavailable):
        await worker.history.list_page("alice", None, 1)
    assert worker.counts["failed"] == 2
    valkey_server.start()
    assert [(row["step"], row["n"]) for row in await worker.rows("step")] == [(1, 1), (2, 1)]
    await worker.history.close()
    valkey_server.kill()


async def test_an_answer_that_was_lost_counts_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = start()
    write = worker.history.store.write

    async def lose_answer(changes: Any) -> list[bool]:
        await write(changes)
        return [False] * len(changes)

    worker.history.record(scored(1.0), A)
    with monkeypatch.context() as patched:
        patched.setattr(type(worker.history.store), "write", lambda _, changes: lose_answer(changes))
        await worker.history.flush()
    assert [row["n"] for row in await worker.rows()] == [1]


async def test_the_newest_rows_are_read_alone(start: Start, now: list[float]) -> None:
    worker = start()
    for step in range(6):
        now[0] += 60
        await worker.score(scored(float(step), step + 1.0), step=step)
    for bucket in ("minute", "step"):
        some = (await worker.history.load(NAME, bucket, newest=3)).series["r"]
        assert some == (await worker.history.load(NAME, bucket)).series["r"][-3:]
    assert (await worker.history.load(NAME, "step", newest=10**6)).series["r"][0].at == 0


async def test_drift_is_that_of_the_newest_rows_from_the_first(start: Start) -> None:
    worker = start()
    draw = np.random.default_rng(0)
    for step in range(10):
        await worker.score(scored(*draw.normal(0.0 if step < 9 else 3.0, 1.0, 200)), step=step)
    run = await worker.history.load(NAME, "step")
    moved = run.measure_drift(run.summarise_first(0.1))["r"]
    assert moved is not None
    assert moved["ks"] > 0.8
    await worker.score(scored(1.0), RequestScope("alice", "short"), step=1)
    short = await worker.history.load(RunName("alice", "short"), "step")
    assert short.measure_drift(short.summarise_first(0.5)) == {"r": None}


async def test_rows_within_a_window_are_read_alone(start: Start) -> None:
    worker = start()
    for step in range(-2, 8):
        await worker.score(scored(float(step), step + 1.0), step=step)
    for wanted in (range(-1, 3), range(-(10**15), 3), range(5, 10**15), range(100, 200)):
        run = await worker.history.load(NAME, "step", within=wanted)
        assert [row.at for row in run.series["r"]] == [step for step in range(-2, 8) if step in wanted]
    window = (await worker.history.load(NAME, "step", within=range(-2, 8))).summarise_rows()
    assert window["r"].count == 20


async def test_a_recipe_is_read_over_all_runs(start: Start, now: list[float]) -> None:
    worker = start()
    one, other, third = RequestScope("alice", "a"), RequestScope("alice", "b"), RequestScope("bob", "a")
    await worker.score(scored(1.0, 2.0), one)
    now[0] += 1
    await worker.score(scored(3.0, version="v2"), other)
    await worker.score(scored(8.0), third)
    await worker.score(scored(5.0, recipe="else"), other)
    own = RecipeRuns(worker.history, "alice", "r", "minute", 60)
    everyone = RecipeRuns(worker.history, None, "r", "minute", 60)
    (run, count), (all_runs, most) = await own.load(), await everyone.load()
    assert (count, most) == (2, 3)
    (row,), (whole,) = run.series["r"], all_runs.series["r"]
    assert (row.n, row.reward.mean) == (3, 2.0)
    assert (whole.n, whole.reward.mean) == (4, 3.5)
    assert [found["version"] for found in run.head.describe_versions("r")] == ["v1", "v2"]
    now[0] += 60
    await worker.score(scored(5.0), one)
    later, _ = await own.load()
    assert [row.n for row in later.series["r"]] == [3, 1]
    assert later.revision != run.revision
    assert (await own.load())[0].revision == later.revision
    minute = later.series["r"][0].at
    assert [row.at for row in (await own.load_within(range(minute, minute + 1))).series["r"]] == [minute]
    with pytest.raises(NotFound):
        await RecipeRuns(worker.history, "alice", "nothing", "minute", 60).load()


async def test_processes_that_write_at_the_same_time_lose_nothing(start: Start) -> None:
    workers = [start() for _ in range(4)]

    async def work(worker: Worker) -> None:
        for step in range(10):
            await worker.score(scored(1.0, 2.0), step=step % 2)

    await asyncio.gather(*map(work, workers))
    for worker in workers:
        await worker.history.flush()
    assert [(row["step"], row["n"]) for row in await workers[0].rows("step")] == [(0, 40), (1, 40)]
    told = await workers[1].history.read(NAME, "minute")
    assert told["samples"] == 80
    assert [row["n"] for row in told["rewards"]["r"]["series"]] == [80]
