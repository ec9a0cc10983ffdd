"""Which calls of Score fail: names, keys, places, deadlines, faults of ours, and callers who leave."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import grpc
import pytest
from reward_gateway.proto import reward_pb2 as pb

from tests.clock import Clock, until

from .asking import Serve, refusal, request

pytestmark = pytest.mark.anyio


async def test_an_unknown_reward_is_not_found(served: Any) -> None:
    status, metadata, _ = await refusal(served.stub.Score(request("r", reward="nothing")))

    assert (status, metadata["error-code"]) == ("NOT_FOUND", "not_found")


async def test_keys_are_asked_for_where_there_are_any(serve: Serve, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text(
        "keys:\n"
        "  - {name: trainer, key: correct-horse}\n"
        "  - {name: reader, key: battery-staple, rights: [state]}\n"
        "  - {name: slow, key: once-an-hour, rate: 1/hour}\n"
    )
    async with serve(api_keys_file=keys) as served:

        def score(*metadata: tuple[str, str]) -> Coroutine[Any, Any, Any]:
            call: Coroutine[Any, Any, Any] = served.stub.Score(request("four"), metadata=metadata)
            return call

        assert (await score(("authorization", "Bearer correct-horse"))).results[0].reward == 4.0
        assert (await score(("x-api-key", "correct-horse"))).results[0].reward == 4.0
        await score(("x-api-key", "once-an-hour"))
        refused = {
            "UNAUTHENTICATED": [await refusal(score()), await refusal(score(("x-api-key", "wrong")))],
            "PERMISSION_DENIED": [await refusal(score(("x-api-key", "battery-staple")))],
            "RESOURCE_EXHAUSTED": [await refusal(score(("x-api-key", "once-an-hour")))],
        }

    for status, answers in refused.items():
        assert {answer[0] for answer in answers} == {status}
    assert int(refused["RESOURCE_EXHAUSTED"][0][1]["retry-after"]) >= 1


async def test_a_model_server_that_is_away_is_unavailable_and_never_a_zero(served: Any) -> None:
    served.models.away = True
    status, metadata, _ = await refusal(served.stub.Score(request("four")))

    assert (status, metadata["error-code"], metadata["retry-after"]) == ("UNAVAILABLE", "model_unavailable", "1")


async def test_an_overloaded_gateway_says_when_to_come_back(serve: Serve) -> None:
    async with serve(max_in_flight=1, max_queued=0) as served:
        served.models.gate.shut()
        first = asyncio.ensure_future(served.stub.Score(request("four")))
        await until(lambda: served.models.calls)
        status, metadata, _ = await refusal(served.stub.Score(request("four")))
        served.models.gate.open()
        await first

    assert (status, metadata["error-code"], metadata["retry-after"]) == ("UNAVAILABLE", "overloaded", "1")


async def test_what_waits_for_a_slot_is_not_decoded_yet(serve: Serve) -> None:
    async with serve(max_in_flight=1) as served:
        served.models.gate.shut()
        first = asyncio.ensure_future(served.stub.Score(request("four")))
        await until(lambda: served.models.calls)
        send: Any = served.channel.unary_unary("/reward_gateway.v1.RewardService/Score")
        second = asyncio.ensure_future(refusal(send(b"no message")))
        await until(lambda: served.traffic.admission.queued == 1)
        assert not second.done()
        served.models.gate.open()
        await first
        status, metadata, _ = await second

    assert (status, metadata["error-code"]) == ("INVALID_ARGUMENT", "malformed_body")


async def test_a_burst_is_answered_or_told_when_to_come_back(serve: Serve) -> None:
    """gRPC itself would cancel what it has not handed over yet, without a word on when to try again."""
    async with serve(max_in_flight=1, max_queued=2) as served:
        served.models.gate.shut()
        calls = [asyncio.ensure_future(served.stub.Score(request("four"))) for _ in range(2000)]
        await until(lambda: sum(call.done() for call in calls) == 1997)
        served.models.gate.open()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert {error.code().name for error in refused} == {"UNAVAILABLE"}
    metadata: list[Any] = [error.trailing_metadata() for error in refused]
    assert all(int(pairs["retry-after"]) >= 1 for pairs in metadata)
    assert len(refused) == 1997


async def test_a_gateway_that_goes_away_takes_no_new_calls(served: Any) -> None:
    served.traffic.drain.begin()
    status, metadata, _ = await refusal(served.stub.Score(request("four")))

    assert (status, metadata["error-code"]) == ("UNAVAILABLE", "draining")


@pytest.mark.parametrize("how", ["options", "call"])
async def test_the_smaller_deadline_holds(served: Any, clock: Clock, how: str) -> None:
    served.models.gate.shut()
    options_s, timeout_s = (300, 600) if how == "options" else (600, 300)
    asked = request("four", options=pb.Options(deadline_ms=options_s * 1000))
    asking = asyncio.ensure_future(refusal(served.stub.Score(asked, timeout=timeout_s)))
    await until(lambda: served.models.calls)
    await clock.advance(301)
    status, *_ = await asking

    assert status == "DEADLINE_EXCEEDED"


async def test_a_fault_of_ours_tells_nothing(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the prompt was: secret")

    monkeypatch.setattr(served.gateway, "score", broken)
    status, metadata, message = await refusal(served.stub.Score(request("secret")))

    assert (status, metadata["error-code"]) == ("INTERNAL", "internal_error")
    assert "secret" not in message


async def test_a_failure_names_the_call_as_the_caller_did(served: Any) -> None:
    async def named(metadata: tuple[tuple[str, str], ...]) -> str:
        _, said, _ = await refusal(served.stub.Score(request("r", reward="nothing"), metadata=metadata))
        return str(said["x-request-id"])

    assert await named((("x-request-id", "step-17"),)) == "step-17"
    assert len(await named((("x-request-id", "x" * 257),))) == 32
    assert await named(()) != await named(())


async def test_a_caller_who_leaves_gives_the_place_back(served: Any) -> None:
    served.models.gate.shut()
    call = served.stub.Score(request("four"))
    asked = asyncio.ensure_future(call.code())
    await until(lambda: served.models.calls)
    call.cancel()

    assert (await asked) is grpc.StatusCode.CANCELLED
    await until(lambda: served.traffic.admission.in_flight == 0)
