"""Vector rewards of conversations over gRPC: one entry for each of the assistant's turns."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from reward_gateway.proto import reward_pb2 as pb

from tests.http.test_turns import RECIPES, TURNS

pytestmark = pytest.mark.anyio

Serve = Callable[..., AbstractAsyncContextManager[Any]]


async def test_three_turns_have_three_rewards_whether_numbers_are_by_turn_or_by_message(serve: Serve) -> None:
    messages = pb.Conversation(messages=[pb.Message(role=turn["role"], content=turn["content"]) for turn in TURNS])

    def sample(*process: float) -> pb.Sample:
        feature = pb.Feature(vector=pb.Vector(values=process))
        return pb.Sample(prompt="p", response_messages=messages, reference="Paris", features={"process": feature})

    samples = [sample(0.5, 0.25), sample(0.5, 0.9, 0.25, 0.9, 1.0), sample(0.5)]
    async with serve(recipes=RECIPES) as served:
        first, second, refused = (await served.stub.Score(pb.ScoreRequest(reward="renorm", samples=samples))).results
    assert [list(result.rewards) for result in (first, second)] == [[0.5, 0.25, 1.0]] * 2
    assert (refused.valid, refused.error.code) == (False, "invalid_field")
