"""Kept samples, in this process and in a store that processes share: which are kept, how long, how many."""

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.errors import InvalidRequest, NotFound, StateUnavailable
from reward_gateway.kept_samples import keeper as keepers
from reward_gateway.kept_samples import redis_store
from reward_gateway.kept_samples.keeper import Filters, SampleKeeper
from reward_gateway.kept_samples.ranking import Ranking
from reward_gateway.kept_samples.redis_store import RedisSampleStore
from reward_gateway.kept_samples.store import Bounds, LocalSampleStore, NewSample, Place
from reward_gateway.sample import Batch, ComponentScores, Invalid, Media, Scored
from reward_gateway.scoring.request_scope import RequestScope

from tests.valkey import Valkey

pytestmark = pytest.mark.anyio

A = RequestScope("alice", "a", step=7)
T0 = 1_700_000_000.0

Start = Callable[..., "Worker"]


class Worker:
    """A gateway process as far as kept samples go, on a clock that stands still."""

    def __init__(self, store: Any, bounds: Bounds, now: list[float]) -> None:
        self.counts: Counter[str] = Counter()

        def lose(rows: int) -> None:
            self.counts["lost"] += rows

        def fail() -> None:
            self.counts["failed"] += 1

        ranking = Ranking(np.random.default_rng(0))
        self.keeper = SampleKeeper(store, bounds, lambda: now[0], lose, fail, ranking)

    async def score(self, *rewards: float, scope: RequestScope = A, **more: Any) -> None:
        batch, scored = score(*rewards, **more)
        self.keeper.offer(batch, scored, scope)
        await self.keeper.flush()

    async def find(self, sort: Any = "newest", limit: int = 500, **filters: Any) -> list[dict[str, Any]]:
        return (await self.keeper.list_page(Filters(**filters), sort, None, limit)).samples

    async def pairs(self, min_margin: float = 0.0, **filters: Any) -> list[dict[str, Any]]:
        lines = [part async for part in await self.keeper.find_pairs(Filters(**filters), min_margin)]
        return [json.loads(line) for line in b"".join(lines).splitlines()]


def score(
    *rewards: float,
    prompt: Any = "p",
    prompts: Any = None,
    recipe: str = "r",
    raw: Any = None,
    other: Any = None,
    flags: Any = None,
    **columns: Any,
) -> tuple[Batch, Scored]:
    """A batch whose responses say their reward; rewards that are NaN are invalid."""
    values = np.array(rewards, np.float64)
    size = len(values)
    responses: list[Any] = columns.pop("responses", [f"answer {reward:g}" for reward in rewards])
    batch = Batch([str(k) for k in range(size)], prompts or [prompt] * size, responses)
    for name, column in columns.items():
        batch.set_column(name, column)
    parts = {"c": ComponentScores(values, values, "m", "m-v1")}
    if other is not None:
        parts["d"] = ComponentScores(np.array(other, np.float64), np.array(other, np.float64))
    invalid = {k: Invalid("guard", "caught", "c") for k in np.flatnonzero(np.isnan(values)).tolist()}
    scored = Scored(recipe, "v1", values, parts, invalid=invalid, flags=flags or {})
    scored.reward_raw = None if raw is None else np.array(raw, np.float64)
    scored.group_keys = batch.hash_groups()
    return batch, scored


@pytest.fixture
def now() -> list[float]:
    return [T0]


@pytest.fixture(params=["process", pytest.param("redis", marks=pytest.mark.stack)])
async def start(
    request: pytest.FixtureRequest, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Start]:
    """Starts workers: in Redis each with a connection of its own, in process all with one store."""
    started: list[Worker] = []
    local: list[LocalSampleStore] = []
    if request.param == "redis":
        monkeypatch.setattr(redis_store, "TIMEOUT_S", 60.0)  # no machine is too slow
        valkey: Valkey = request.getfixturevalue("valkey_process")
        with valkey.client() as client:
            client.flushall()

    def start_worker(count: int = 1000, size: int = 1 << 24, ttl_s: float = 3600.0) -> Worker:
        bounds = Bounds(count, size, ttl_s)
        store: Any
        if request.param == "redis":
            store = RedisSampleStore(valkey.url, bounds)
        else:
            store = local[0] if local else LocalSampleStore(bounds)
            local.append(store)
        started.append(Worker(store, bounds, now))
        return started[-1]

    yield start_worker
    for worker in started:
        await worker.keeper.close()


async def test_every_process_shows_what_all_of_them_keep(start: Start) -> None:
    one, other = start(), start()
    await one.score(1.0, raw=[3.0], reference=["ref"])
    await other.score(2.0)
    for worker in (one, other):
        assert sorted(sample["reward"] for sample in await worker.find()) == [1.0, 2.0]
    (sample,) = await one.find(sort="highest", limit=1)
    assert sample["reward_raw"] == 3.0
    assert set(sample) == {
        *("id", "t", "caller", "run", "step", "recipe", "recipe_version", "prompt", "response", "reference", "rubric"),
        *("images", "frames", "reward", "reward_raw", "components", "flags", "invalid", "spread", "disagreement"),
        *("kinds", "mark"),
    }
    assert (sample["t"], sample["caller"], sample["run"], sample["step"]) == (T0, "alice", "a", 7)
    assert (sample["recipe"], sample["recipe_version"], sample["reference"]) == ("r", "v1", "ref")
    assert (sample["prompt"], sample["response"], sample["mark"]) == ("p", "answer 1", None)
    assert sample["components"] == {"c": {"raw": 1.0, "value": 1.0, "model": "m", "model_version": "m-v1"}}
    assert sample["kinds"] == ["reservoir", "top", "bottom"]


async def test_no_metadata_feature_or_byte_of_an_image_is_kept(start: Start) -> None:
    worker = start()
    image = b"SECRET-IMAGE"
    await worker.score(
        1.0,
        prompt=[
            {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image", "url": "SECRET-URL"}]}
        ],
        images=[[Media(data=image), Media(url="https://SECRET")]],
        metadata=[b'{"a": "SECRET"}'],
        features=[{"SECRET": 1.0}],
        steps=[["SECRET"]],
        rubric=[[{"text": "Says why.", "weight": 1.0, "tags": [], "veto": False}]],
    )
    (sample,) = await worker.find()
    assert "SECRET" not in json.dumps(sample)
    digest = hashlib.sha256(image).hexdigest()
    assert sample["images"] == [{"size": len(image), "sha256": digest}, {"size": None, "sha256": None}]
    assert sample["prompt"] == [{"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image"}]}]
    assert sample["rubric"][0]["text"] == "Says why."


async def test_extremes_of_a_recipe_stay_whatever_comes_by_chance(start: Start) -> None:
    worker = start(count=100)  # of each extreme two
    rewards = np.random.default_rng(1).permutation(2000) / 100.0
    for k in range(0, 2000, 200):
        prompts = [f"p{row}" for row in range(k, k + 200)]
        await worker.score(*rewards[k : k + 200].tolist(), prompts=prompts)
        await worker.score(0.5, recipe="other")
    assert [each["reward"] for each in await worker.find("highest", kind="top", recipe="r")] == [19.99, 19.98]
    assert [each["reward"] for each in await worker.find("lowest", kind="bottom", recipe="r")] == [0.0, 0.01]
    assert {each["reward"] for each in await worker.find(kind="top", recipe="other")} == {0.5}
    every = await worker.find()
    assert len(every) == 100
    reservoir = [each["reward"] for each in every if "reservoir" in each["kinds"] and each["recipe"] == "r"]
    assert len(reservoir) > 80
    assert 7.0 < float(np.mean(reservoir)) < 13.0  # 10 in the mean of all


async def test_flagged_and_invalid_samples_are_kept_apart(start: Start) -> None:
    worker = start()
    await worker.score(1.0, np.nan, 2.0, flags={0: ("truncated", "long"), 2: ("long",)})
    assert [each["reward"] for each in await worker.find(kind="flagged", sort="lowest")] == [1.0, 2.0]
    assert [each["reward"] for each in await worker.find(flags=("long", "truncated"))] == [1.0]
    (bad,) = await worker.find(kind="invalid")
    assert (bad["reward"], bad["invalid"]) == (None, {"code": "guard", "component": "c"})


async def test_of_groups_the_best_and_worst_of_those_that_differ_most(start: Start) -> None:
    worker = start(count=100)
    prompts = [f"p{k // 3}" for k in range(30)]
    await worker.score(*(float(k // 3 * (k % 3)) for k in range(30)), prompts=prompts)
    kept = await worker.find("spread", kind="spread")
    assert [(each["prompt"], each["spread"]) for each in kept] == [("p9", pytest.approx(9.0))] * 2
    assert sorted(each["reward"] for each in kept) == [0.0, 18.0]


async def test_where_components_disagree_most(start: Start) -> None:
    worker = start(count=50)
    values = np.arange(40.0)
    other = values * 100.0  # on a scale of its own
    other[7] = 3900.0
    await worker.score(*values.tolist(), other=other, prompts=[f"p{k}" for k in range(40)])
    (kept,) = await worker.find(kind="disagreement")
    assert kept["reward"] == 7.0


async def test_what_is_too_old_goes(start: Start, now: list[float]) -> None:
    worker = start(ttl_s=60.0)
    await worker.score(1.0)
    await worker.keeper.mark((await worker.find())[0]["id"], "good")
    now[0] += 59.0
    await worker.score(2.0)
    assert len(await worker.find()) == 2
    now[0] += 2.0
    assert [each["reward"] for each in await worker.find()] == [2.0]
    await worker.score(3.0)
    assert len(await worker.keeper.store.read_index(now[0])) == 2


async def test_the_bytes_are_bounded(start: Start, now: list[float]) -> None:
    worker = start(size=1 << 20)
    for k in range(40):
        now[0] += 1.0
        await worker.score(*[float(k)] * 4, responses=[f"{k} " * 10_000] * 4)
    kept = await worker.find()
    assert 10 < len(kept) < 53
    assert 39.0 in [each["reward"] for each in await worker.find("highest", kind="top")]


async def test_marks_spare_a_sample_and_can_be_changed(start: Start) -> None:
    worker = start(count=4)
    await worker.score(1.0)
    (first,) = await worker.find()
    await worker.keeper.mark(first["id"], "bad")
    await worker.keeper.mark(first["id"], "hack")
    for k in range(20):
        await worker.score(2.0 + k, prompt=f"q{k}")
    assert [each["id"] for each in await worker.find(mark="hack")] == [first["id"]]
    assert len(await worker.find(mark="unmarked")) == 3
    await worker.keeper.mark(first["id"], None)
    assert len(await worker.find(mark="unmarked")) == 4
    with pytest.raises(NotFound):
        await worker.keeper.mark("nothing", "good")
    with pytest.raises(InvalidRequest):
        await worker.keeper.mark(first["id"], "great")


async def test_pages_follow_each_other_in_every_order(start: Start) -> None:
    worker = start()
    await worker.score(*(float(k % 5) for k in range(23)), np.nan, prompts=[f"p{k}" for k in range(24)])
    orders: tuple[Any, ...] = ("newest", "highest", "lowest", "spread", "disagreement")
    for sort in orders:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await worker.keeper.list_page(Filters(), sort, cursor, 5)
            assert page.total == 24
            seen += [each["id"] for each in page.samples]
            if (cursor := page.cursor) is None:
                break
        assert len(seen) == len(set(seen)) == 24
    for wrong in ("", "1.0", "x/y", "nan/a"):
        with pytest.raises(InvalidRequest):
            await worker.keeper.list_page(Filters(), "newest", wrong, 5)


async def test_samples_are_deleted_by_run_and_by_id(start: Start) -> None:
    worker = start()
    await worker.score(1.0, 2.0)
    await worker.score(3.0, scope=RequestScope("alice", "b"))
    await worker.score(4.0, scope=RequestScope("bob"))
    ids = {each["reward"]: each["id"] for each in await worker.find()}
    assert await worker.keeper.delete(Filters(run="a")) == 2
    assert await worker.keeper.delete(Filters(), ids[3.0]) == 1
    assert await worker.keeper.delete(Filters(), ids[3.0]) == 0
    assert [each["reward"] for each in await worker.find(run="")] == [4.0]
    assert await worker.keeper.delete(Filters(run="")) == 1
    assert await worker.keeper.store.read_index(T0) == []
    await worker.score(5.0)  # sets and sizes are as if nothing had been there
    assert len(await worker.find(kind="top")) == 1


async def test_pairs_are_the_best_against_the_worst_of_a_prompt(start: Start) -> None:
    worker = start()
    await worker.score(0.1, 0.9, 0.5, np.nan, raw=[1.0, 9.0, 5.0, np.nan])
    await worker.score(1.0, 1.0, prompt="equal")
    await worker.score(2.0, prompt="alone")
    assert await worker.pairs() == [
        {
            "prompt": "p",
            "chosen": "answer 0.9",
            "rejected": "answer 0.1",
            "chosen_reward": 9.0,
            "rejected_reward": 1.0,
            "reward": "r",
            "recipe_version": "v1",
            "run": "a",
        }
    ]
    assert len(await worker.pairs(8.0)) == 1
    assert await worker.pairs(8.5) == []


async def test_marks_make_every_pair_of_good_against_bad_or_hack(start: Start) -> None:
    worker = start()
    await worker.score(1.0, 2.0, 3.0, 4.0, 5.0)
    ids = {each["reward"]: each["id"] for each in await worker.find()}
    for reward, mark in ((1.0, "good"), (2.0, "good"), (4.0, "bad"), (5.0, "hack")):
        await worker.keeper.mark(ids[reward], mark)
    pairs = await worker.pairs(100.0)
    assert {(pair["chosen_reward"], pair["rejected_reward"]) for pair in pairs} == {(1, 4), (1, 5), (2, 4), (2, 5)}
    await worker.keeper.mark(ids[1.0], None)
    await worker.keeper.mark(ids[2.0], None)
    (pair,) = await worker.pairs()
    assert (pair["chosen_reward"], pair["rejected_reward"]) == (3.0, 1.0)  # never what is marked bad or hack


async def test_samples_of_two_runs_or_recipes_make_no_pair(start: Start) -> None:
    worker = start()
    await worker.score(1.0)
    await worker.score(2.0, scope=RequestScope("alice", "b"))
    await worker.score(3.0, recipe="other")
    assert await worker.pairs() == []


async def test_a_lone_surrogate_is_replaced(start: Start) -> None:
    worker = start()
    await worker.score(1.0, prompt="p", responses=["a\ud800b"])
    (sample,) = await worker.find()
    assert sample["response"] == "a?b"


async def test_what_waits_is_bounded(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = start()
    monkeypatch.setattr(keepers, "MAX_WAITING_ROWS", 3)
    for _ in range(2):
        worker.keeper.offer(*score(1.0, 2.0), A)
    assert worker.counts["lost"] == 2
    await worker.keeper.flush()
    assert len(await worker.find()) == 2
    monkeypatch.setattr(keepers, "MAX_WAITING_BYTES", 5)
    worker.keeper.offer(*score(1.0, images=[[Media(data=b"123456")]]), A)
    assert worker.counts["lost"] == 3
    monkeypatch.setattr(keepers, "MAX_FLUSH_BYTES", 1)
    monkeypatch.setattr(keepers, "MAX_WAITING_BYTES", 500)
    await worker.score(1.0)
    assert worker.counts["lost"] == 4


@pytest.mark.stack
async def test_samples_are_dropped_and_counted_while_the_store_is_away(
    tmp_path: Path, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey = Valkey(tmp_path)
    valkey.start()
    bounds = Bounds(100, 1 << 20, 60.0)
    worker = Worker(RedisSampleStore(valkey.url, bounds), bounds, now)
    try:
        await worker.score(1.0)
        valkey.kill()
        with pytest.raises((OSError, *worker.keeper.store.away)):
            await worker.score(2.0)
        assert (worker.counts["failed"], worker.counts["lost"]) == (1, 1)
        with pytest.raises(StateUnavailable):
            await worker.find()
        with pytest.raises(StateUnavailable):
            await worker.keeper.mark("x", "good")
    finally:
        await worker.keeper.close()


@pytest.mark.stack
async def test_nothing_outlives_its_time_where_no_gateway_runs(valkey_process: Valkey, now: list[float]) -> None:
    with valkey_process.client() as client:
        client.flushall()
    bounds = Bounds(100, 1 << 20, 60.0)
    worker = Worker(RedisSampleStore(valkey_process.url, bounds), bounds, now)
    await worker.score(1.0, 2.0, np.nan, flags={0: ("f",)})
    await worker.keeper.mark((await worker.find())[0]["id"], "good")
    await worker.keeper.close()
    with valkey_process.client() as client:
        keys = client.keys("*")
        assert len(keys) > 8
        assert all(key.startswith(b"reward_gateway:{samples}:") and 0 < client.ttl(key) <= 60 for key in keys)


def test_a_rank_is_that_of_numbers_alone() -> None:
    _, scored = score(1e308, -1e308, np.nan, other=[1e308, 0.0, 0.0])
    ranks = Ranking().rank(scored)
    assert np.isnan(ranks.by_kind["top"][2])
    _, scored = score(np.nan, np.nan, other=[np.nan, np.nan])
    ranks = Ranking().rank(scored)
    assert np.isnan(ranks.by_kind["spread"]).all()
    assert np.isnan(ranks.by_kind["disagreement"]).all()
    assert np.isfinite(ranks.by_kind["invalid"]).all()


@pytest.mark.stack
async def test_a_write_whose_answer_was_lost_counts_once(valkey_process: Valkey, now: list[float]) -> None:
    with valkey_process.client() as client:
        client.flushall()
    bounds = Bounds(100, 1 << 20, 60.0)
    store = RedisSampleStore(valkey_process.url, bounds)
    sample = NewSample("a", T0, b"index", b"body", [Place("reservoir", 0.5, 100)])
    await store.add([sample], T0)
    await store.add([sample], T0)
    assert await store.delete(["a"]) == 1
    await store.close()
    with valkey_process.client() as client:
        assert client.get("reward_gateway:{samples}:bytes") == b"0"
