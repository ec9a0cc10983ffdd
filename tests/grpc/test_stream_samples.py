"""The samples of a stream before they are scored: found in their messages, parsed late, and a line that is bounded."""

import asyncio
import contextlib
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.errors import MalformedBody
from reward_gateway.grpc import calls, stream, stream_samples
from reward_gateway.grpc.stream_samples import Line, WaitingSample, find_sample
from reward_gateway.proto import reward_pb2 as pb

from tests.clock import Clock, until

from .test_stream import exchanged, message

pytestmark = pytest.mark.anyio

NO_MESSAGE = b"\x1a\x02\x0a\x7f"
"""A message that holds nothing but a sample, which is none."""


@given(st.text(st.characters(codec="utf-8"), max_size=300), st.sampled_from(["", "plain"]), st.booleans())
def test_a_sample_is_found_where_its_message_holds_nothing_else(response: str, reward: str, options: bool) -> None:
    sample = pb.Sample(response=response)
    asked = pb.ScoreStreamRequest(sample=sample, reward=reward, options=pb.Options() if options else None)
    start = find_sample(raw := asked.SerializeToString())
    assert bool(start) == (not reward and not options)
    if start:
        assert pb.Sample.FromString(raw[start:]) == sample


@given(st.binary(max_size=12).map(b"\x1a".__add__) | st.binary(max_size=12))
def test_what_is_found_is_the_sample_of_the_message(raw: bytes) -> None:
    if start := find_sample(raw):
        try:
            sample = pb.Sample.FromString(raw[start:])
        except Exception:
            sample = None
        try:
            whole = pb.ScoreStreamRequest.FromString(raw).sample
        except Exception:
            whole = None
        assert sample == whole


async def test_a_message_that_is_none_ends_the_stream_once_those_before_it_are_answered(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "GATHER_S", 3600.0)
    served.models.gate.shut()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.server.port}") as opened:
        channel: Any = opened
        call = channel.stream_stream("/reward_gateway.v1.RewardService/ScoreStream")()
        sent = [message("x").SerializeToString(), message("xx").SerializeToString(), NO_MESSAGE]
        sent.append(message("xxx").SerializeToString())
        for i, raw in enumerate(sent):
            await call.write(raw)
            held = sum(map(len, sent[: i + 1]))
            await until(lambda: served.models.calls and served.traffic.bodies.held == held)  # noqa: B023 (awaited here)
        served.models.gate.open()
        answers = []
        with contextlib.suppress(grpc.aio.AioRpcError):
            async for raw in call:
                answers.append(pb.ScoreStreamResponse.FromString(raw).result.reward)
        metadata = dict(await call.trailing_metadata())
        assert (await call.code(), metadata["error-code"]) == (grpc.StatusCode.INVALID_ARGUMENT, "malformed_body")
        assert "ScoreStreamRequest" in await call.details()
    assert answers == [1.0, 2.0]
    assert served.traffic.bodies.held == 0


async def test_samples_are_parsed_once_they_are_let_in(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[type] = []
    parse = calls.parse

    def noted(kind: Any, *arguments: Any) -> Any:
        parsed.append(kind)
        return parse(kind, *arguments)

    monkeypatch.setattr(stream_samples, "parse", noted)
    async with serve(max_in_flight=1) as served:
        served.models.gate.shut()
        score = asyncio.ensure_future(served.stub.Score(pb.ScoreRequest(samples=[pb.Sample(response="x")])))
        await until(lambda: served.models.calls)
        asking = asyncio.ensure_future(exchanged(served, [message("x"), message("xx"), message("xxx")]))
        await until(lambda: served.traffic.bodies.held > 30 and served.traffic.admission.queued)
        assert parsed == []
        served.models.gate.open()
        assert len(await asking) == 3
        assert parsed == [pb.Sample] * 2, "the first message names what holds for those after it"
        await score


async def test_samples_that_are_not_let_in_in_time_are_told_so_by_their_ids(serve: Any, clock: Clock) -> None:
    async with serve(max_in_flight=1, queue_timeout_s=7200, max_queue_wait_s=7200, max_deadline_s=7200) as served:
        served.models.gate.shut()
        options = pb.Options(deadline_ms=600_000)
        score = asyncio.ensure_future(
            served.stub.Score(
                pb.ScoreRequest(samples=[pb.Sample(response="x")], options=pb.Options(deadline_ms=3_000_000))
            )
        )
        await until(lambda: served.models.calls)
        messages = [message("x", options=options), message("xx", id="mine"), message("xxx")]
        asking = asyncio.ensure_future(exchanged(served, messages))
        await until(lambda: served.traffic.admission.queued)
        await clock.advance(601)
        answers = await asking
        assert {name: answer.result.error.code for name, answer in answers.items()} == dict.fromkeys(
            ("0", "mine", "2"), "deadline_exceeded"
        )
        served.models.gate.open()
        await score


@pytest.mark.parametrize(
    ("options", "call_s", "seconds"),
    [(None, None, 30), (None, 20, 20), (None, 90, 60), (5, None, 5), (5, 20, 5), (40, 20, 20), (100, None, 60)],
)
async def test_a_sample_has_the_shortest_of_the_deadlines_that_were_set(
    serve: Any, monkeypatch: pytest.MonkeyPatch, options: float | None, call_s: float | None, seconds: float
) -> None:
    found: list[float] = []
    add = Line.add

    def noted(line: Line[WaitingSample], sample: WaitingSample) -> bool:
        found.append(sample.deadline - asyncio.get_running_loop().time())
        return add(line, sample)

    monkeypatch.setattr(Line, "add", noted)
    async with serve(default_deadline_s=30, max_deadline_s=60) as served:
        more = {} if options is None else {"options": pb.Options(deadline_ms=round(options * 1e3))}
        await exchanged(served, [message("x", **more), message("xx")], timeout=call_s)
    assert [round(left / 2) for left in found] == [round(seconds / 2)] * 2


async def test_whoever_takes_from_a_line_gets_all_that_waits_and_then_its_end() -> None:
    line: Line[int] = Line(8)
    taking = asyncio.ensure_future(line.take())
    await asyncio.sleep(0)
    line.add(1)
    line.add(2)
    assert await taking == [1, 2]
    line.add(3)
    line.end(MalformedBody("first"))
    line.end(MalformedBody("second"))
    assert await line.take() == [3]
    for _ in range(2):
        with pytest.raises(MalformedBody, match="first"):
            await line.take()


async def test_a_line_that_has_ended_wakes_who_waits_for_more() -> None:
    line: Line[int] = Line(8)
    taking = asyncio.ensure_future(line.take())
    await asyncio.sleep(0)
    line.end()
    assert await taking == []


async def test_a_full_line_makes_who_adds_wait_until_it_is_taken() -> None:
    line: Line[int] = Line(2)
    await line.wait_for_room()
    assert [line.add(item) for item in (1, 2)] == [True, False]
    waiting = asyncio.ensure_future(line.wait_for_room())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await line.take() == [1, 2]
    await waiting
    assert line.add(3)
