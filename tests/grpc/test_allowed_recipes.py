"""Over gRPC, too, a key with ``rewards`` may use these recipes only, and is told of no other."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio

SAMPLE = pb.Sample(prompt="p", response="a b c d")
KEY = (("x-api-key", "the key of one recipe"),)
OTHER = ["plain", "nobody", "pictures", ""]
"""A recipe that the key may not use, none, a served model, and the default."""


@pytest.fixture
async def served(serve: Any, tmp_path: Path) -> AsyncIterator[Any]:
    file = tmp_path / "keys.yaml"
    file.write_text('keys: [{name: bound, key: "the key of one recipe", rewards: [mixed, letters]}]')
    async with serve(state=StateStore.in_process(), api_keys_file=file) as found:
        yield found


async def score(served: Any, name: str) -> Any:
    return await served.stub.Score(pb.ScoreRequest(reward=name, samples=[SAMPLE]), metadata=KEY)


async def submit(served: Any, name: str) -> Any:
    return await served.stub.SubmitJob(pb.SubmitJobRequest(reward=name, samples=[SAMPLE]), metadata=KEY)


async def stream(served: Any, name: str) -> Any:
    async def requests() -> Any:
        yield pb.ScoreStreamRequest(reward=name, sample=SAMPLE)

    return [each async for each in served.stub.ScoreStream(requests(), metadata=KEY)]


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("ask", [score, submit, stream])
async def test_no_other_recipe_answers(served: Any, ask: Callable[[Any, str], Awaitable[Any]], name: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask(served, name)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "may use only the recipes" in str(refused.value.details())
    assert served.models.calls == []


async def test_its_own_answer(served: Any) -> None:
    assert (await score(served, "mixed")).results[0].reward == 4.0
    assert [each.result.reward for each in await stream(served, "letters")] == [7.0]


async def test_it_is_told_of_no_other(served: Any) -> None:
    listing = await served.stub.ListRewards(pb.ListRewardsRequest(), metadata=KEY)
    assert ([each.name for each in listing.rewards], listing.default) == (["mixed"], "")
