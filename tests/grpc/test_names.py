"""Over gRPC, too, a name is that of a recipe, an alias or a served model."""

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from reward_gateway.proto import reward_pb2 as pb

from .conftest import RECIPES

pytestmark = pytest.mark.anyio

ALIASED = f"{RECIPES}\nmodel_aliases: {{gpt-4o: mixed}}"
SAMPLE = pb.Sample(prompt="p", response="a b c d")


@pytest.fixture
async def served(serve: Any) -> Any:
    async with serve(recipes=ALIASED) as found:
        yield found


@pytest.mark.parametrize(("name", "reward", "number"), [("gpt-4o", "mixed", 4.0), ("letters", "letters", 7.0)])
async def test_aliases_and_served_models_score(served: Any, name: str, reward: str, number: float) -> None:
    answer = await served.stub.Score(pb.ScoreRequest(reward=name, samples=[SAMPLE]))
    assert (answer.reward, answer.results[0].reward) == (reward, number)

    async def requests() -> Any:
        yield pb.ScoreStreamRequest(reward=name, sample=SAMPLE)

    assert [(each.reward, each.result.reward) async for each in served.stub.ScoreStream(requests())] == [
        (reward, number)
    ]


async def test_health_knows_them_and_no_other_name(served: Any) -> None:
    async def health(name: str) -> Any:
        stub = health_pb2_grpc.HealthStub(served.channel)
        return (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status

    for name in ("plain", "gpt-4o", "letters", "letters:count"):
        assert await health(name) == health_pb2.HealthCheckResponse.SERVING, name
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await health("nobody")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    served.models.away = True
    for name in ("gpt-4o", "letters"):
        assert await health(name) == health_pb2.HealthCheckResponse.NOT_SERVING, name


async def test_an_unknown_name_is_not_found(served: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.stub.Score(pb.ScoreRequest(reward="nobody", samples=[SAMPLE]))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
