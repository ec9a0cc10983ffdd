"""``idempotency-key`` in the metadata, on its way from every method to the dataplane."""

from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.scoring.single_operations import SingleOperations

pytestmark = pytest.mark.anyio

KEY = (("idempotency-key", "a key"),)


@pytest.fixture
def scopes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], RequestScope]]:
    """Ids and scope of everything that was scored, in order."""
    seen: list[tuple[list[str], RequestScope]] = []
    score, apply = Gateway.score, SingleOperations.answer_request

    async def scored(self: Gateway, batch: Any, reward: str, options: ScoreOptions | None = None) -> Any:
        seen.append((batch.ids, (options or ScoreOptions()).scope))
        return await score(self, batch, reward, options)

    async def applied(self: SingleOperations, *args: Any, **kwargs: Any) -> Any:
        seen.append(([], kwargs["scope"]))
        return await apply(self, *args, **kwargs)

    monkeypatch.setattr(Gateway, "score", scored)
    monkeypatch.setattr(SingleOperations, "answer_request", applied)
    return seen


async def test_the_key_reaches_the_dataplane(served: Any, scopes: Any) -> None:
    await served.stub.Score(pb.ScoreRequest(samples=[pb.Sample(response="abc")]), metadata=KEY)
    apply = ParseDict({"kind": "transform", "name": "affine", "items": [{"reward": 1.0}]}, pb.ApplyRequest())
    await served.stub.Apply(apply, metadata=KEY)
    assert [scope for _, scope in scopes] == [RequestScope("anonymous", "", "a key")] * 2


@pytest.mark.parametrize("key", ["", "x" * 257])
async def test_a_key_that_is_none_is_refused(served: Any, key: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.stub.Score(pb.ScoreRequest(), metadata=(("idempotency-key", key),))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    metadata: Any = refused.value.trailing_metadata()
    assert dict(metadata)["error-param"] == "Idempotency-Key"


async def test_each_sample_of_a_stream_has_a_key_of_its_own_however_they_are_sent(served: Any, scopes: Any) -> None:
    async def stream(*ids: str) -> None:
        call = served.stub.ScoreStream(metadata=KEY)
        for name in ids:
            await call.write(pb.ScoreStreamRequest(sample=pb.Sample(id=name, response="abc")))
        await call.done_writing()
        assert {answer.result.id async for answer in call} == set(ids)

    await stream("a", "b", "c")
    await stream("c", "a")
    keys: dict[str, set[str]] = {}
    for (name,), scope in scopes:
        keys.setdefault(name, set()).add(scope.idempotency_key)
    assert all(len(found) == 1 for found in keys.values())
    assert len(set.union(*keys.values())) == 3


async def test_the_run_reaches_the_dataplane_from_every_method(served: Any, scopes: Any) -> None:
    metadata = (("x-run", "A"),)
    await served.stub.Score(pb.ScoreRequest(samples=[pb.Sample(response="abc")]), metadata=metadata)
    apply = ParseDict({"kind": "transform", "name": "affine", "items": [{"reward": 1.0}]}, pb.ApplyRequest())
    await served.stub.Apply(apply, metadata=metadata)
    call = served.stub.ScoreStream(metadata=metadata)
    await call.write(pb.ScoreStreamRequest(sample=pb.Sample(id="s", response="abc")))
    await call.done_writing()
    assert [answer.result.id async for answer in call] == ["s"]
    assert [scope for _, scope in scopes] == [RequestScope("anonymous", "A")] * 3


async def test_two_runs_are_refused(served: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.stub.Score(pb.ScoreRequest(), metadata=(("x-run", "A"), ("x-run", "B")))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "different runs" in (refused.value.details() or "")


@pytest.mark.parametrize("run", ["", "x" * 129, "a/b"])
async def test_a_run_that_is_none_is_refused(served: Any, run: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.stub.Score(pb.ScoreRequest(), metadata=(("x-run", run),))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    metadata: Any = refused.value.trailing_metadata()
    assert dict(metadata)["error-param"] == "X-Run"


async def test_the_step_of_a_run_reaches_the_dataplane(served: Any, scopes: Any) -> None:
    metadata = (("x-run", "A"), ("x-run-step", "7"))
    await served.stub.Score(pb.ScoreRequest(samples=[pb.Sample(response="abc")]), metadata=metadata)
    assert [scope for _, scope in scopes] == [RequestScope("anonymous", "A", None, 7)]


@pytest.mark.parametrize("step", ["", "x", "1.5"])
async def test_a_step_that_is_none_is_refused(served: Any, step: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.stub.Score(pb.ScoreRequest(), metadata=(("x-run-step", step),))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    metadata: Any = refused.value.trailing_metadata()
    assert dict(metadata)["error-param"] == "X-Run-Step"
