"""Features of odd shapes over gRPC: the reason of their sample, and no matter of any other; and nothing fails because
it cannot be measured."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import pytest
from reward_gateway.proto import reward_pb2 as pb

from tests.raising import raising_metrics

pytestmark = pytest.mark.anyio

Serve = Callable[..., AbstractAsyncContextManager[Any]]

RECIPES = """
rewards:
  given:
    components:
      mine: {score: given, inputs: {value: {feature: my_score}}}
"""
NUMBER = pb.Feature(number=0.5)
VECTOR = pb.Feature(vector=pb.Vector(values=[0.5, 0.6]))


def sample(feature: pb.Feature, name: str = "") -> pb.Sample:
    return pb.Sample(id=name, response="a", features={"my_score": feature})


async def test_a_feature_of_another_shape_is_the_reason_of_its_sample(serve: Serve) -> None:
    async with serve(recipes=RECIPES) as served:
        samples = [sample(NUMBER), sample(VECTOR), sample(NUMBER)]
        first, odd, last = (await served.stub.Score(pb.ScoreRequest(samples=samples))).results
        assert [first.reward, last.reward] == [0.5, 0.5]
        assert (odd.valid, odd.HasField("reward"), odd.error.code) == (False, False, "invalid_field")
        assert "features.my_score" in odd.error.message


async def test_a_stream_goes_on_after_one(serve: Serve) -> None:
    async with serve(recipes=RECIPES) as served:
        call = served.stub.ScoreStream()
        results = {}
        for name, feature in (("a", VECTOR), ("b", NUMBER)):
            await call.write(pb.ScoreStreamRequest(sample=sample(feature, name)))
            results[name] = (await call.read()).result
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
    assert results["a"].error.code == "invalid_field"
    assert results["b"].reward == 0.5


async def test_no_call_fails_because_it_cannot_be_measured(serve: Serve) -> None:
    told: list[str] = []
    async with serve(raising_metrics(told), recipes=RECIPES) as served:
        answer = await served.stub.Score(pb.ScoreRequest(samples=[sample(NUMBER)]))
        assert answer.results[0].reward == 0.5
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.stub.Score(pb.ScoreRequest(reward="none"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert {"request_answered", "batch_scored"} <= set(told)
