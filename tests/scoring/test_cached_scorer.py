"""Raw scores: remembered, shared while they are computed, and never of two versions in one batch."""

import asyncio

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.port import Entry
from reward_gateway.errors import NotFound
from reward_gateway.sample import Batch, Invalid, RawScores, Usage
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.request_context import RequestContext

from tests.clock import turns

pytestmark = pytest.mark.anyio


class Server:
    """A model server whose model may be replaced between the lookup and the answer."""

    def __init__(self) -> None:
        self.version = "1"
        self.answers_with = "1"
        self.asked: list[int] = []
        self.deadlines: list[float] = []
        self.width = 1
        self.wait = asyncio.Event()
        self.wait.set()

    async def models(self) -> list[ModelInfo]:
        return [await self.info("m")]

    async def info(self, name: str) -> ModelInfo:
        if name != "m":
            raise NotFound("no such model")
        return ModelInfo("m", self.version, True, ("prompt", "response"), ("length",), 64, ("truncated",))

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        self.asked.append(len(rows))
        self.deadlines.append(deadline)
        await self.wait.wait()
        self.version = self.answers_with
        base = 100.0 * int(self.answers_with)
        values = np.array([[base + len(str(batch.responses[i]))] * self.width for i in rows])
        flags: dict[int, tuple[str, ...]] = {
            k: ("truncated",) for k, i in enumerate(rows) if len(str(batch.responses[i])) > 3
        }
        return ModelAnswer(values, flags=flags, calls=1, version=self.version)

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass


@pytest.fixture
def server(anyio_backend: str) -> Server:
    return Server()


@pytest.fixture
def scorer(server: Server) -> CachedScorer:
    return CachedScorer(server, MemoryCache(1000, 60.0))


async def ask(scorer: CachedScorer, *responses: str, mode: str = "use", model: str = "m") -> tuple[RawScores, Usage]:
    batch = Batch([""] * len(responses), ["p"] * len(responses), list(responses))
    usage = Usage()
    answers = await scorer.fetch_scores([model], batch, RequestContext(cache=mode, usage=usage))  # type: ignore[arg-type]
    return answers[model][0], usage


async def test_equal_samples_of_a_request_are_asked_once(scorer: CachedScorer, server: Server) -> None:
    scores, _ = await ask(scorer, "a", "bb", "a", "a")
    assert scores.values[:, 0].tolist() == [101.0, 102.0, 101.0, 101.0]
    assert server.asked == [2]


async def test_what_was_answered_is_remembered_with_its_flags(scorer: CachedScorer, server: Server) -> None:
    first, _ = await ask(scorer, "long one", "a")
    again, usage = await ask(scorer, "long one", "a")
    assert again.values.tolist() == first.values.tolist()
    assert again.cached.all()
    assert again.flags == first.flags == {0: ("truncated",)}
    assert (usage.cache_hits, usage.cache_misses, usage.model_calls) == (2, 0, 0)


async def test_refresh_asks_and_remembers_and_off_does_neither(scorer: CachedScorer, server: Server) -> None:
    await ask(scorer, "a", mode="off")
    _, usage = await ask(scorer, "a")
    assert usage.cache_misses == 1
    await ask(scorer, "a", mode="refresh")
    assert server.asked == [1, 1, 1]
    _, usage = await ask(scorer, "a")
    assert usage.cache_hits == 1


async def test_requests_in_flight_share_the_work_on_equal_samples(scorer: CachedScorer, server: Server) -> None:
    server.wait.clear()
    asks = [asyncio.create_task(ask(scorer, "same")) for _ in range(20)]
    await turns()
    server.wait.set()
    answers = await asyncio.gather(*asks)
    assert {scores.values[0, 0] for scores, _ in answers} == {104.0}
    assert server.asked == [1]


async def test_a_model_that_is_replaced_meanwhile_answers_with_one_version_only(
    scorer: CachedScorer, server: Server
) -> None:
    await ask(scorer, "a")
    server.answers_with = "2"
    scores, _ = await ask(scorer, "a", "bb")
    assert scores.version == "2"
    assert scores.values[:, 0].tolist() == [201.0, 202.0], "the score remembered of version 1 is not mixed in"
    again, _ = await ask(scorer, "a", "bb")
    assert again.cached.all()


async def test_a_wrong_number_of_scores_is_a_reason_and_no_number(scorer: CachedScorer, server: Server) -> None:
    server.width = 2
    for _ in range(2):
        scores, _ = await ask(scorer, "a")
        assert np.isnan(scores.values).all()
        assert scores.invalid[0].code == "model_error"
    assert server.asked == [1, 1], "it is no answer, and is not remembered"
    server.width = 1
    scores, usage = await ask(scorer, "a")
    assert (scores.values.tolist(), usage.cache_misses) == ([[101.0]], 1)


async def test_an_entry_of_another_width_is_a_miss(scorer: CachedScorer, server: Server) -> None:
    await ask(scorer, "a")
    (key,) = scorer.cache._entries  # type: ignore[attr-defined]
    scorer.cache.put_later([(key, Entry(b"\0" * 8))])
    scores, usage = await ask(scorer, "a")
    assert (scores.values.tolist(), usage.cache_misses) == ([[101.0]], 1)


async def test_samples_that_were_invalid_before_are_not_asked(scorer: CachedScorer, server: Server) -> None:
    batch = Batch([""] * 3, ["p"] * 3, ["a", "bb", "ccc"])
    batch.invalid[1] = Invalid("invalid_field", "no")
    for _ in range(2):
        scores, _ = (await scorer.fetch_scores(["m"], batch, RequestContext()))["m"]
        assert scores.values[[0, 2], 0].tolist() == [101.0, 103.0]
        assert np.isnan(scores.values[1, 0])
        assert scores.invalid == {}, "its reason stands in the batch"
    assert scores.cached.tolist() == [True, False, True]
    assert server.asked == [2]


class Choosy(Server):
    """Gives numbers that float32 does not hold, two a row; it cannot score ``bad``, and flags it and what is long."""

    async def info(self, name: str) -> ModelInfo:
        return ModelInfo("m", "1", True, ("response",), ("a", "b"), 64, ("truncated", "odd"))

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        texts = [str(batch.responses[i]) for i in rows]
        answer = ModelAnswer(np.array([[len(text) / 3, -len(text) / 7] for text in texts]), calls=1, version="1")
        for place, text in enumerate(texts):
            if text == "bad":
                answer.invalid[place] = Invalid("truncated", "It is bad.")
            if text == "bad" or len(text) > 3:
                answer.flags[place] = ("odd", "truncated")
        return answer


async def test_scores_are_the_same_whichever_way_they_come() -> None:
    """Kept as they came, with and without a cache; row by row, since two samples are equal; and from the cache."""
    texts = ["a", "bad", "never asked", "long one", "bb"]
    unlike = [0, 1, 2, 3, 4]

    async def fetch(scorer: CachedScorer, mode: str, order: list[int]) -> RawScores:
        batch = Batch([""] * len(order), ["p"] * len(order), [texts[i] for i in order])
        batch.invalid = {2: Invalid("invalid_field", "no")}
        context = RequestContext(cache=mode)  # type: ignore[arg-type]
        return (await scorer.fetch_scores(["m"], batch, context))["m"][0]

    scorer = CachedScorer(Choosy(), MemoryCache(1000, 60.0))
    off, kept = await fetch(scorer, "off", unlike), await fetch(scorer, "use", unlike)
    remembered = await fetch(scorer, "use", [0, 4, 2, 3])
    equal = await fetch(CachedScorer(Choosy(), MemoryCache(1000, 60.0)), "use", [*unlike, 0])
    expected = np.array([[1 / 3, -1 / 7], [np.nan] * 2, [np.nan] * 2, [8 / 3, -8 / 7], [2 / 3, -2 / 7]], np.float32)
    for scores, order in ((off, unlike), (kept, unlike), (remembered, [0, 4, 2, 3]), (equal, [*unlike, 0])):
        np.testing.assert_array_equal(scores.values, expected[order].astype(np.float64))
        assert scores.flags == {3: ("truncated", "odd")}
        assert {row: reason.message for row, reason in scores.invalid.items()} == (
            {1: "It is bad."} if 1 in order else {}
        )
    assert remembered.cached.tolist() == [True, True, False, True]


async def test_a_model_that_is_not_there_gives_reasons(scorer: CachedScorer) -> None:
    scores, _ = await ask(scorer, "a", model="nobody")
    assert scores.invalid[0].code == "model_unavailable"
    assert (scores.model, scores.version) == ("nobody", "")
    assert np.isnan(scores.values).all()
    assert not scores.cached.any()


async def test_a_request_without_a_deadline_has_an_hour(scorer: CachedScorer, server: Server) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await ask(scorer, "a")
    after = loop.time()
    assert before + 3600.0 <= server.deadlines[0] <= after + 3600.0


async def test_a_model_gets_the_deadline_of_the_request(scorer: CachedScorer, server: Server) -> None:
    deadline = asyncio.get_running_loop().time() + 5000.0
    batch = Batch([""], ["p"], ["a"])
    await scorer.fetch_scores(["m"], batch, RequestContext(deadline=deadline))
    assert server.deadlines == [deadline]


async def test_the_cache_and_the_models_have_a_time_each(scorer: CachedScorer) -> None:
    context = RequestContext()
    await scorer.fetch_scores(["m"], Batch([""], ["p"], ["a"]), context)
    assert context.timing.keys() == {"cache", "inference"}
    assert all(milliseconds >= 0 for milliseconds in context.timing.values())


async def test_hits_and_misses_of_a_request_add_up(scorer: CachedScorer) -> None:
    batch = Batch(["", ""], ["p"] * 2, ["a", "bb"])
    context = RequestContext()
    for _ in range(3):
        await scorer.fetch_scores(["m"], batch, context)
    usage = context.usage
    assert (usage.cache_hits, usage.cache_misses, usage.model_calls) == (4, 2, 1)
