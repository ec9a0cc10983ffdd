"""gRPC with context missing: an unset prompt is missing, and grouped answers carry the reward before the group."""

from typing import Any

import pytest
from reward_gateway.proto import reward_pb2 as pb

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  grouped: {components: {quality: {score: letters}}, group: {normalize: mean}}
  combined: {components: {quality: {score: letters}}, group: {normalize: mean, answer: combined}}
"""


async def test_an_unset_prompt_is_missing_and_an_empty_one_is_not(serve: Any) -> None:
    recipes = "rewards: {asks: {components: {quality: {score: pairs}}}}"
    async with serve(recipes=recipes) as served:
        samples = [pb.Sample(response="a"), pb.Sample(prompt="", response="ab")]
        missing, empty = (await served.stub.Score(pb.ScoreRequest(samples=samples))).results
    assert (missing.valid, missing.error.code, missing.error.param) == (False, "missing_field", "prompt")
    assert (empty.valid, empty.reward) == (True, 2.0)


async def test_grouped_answers_carry_the_reward_before_the_group(serve: Any) -> None:
    async with serve(recipes=RECIPES) as served:
        samples = [pb.Sample(prompt=prompt, response=text) for prompt, text in (("p", "a"), ("p", "abc"), ("q", "a"))]
        answer = await served.stub.Score(pb.ScoreRequest(reward="grouped", samples=samples))
        low, high, lone = answer.results
        assert answer.answer == "normalized"
        assert (low.reward, high.reward, low.reward_raw, high.reward_raw) == (-1.0, 1.0, 1.0, 3.0)
        assert (lone.valid, lone.error.code, lone.HasField("reward_raw")) == (False, "group_of_one", False)
        answer = await served.stub.Score(pb.ScoreRequest(reward="combined", samples=samples))
        assert answer.answer == "combined"
        assert [result.reward_raw for result in answer.results] == [1.0, 3.0, 1.0]


async def test_recipes_that_compare_nothing_have_neither(served: Any) -> None:
    answer = await served.stub.Score(pb.ScoreRequest(samples=[pb.Sample(response="a")]))
    assert not answer.HasField("answer")
    assert not answer.results[0].HasField("reward_raw")
