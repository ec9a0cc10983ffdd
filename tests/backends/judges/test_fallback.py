"""A judge that is away: its fallback judges whole requests, with moments of its own, and says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.backends.judges.config import JudgeConfig, JudgesFileError, load_judges
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.null import NullCache
from reward_gateway.cache.texts import TextCache
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.operations.apply import apply
from reward_gateway.operations.registry import catalog
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Scored
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime, run_effects
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.state.namespace import NO_NAMESPACE
from reward_gateway.state.store import StateStore
from starlette.responses import JSONResponse, Response

from .conftest import FakeJudge, serve_judge
from .test_through_http import NoModels

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  graded: {components: {quality: {score: judge_rubric, params: {judge: main, low: 0, high: 10}}}}
  scaled:
    components:
      quality:
        score: judge_rubric
        params: {judge: main, low: 0, high: 10}
        transforms: [{running_normalise: {stream: run}}]
"""


def grading(grade: int, version: str) -> Any:
    """A judge that gives every response this grade."""
    content = json.dumps({"quality": grade})
    return lambda body: JSONResponse({"model": version, "choices": [{"message": {"content": content}}]})


def away(body: dict[str, Any]) -> Response:
    return Response(status_code=503)


@dataclass
class Judging:
    """A gateway over two judges, the second of which stands in for the first."""

    main: FakeJudge
    spare: FakeJudge
    gateway: Gateway

    async def score(self, reward: str, *responses: str) -> Scored:
        size = len(responses)
        batch = Batch([str(i) for i in range(size)], ["p"] * size, list(responses))
        return await self.gateway.score(batch, reward, ScoreOptions(deadline=asyncio.get_running_loop().time() + 60.0))

    async def count(self, stream: str) -> float:
        moments = self.gateway.runtime.state.within(NO_NAMESPACE).moments
        stored: Any = await moments.export_value(stream)
        return 0.0 if stored is None else float(stored["count"])


@pytest.fixture
async def judging(fake: FakeJudge) -> AsyncIterator[Judging]:
    async with serve_judge() as spare:
        fake.reply, spare.reply = grading(2, "m-1"), grading(9, "s-1")
        configs = [
            JudgeConfig(name="main", base_url=fake.url, model="m", retries=0, fallback="spare"),
            JudgeConfig(name="spare", base_url=spare.url, model="s", retries=0),
        ]
        clock = asyncio.get_running_loop().time
        judges = Judges(
            configs, lambda changed: Breaker(100, clock, changed=changed), answers=TextCache(MemoryCache(1000, 60.0))
        )
        runtime = EffectsRuntime(
            CachedScorer(NoModels(), NullCache()),  # type: ignore[arg-type]
            StateStore.in_process(),
            judges=judges,
        )
        yield Judging(fake, spare, Gateway(load_book(RECIPES, {}), runtime))
        await runtime.close()


async def test_a_judge_that_answers_has_no_use_for_its_fallback(judging: Judging) -> None:
    scored = await judging.score("graded", "a", "b")
    quality = scored.components["quality"]
    assert (scored.reward.tolist(), scored.flags, quality.model) == ([0.2, 0.2], {}, None)
    assert judging.spare.bodies == []


async def test_the_fallback_judges_while_the_judge_is_away_and_says_so(judging: Judging) -> None:
    judging.main.reply = away
    scored = await judging.score("graded", "a", "b")
    quality = scored.components["quality"]
    assert scored.reward.tolist() == [0.9, 0.9]
    assert scored.flags == {0: ("fallback",), 1: ("fallback",)}
    assert (quality.model, quality.model_version) == ("spare", "s-1")


async def test_what_the_judge_had_answered_is_asked_again_of_the_fallback(judging: Judging) -> None:
    await judging.score("graded", "a")
    judging.main.reply = away
    scored = await judging.score("graded", "a", "b")
    assert scored.reward.tolist() == [0.9, 0.9]
    assert len(judging.spare.bodies) == 2


async def test_a_judge_whose_breaker_is_open_is_away(judging: Judging) -> None:
    judging.main.reply = away
    endpoint = judging.gateway.runtime.judges
    assert endpoint is not None
    for i in range(100):
        await endpoint.ask("main", [[{"role": "user", "content": str(i)}]])
    reached = len(judging.main.bodies)
    scored = await judging.score("graded", "a")
    assert (scored.reward.tolist(), len(judging.main.bodies)) == ([0.9], reached)


async def test_where_both_are_away_the_samples_fail_as_without_a_fallback(judging: Judging) -> None:
    await judging.score("graded", "a")
    judging.main.reply = judging.spare.reply = away
    scored = await judging.score("graded", "a", "b")
    assert (scored.reward[0], scored.flags) == (0.2, {})
    assert scored.invalid[1].message == "the judge main failed with status 503"


@pytest.mark.parametrize(
    "reply",
    [
        Response(status_code=403),
        Response(status_code=429),
        JSONResponse({"choices": [{"message": {"content": "no grade"}}]}),
        JSONResponse({"choices": [{"message": {"content": "9"}, "finish_reason": "length"}]}),
    ],
)
async def test_a_judge_that_refuses_is_busy_or_says_nothing_useful_is_not_away(
    judging: Judging, reply: Response
) -> None:
    judging.main.reply = lambda body: reply if "bad" in body["messages"][0]["content"] else grading(2, "m-1")(body)
    scored = await judging.score("graded", "good", "bad")
    assert (scored.reward[0], scored.invalid[1].code) == (0.2, "judge_error")
    assert judging.spare.bodies == []


async def test_the_moments_of_the_fallback_are_its_own(judging: Judging) -> None:
    await judging.score("scaled", "a", "b", "c")
    judging.main.reply = away
    await judging.score("scaled", "d", "e")
    assert (await judging.count("run"), await judging.count("run@spare")) == (3, 2)


async def test_an_operation_by_itself_has_the_fallback_too(judging: Judging) -> None:
    judging.main.reply = away
    operation = catalog().get("score", "judge_rubric")
    assert operation is not None
    steps = apply(operation, [{"response": "a"}], {"judge": "main", "low": 0, "high": 10})
    (result,) = await run_effects(steps, judging.gateway.runtime, RequestContext())
    assert (result["reward"], result["details"]["flags"]) == (0.9, ["fallback"])


@pytest.mark.parametrize(
    ("fallbacks", "fault"),
    [
        ({"a": "a"}, r"judges\[0\].fallback: is the entry itself"),
        ({"a": "none"}, r"judges\[0\].fallback: names no entry"),
        ({"a": "b", "b": "c", "c": "a"}, r"judges\[0\].fallback: leads back .*a → b → c → a"),
        ({"a": "b", "b": "c", "c": "b"}, r"judges\[0\].fallback: leads back"),
    ],
)
def test_a_fallback_is_another_judge_of_the_file(tmp_path: Path, fallbacks: dict[str, str], fault: str) -> None:
    names = sorted({*fallbacks, *fallbacks.values()} - {"none"})
    entries = [{"name": name, "base_url": "http://h", "model": "m", "fallback": fallbacks.get(name)} for name in names]
    file = tmp_path / "judges.yaml"
    file.write_text(json.dumps({"judges": entries}))
    with pytest.raises(JudgesFileError, match=fault):
        load_judges(file)


def test_a_chain_of_fallbacks_that_ends_is_none_to_refuse(tmp_path: Path) -> None:
    entries = [
        {"name": name, "base_url": "http://h", "model": "m", "fallback": following}
        for name, following in (("a", "b"), ("b", "c"), ("c", None))
    ]
    file = tmp_path / "judges.yaml"
    file.write_text(json.dumps({"judges": entries}))
    assert [judge.fallback for judge in load_judges(file)] == ["b", "c", None]
