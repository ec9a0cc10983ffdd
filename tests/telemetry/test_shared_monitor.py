"""The windows that gateway processes share: merged, bounded, expiring, and no worse for a store that goes away."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis.exceptions import RedisError
from reward_gateway.sample import ComponentScores, Invalid, Scored
from reward_gateway.telemetry import shared_monitor
from reward_gateway.telemetry.monitor import Monitor
from reward_gateway.telemetry.shared_monitor import MINUTE_S, MINUTES, SharedMonitor
from reward_gateway.telemetry.window import REWARD

from tests.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

SIZE = 500


class Worker:
    """A gateway process as far as the monitor goes: its own, and the shared one on a clock that stands still."""

    def __init__(self, url: str, now: list[float]) -> None:
        self.counts: Counter[str] = Counter()

        def lose(rows: int) -> None:
            self.counts["lost"] += rows

        def fail() -> None:
            self.counts["failed"] += 1

        self.shared = SharedMonitor(url, SIZE, lambda: now[0], lose, fail)
        self.own = Monitor(reader=self.shared.keep_rows)

    async def score(self, *batches: Scored, plan: Any = None, lengths: Any = None, flush: bool = True) -> None:
        for batch in batches:
            self.own.note_batch(plan, batch, lengths)
        self.own.read_noted()
        if flush:
            await self.shared.flush()

    async def report(self, recipe: str = "r") -> dict[str, Any]:
        return (await self.shared.report())[recipe]


class Ensemble:
    """The part of a plan that the monitor reads."""

    ensemble = ("a", "b")
    audits: tuple[str, ...] = ()


def scored(rows: int, seed: int = 0, mean: float = 0.0, recipe: str = "r", version: str = "v1") -> Scored:
    draw = np.random.default_rng(seed).normal(mean, size=(3, rows))
    plain = draw[1]
    parts = {"a": ComponentScores(draw[0], np.tanh(draw[0])), "b": ComponentScores(plain, plain)}
    return Scored(recipe, version, draw[2], parts)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is too slow for the time limits."""
    monkeypatch.setattr(shared_monitor, "TIMEOUT_S", 60.0)


@pytest.fixture
def now() -> list[float]:
    return [1_700_000_000.0]


Start = Callable[[], Worker]


@pytest.fixture
async def start(valkey_process: Valkey, now: list[float]) -> AsyncIterator[Start]:
    with valkey_process.client() as client:
        client.flushall()
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker(valkey_process.url, now))
        return started[-1]

    yield start
    for worker in started:
        await worker.shared.close()


async def test_every_process_tells_what_all_of_them_saw(start: Start) -> None:
    one, other = start(), start()
    first, second = scored(300, seed=1), scored(150, seed=2)
    first.flags = {0: ("truncated",)}
    second.invalid = {1: Invalid("guard", "caught")}
    await one.score(first)
    await other.score(second)
    together = np.concatenate([first.reward, np.delete(second.reward, 1)])
    for told in (await one.report(), await other.report()):
        assert told["samples"] == 450
        assert told["reward"]["count"] == 449
        assert told["reward"]["mean"] == pytest.approx(together.mean())
        assert told["reward"]["std"] == pytest.approx(together.std())
        assert told["reward"]["quantiles"]["0.5"] == pytest.approx(np.median(together), rel=0.02, abs=0.02)
        assert set(told["components"]["a"]) == {"value", "raw"}
        assert set(told["components"]["b"]) == {"value"}
        assert told["flagged"] == {"truncated": 1 / 450}
        assert told["invalid"] == {"guard": 1 / 450}


async def test_the_answer_has_the_shape_of_one_process(start: Start) -> None:
    worker = start()
    await worker.score(scored(300))

    def shape(value: Any) -> Any:
        return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else None

    assert shape(await worker.report()) == shape(worker.own.report()["r"])


async def test_a_flush_that_is_repeated_counts_once(start: Start) -> None:
    worker = start()
    await worker.score(scored(100))
    for seen in worker.shared._minutes.values():
        seen.written = False  # as if the answer to the write had been lost
    await worker.shared.flush()
    assert (await worker.report())["samples"] == 100


async def test_what_has_not_been_flushed_yet_is_told_by_the_process_that_saw_it(start: Start) -> None:
    worker = start()
    await worker.score(scored(100), flush=False)
    assert (await worker.report())["samples"] == 100


async def test_drift_is_held_against_the_first_samples_of_all_processes(start: Start) -> None:
    one, other = start(), start()
    await asyncio.gather(one.score(scored(400, seed=1)), other.score(scored(400, seed=2)))
    told = await one.report()
    assert told["reference_samples"] == SIZE
    assert told["reward"]["drift"]["psi"] < 0.1
    await other.score(scored(2000, seed=3, mean=2.0))
    moved = await one.report()
    assert moved["reference_samples"] == SIZE
    assert moved["reward"]["drift"]["psi"] > 0.25
    assert moved["components"]["a"]["raw"]["drift"]["ks"] > 0.25


async def test_a_reset_reaches_every_process(start: Start) -> None:
    one, other = start(), start()
    await one.score(scored(600, seed=1))
    await other.score(scored(600, seed=2))
    await other.shared.reset()
    assert (await one.report())["reference_samples"] == 0
    assert (await one.report())["reward"]["drift"] is None
    await one.score(scored(600, seed=3, mean=5.0))
    await other.score(scored(600, seed=4, mean=5.0))
    told = await one.report()
    assert told["reference_samples"] == SIZE
    assert told["reward"]["drift"]["psi"] < 0.1, "what was before the reset is not held against it"


async def test_a_window_is_the_newest_minutes_that_hold_enough(start: Start, now: list[float]) -> None:
    worker = start()
    for minute in range(4):
        await worker.score(scored(300, seed=minute, mean=10.0 * minute))
        now[0] += MINUTE_S
    told = await worker.report()
    assert told["samples"] == 600, "two minutes of 300 are enough for 500"
    assert told["reward"]["mean"] == pytest.approx(25.0, abs=1.0)


async def test_minutes_before_one_that_fills_a_window_are_removed(
    start: Start, now: list[float], valkey_process: Valkey
) -> None:
    one, other = start(), start()

    def minutes() -> int:
        with valkey_process.client() as client:
            return len(list(client.scan_iter("*:window:*")))

    for worker in (one, other, one):
        await worker.score(scored(300))
        now[0] += MINUTE_S
    assert minutes() == 3
    await one.score(scored(600))
    assert minutes() == 4, "six hundred might be too few if a count was lost"
    await other.score(scored(600))
    assert minutes() == 1
    assert (await one.report())["samples"] == 1200


async def test_what_is_older_than_an_hour_has_left_the_window_and_expires(
    start: Start, now: list[float], valkey_process: Valkey
) -> None:
    worker = start()
    await worker.score(scored(100))
    with valkey_process.client() as client:
        assert all(client.ttl(key) > 0 for key in client.scan_iter("*:window:*"))
        assert all(client.ttl(key) > 0 for key in client.scan_iter("*:reference:*"))
    now[0] += MINUTES * MINUTE_S
    assert await worker.shared.report() == {}
    await worker.score(scored(50))
    assert (await worker.report())["samples"] == 50
    assert len(worker.shared._minutes) == 1, "nor does the process remember it"


async def test_another_version_of_a_recipe_takes_its_place(start: Start, now: list[float]) -> None:
    one, other = start(), start()
    await one.score(scored(300))
    now[0] += 1
    await other.score(scored(20, version="v2"))
    told = await one.report()
    assert (told["version"], told["samples"]) == ("v2", 20)


async def test_an_ensemble_and_lengths_are_compared_row_by_row(start: Start) -> None:
    one, other = start(), start()
    lengths = np.arange(200.0)
    batches = [scored(200, seed=1), scored(200, seed=2)]
    for worker, batch in zip((one, other), batches, strict=True):
        batch.reward = np.log1p(lengths)
        await worker.score(batch, plan=Ensemble(), lengths=lengths)
    told = await one.report()
    assert told["length_correlation"] == pytest.approx(1.0)
    values = np.concatenate([[part.value for part in batch.components.values()] for batch in batches], axis=1)
    assert told["ensemble_disagreement"] == pytest.approx(np.std(values, axis=0).mean())


class Audited:
    ensemble: tuple[str, ...] = ()
    audits = ("a",)


async def test_audits_are_compared_over_all_workers(start: Start) -> None:
    one, other = start(), start()
    for worker, seed in ((one, 1), (other, 2)):
        batch = scored(3000, seed=seed)
        batch.components["a"].value[:] = -batch.reward
        batch.components["a"].skipped = ["sample" if i % 3 else None for i in range(3000)]
        await worker.score(batch, plan=Audited())
    (agreement,) = (await one.report())["audits"].values()
    assert agreement == {"samples": 2000, "pearson": pytest.approx(-1.0), "spearman": pytest.approx(-1.0)}


async def test_the_rows_that_lengths_are_compared_in_are_bounded_and_drawn_from_all(start: Start) -> None:
    one, other = start(), start()
    for worker, sign in ((one, 1.0), (other, -1.0)):
        batch = scored(20_000)
        lengths = np.arange(20_000.0)
        batch.reward = sign * lengths
        await worker.score(batch, lengths=lengths)
    told = (await one.report())["length_correlation"]
    assert abs(told) < 0.2, "as many rows of the one as of the other"


async def test_no_text_is_written(start: Start, valkey_process: Valkey) -> None:
    worker = start()
    batch = scored(10)
    batch.invalid = {1: Invalid("guard", "CANARY-4711")}
    await worker.score(batch)
    with valkey_process.client() as client:
        for key in client.scan_iter():
            held = client.dump(key)
            assert b"CANARY" not in key + (held or b"")


async def test_rows_that_wait_are_bounded_and_the_oldest_go_first(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_monitor, "MAX_WAITING_ROWS", 1000)
    worker = start()
    for seed in range(5):
        await worker.score(scored(300, seed=seed), flush=False)
    assert worker.counts["lost"] == 600
    assert (await worker.report())["samples"] == 900


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Valkey]:
    """A server that a test may kill; it is gone at the end."""
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.kill()


async def test_a_store_that_is_away_loses_nothing_that_fits(mortal: Valkey, now: list[float]) -> None:
    server = mortal
    worker = Worker(server.url, now)
    await worker.score(scored(100, seed=1))
    server.kill()
    for seed in (2, 3):
        with pytest.raises((RedisError, OSError, TimeoutError)):
            await worker.score(scored(100, seed=seed))
    with pytest.raises((RedisError, OSError, TimeoutError)):
        await worker.shared.report()
    assert worker.counts == {"failed": 3}
    server.start()
    told = await worker.report()
    assert told["samples"] == 300, "the store lost the first hundred, and is told of the whole minute again"
    await worker.shared.close()


async def test_the_largest_numbers_are_told_and_hold_up_nothing(start: Start) -> None:
    worker, huge = start(), scored(4, recipe="huge")
    huge.reward[:] = [1e308, -1e308, 0.0, 1.7e308]
    huge.components["a"].value[:] = huge.reward[::-1]
    huge.components["b"].value[:] = huge.reward
    await worker.score(huge, scored(100), plan=Ensemble())
    await worker.score(huge, plan=Ensemble())
    told = await worker.shared.report()
    assert told["r"]["samples"] == 100
    assert (told["huge"]["samples"], told["huge"]["reward"]["max"]) == (8, 1.7e308)
    own = worker.own.report()["huge"]
    for report in (told["huge"], own):
        assert math.isfinite(report["ensemble_disagreement"])
        numbers = [report["reward"]["mean"], report["reward"]["std"], *report["reward"]["quantiles"].values()]
        assert all(map(math.isfinite, numbers)), report
    assert worker.counts == {}


@pytest.mark.parametrize("name", ["part_of", "merge_parts"])
async def test_rows_that_cannot_be_summarised_are_dropped_and_counted(
    start: Start, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    worker, real = start(), getattr(shared_monitor, name)

    def refuse(rows: Any, *others: Any) -> Any:
        if sum(part.rows for part in rows) == 7 if name == "merge_parts" else len(rows[REWARD]) == 7:
            raise TypeError("seven")
        return real(rows, *others)

    monkeypatch.setattr(shared_monitor, name, refuse)
    await worker.score(scored(7, recipe="odd"), scored(100))
    assert list(await worker.shared.report()) == ["r"]
    assert worker.counts == {"lost": 7}


async def test_a_part_that_cannot_be_written_is_dropped_and_counted(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, real = start(), getattr(shared_monitor, "part_of")  # noqa: B009

    def spoil(columns: Any, *others: Any) -> Any:
        part = real(columns, *others)
        if part.rows == 7:
            vars_of = {name: getattr(part, name) for name in part.__struct_fields__}
            return type(part)(**{**vars_of, "spread": object()})
        return part

    monkeypatch.setattr(shared_monitor, "part_of", spoil)
    monkeypatch.setattr(shared_monitor, "merge_parts", lambda parts: parts[-1])
    await worker.score(scored(7, recipe="odd"), scored(100))
    assert "odd" not in await worker.shared.report()
    assert worker.counts == {"lost": 7}


async def test_what_was_seen_before_the_end_is_written_at_the_end(start: Start) -> None:
    leaving, staying = start(), start()
    leaving.shared.start(leaving.own.read_noted)
    await leaving.score(scored(100), flush=False)
    await leaving.shared.close()
    assert (await staying.report())["samples"] == 100
