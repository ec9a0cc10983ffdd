"""Components that are scored in parts and combined later give what scoring at once gives."""

from dataclasses import replace

import numpy as np
import orjson
import pytest
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.http.encode import encode_scored
from reward_gateway.jobs.ahead import AheadPart, decode_ahead, encode_ahead, fail_ahead, join_ahead, join_parts
from reward_gateway.jobs.pieces import Cut, encode_pieces
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.state.store import StateStore

from tests.client.conftest import NoModels

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  mixed:
    components:
      rule: {score: exact_match, optional: true}
      model: {score: given, inputs: {value: {feature: mine}}, transforms: [{running_scale: {stream: a}}]}
    combine: harmo
  graded:
    components:
      correct: {score: math_equivalence, transforms: [{running_normalise: {stream: b}}]}
      brief: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}
    combine: {weighted_sum: {weights: {correct: 1.0, brief: 1.0}}}
"""
SIZE = 12


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(load_book(RECIPES), EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process()))


def make_batch(places: list[int]) -> Batch:
    answers = ["\\boxed{4}", "\\boxed{5}", "", "no idea at all"]
    return Batch(
        ids=[str(place) for place in places],
        prompts=["2 + 2?"] * len(places),
        responses=[None if place == 7 else answers[place % 4] for place in places],
        references=[None if place % 5 == 0 else "4" for place in places],
        features=[{"mine": place / 2} for place in places],
    )


@pytest.mark.parametrize("recipe", ["mixed", "graded"])
async def test_parts_together_are_the_whole(gateway: Gateway, recipe: str) -> None:
    plan, options = gateway.get_plan(recipe), ScoreOptions()
    parts = []
    for places in ([3, 0, 8, 1], [2, 4, 5, 6, 7], [9, 10, 11]):
        ahead = await gateway.score_ahead(plan, make_batch(places), options)
        parts.append(AheadPart(places, decode_ahead(encode_ahead(ahead))))
    ahead = join_ahead(parts, SIZE)
    every = list(range(SIZE))
    combined = await gateway.score_by(plan, make_batch(every), ScoreOptions(ahead=ahead, scope=RequestScope(run="a")))
    at_once = await gateway.score_by(plan, make_batch(every), ScoreOptions(scope=RequestScope(run="b")))
    told = [encode_scored(make_batch(every), scored, {}, explain=True) for scored in (combined, at_once)]
    assert told[0] == told[1]
    assert 7 in combined.invalid
    assert len(combined.invalid) < SIZE / 2


async def test_what_two_scorers_have_scored_is_not_combined(gateway: Gateway) -> None:
    plan = gateway.get_plan("mixed")
    samples = [orjson.dumps({"response": "4", "features": {"mine": place}}) for place in range(4)]
    first = await gateway.score_ahead(plan, make_batch([0, 1]), ScoreOptions())
    second = replace(first, fallbacks={"model": "another"})
    inputs = encode_pieces(samples, [Cut([0, 1], []), Cut([2, 3], [])])
    records = [encode_ahead(ahead) for ahead in (first, second)]
    whole, ahead = join_parts(list(zip(inputs, records, strict=True)))
    assert (whole.places, ahead) == ([0, 1, 2, 3], None)
    whole, ahead = join_parts([(data, records[0]) for data in inputs])
    assert ahead is not None
    assert ahead.scored.components["model"].raw.tolist() == [0.0, 0.5, 0.0, 0.5]


async def test_a_part_that_nobody_could_score_fails_its_samples_alone(gateway: Gateway) -> None:
    plan = gateway.get_plan("mixed")
    lost = fail_ahead(plan.name, plan.version, 6, Invalid("worker_lost", "lost"))
    ahead = await gateway.score_ahead(plan, make_batch(list(range(6))), ScoreOptions())
    joined = join_ahead([AheadPart(range(6, 12), lost), AheadPart(range(6), ahead)], SIZE)
    scored = await gateway.score_by(plan, make_batch(list(range(SIZE))), ScoreOptions(ahead=joined))
    codes = {row: reason.code for row, reason in scored.invalid.items()}
    assert codes == {**dict.fromkeys(range(6, 12), "worker_lost"), 7: "missing_field"}
    assert np.isfinite(scored.reward[:6]).all()
