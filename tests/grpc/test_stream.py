"""ScoreStream: one sample in, one result out, matched by id; what is bounded, what ends it, what does not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import pytest
from reward_gateway.grpc import stream
from reward_gateway.grpc.stream_samples import Line
from reward_gateway.proto import reward_pb2 as pb

from tests.clock import Clock, until

pytestmark = pytest.mark.anyio

Serve = Callable[..., AbstractAsyncContextManager[Any]]


def message(response: str | None, **more: Any) -> pb.ScoreStreamRequest:
    terms = {key: more.pop(key) for key in ("reward", "options") if key in more}
    sample = pb.Sample(prompt="p", **more) if response is None else pb.Sample(prompt="p", response=response, **more)
    return pb.ScoreStreamRequest(sample=sample, **terms)


async def sent(messages: Sequence[pb.ScoreStreamRequest]) -> AsyncIterator[pb.ScoreStreamRequest]:
    for each in messages:
        yield each


async def exchanged(served: Any, messages: Sequence[pb.ScoreStreamRequest], **call: Any) -> dict[str, Any]:
    """Answers by id."""
    answers = [answer async for answer in served.stub.ScoreStream(sent(messages), **call)]
    assert len(answers) == len(messages)
    return {answer.result.id: answer for answer in answers}


async def ended(served: Any, messages: Sequence[pb.ScoreStreamRequest]) -> tuple[str, dict[str, Any]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await exchanged(served, messages)
    error: Any = caught.value
    return error.code().name, dict(error.trailing_metadata() or ())


async def test_every_sample_gets_its_own_result_and_samples_that_wait_share_calls(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = 0
    add_sample = Line.add

    def count_and_add(*arguments: Any) -> bool:
        nonlocal received
        received += 1
        return add_sample(*arguments)

    monkeypatch.setattr(Line, "add", count_and_add)
    served.models.gate.shut()
    asking = asyncio.create_task(exchanged(served, [message("x" * i, id=f"s{i}") for i in range(1000)]))
    await until(lambda: received == 1000)
    served.models.gate.open()
    answers = await asking

    assert {name: answer.result.reward for name, answer in answers.items()} == {f"s{i}": float(i) for i in range(1000)}
    assert sum(served.models.calls) == 1000
    # Those under way while the model was slow, the batch that waited for a place, and the rest.
    assert len(served.models.calls) <= stream.MOMENTS + 2


async def test_samples_that_come_one_at_a_time_gather_until_those_before_are_answered(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "GATHER_S", 3600.0)
    served.models.gate.shut()
    call = served.stub.ScoreStream()
    held = 0
    for response in ("x", "xx", "xxx", "xxxx"):
        each = message(response)
        held += each.ByteSize()
        await call.write(each)
        await until(lambda: served.models.calls and served.traffic.bodies.held == held)  # noqa: B023 (awaited here)
    served.models.gate.open()
    await call.done_writing()

    assert [answer.result.reward async for answer in call] == [1.0, 2.0, 3.0, 4.0]
    assert served.models.calls == [1, 3]


async def test_samples_gather_behind_answers_that_are_being_sent(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "GATHER_S", 0.0)
    sending, reading = asyncio.Event(), asyncio.Event()
    send = stream.ScoreStream._send

    async def send_slowly(*arguments: Any) -> None:
        sending.set()
        await reading.wait()
        await send(*arguments)

    monkeypatch.setattr(stream.ScoreStream, "_send", send_slowly)
    call = served.stub.ScoreStream()
    await call.write(message("x"))
    await sending.wait()
    held = served.traffic.bodies.held
    for response in ("xx", "xxx", "xxxx"):
        each = message(response)
        held += each.ByteSize()
        await call.write(each)
        await until(lambda: served.traffic.bodies.held == held)  # noqa: B023 (awaited here)
    reading.set()
    await call.done_writing()

    assert [answer.result.reward async for answer in call] == [1.0, 2.0, 3.0, 4.0]
    assert served.models.calls == [1, 3]


async def test_a_model_that_takes_its_time_is_given_the_next_samples_meanwhile(served: Any) -> None:
    served.models.gate.shut()
    call = served.stub.ScoreStream()
    for times in (1, 2):
        await call.write(message("x" * times))
        await until(lambda: len(served.models.calls) == times)  # noqa: B023 (awaited here)
    served.models.gate.open()
    await call.done_writing()

    assert sorted([answer.result.reward async for answer in call]) == [1.0, 2.0]


async def test_samples_without_an_id_are_numbered_by_their_place(served: Any) -> None:
    answers = await exchanged(served, [message("x"), message("xx", id="mine"), message("xxx")])

    assert {name: answer.result.reward for name, answer in answers.items()} == {"0": 1.0, "mine": 2.0, "2": 3.0}


async def test_results_come_while_the_caller_is_still_sending(served: Any) -> None:
    call = served.stub.ScoreStream()
    for text in ("a", "bb", "ccc"):
        await call.write(message(text))
        assert (await call.read()).result.reward == len(text)
    await call.done_writing()

    assert await call.read() is grpc.aio.EOF  # type: ignore[attr-defined]


async def test_texts_are_read_back_where_the_options_say_that_they_are_rendered(served: Any) -> None:
    messages = [
        message("four<|im_end|>", id="as it is"),
        message("four<|im_end|>", options=pb.Options(chat_format="auto"), id="read"),
        message("four<|im_end|>", id="read, too"),
        message("four<|im_end|>", options=pb.Options(chat_format="none"), id="again as it is"),
    ]
    answers = await exchanged(served, messages)
    found = {name: (answer.result.reward, list(answer.result.flags)) for name, answer in answers.items()}
    assert found == {
        "as it is": (14.0, ["template_marks"]),
        "read": (4.0, []),
        "read, too": (4.0, []),
        "again as it is": (14.0, ["template_marks"]),
    }
    assert (await ended(served, [message("x", options=pb.Options(chat_format="esperanto"))]))[0] == "INVALID_ARGUMENT"


async def test_reward_and_options_hold_until_others_are_named(served: Any) -> None:
    options = pb.Options(explain=False)
    messages = [
        message("one", reward="mixed", id="a"),
        message("one", id="b"),
        message("one", reward="plain", options=options, id="c"),
        message("one", id="d"),
    ]
    answers = await exchanged(served, messages)

    assert [answers[name].reward for name in "abcd"] == ["mixed", "mixed", "plain", "plain"]
    assert [answers[name].result.reward for name in "abcd"] == [2.5, 2.5, 3.0, 3.0]
    assert [bool(answers[name].result.components) for name in "abcd"] == [True, True, False, False]
    assert all(answer.recipe_version for answer in answers.values())


async def test_a_sample_that_cannot_be_scored_does_not_end_the_stream(served: Any) -> None:
    answers = await exchanged(served, [message("x"), message(None), message("xxx")])

    assert [answers[name].result.valid for name in "012"] == [True, False, True]
    assert answers["1"].result.error.code == "missing_field"


async def test_a_model_server_that_comes_back_goes_on_in_the_same_stream(served: Any) -> None:
    call = served.stub.ScoreStream()
    served.models.away = True
    await call.write(message("four"))
    first = await call.read()
    served.models.away = False
    await call.write(message("four"))
    second = await call.read()
    call.cancel()

    assert first.result.error.code == "model_unavailable"
    assert not first.result.HasField("reward")
    assert second.result.reward == 4.0


async def test_a_sample_that_is_too_late_is_told_so(served: Any, clock: Clock) -> None:
    served.models.gate.shut()
    asking = asyncio.ensure_future(exchanged(served, [message("four", options=pb.Options(deadline_ms=300_000))]))
    await until(lambda: served.models.calls)
    await clock.advance(301)
    answers = await asking

    assert answers["0"].result.error.code == "deadline_exceeded"


@pytest.mark.parametrize(
    ("messages", "status", "code", "param"),
    [
        ([message("x", reward="nothing")], "NOT_FOUND", "not_found", "reward"),
        ([message("x", reward="in_groups")], "INVALID_ARGUMENT", "invalid_request", "reward"),
        ([pb.ScoreStreamRequest()], "INVALID_ARGUMENT", "invalid_request", "sample"),
        ([message("x"), message("x" * 200)], "RESOURCE_EXHAUSTED", "too_large", "samples[1].response"),
        (
            [message("x", options=pb.Options(on_invalid=pb.Options.ON_INVALID_FAIL)), message(None)],
            "INVALID_ARGUMENT",
            "unscorable_sample",
            "samples[1].response",
        ),
    ],
)
async def test_what_refuses_a_request_ends_a_stream(
    serve: Serve, messages: list[pb.ScoreStreamRequest], status: str, code: str, param: str
) -> None:
    async with serve(max_text_chars=100) as served:
        ended_with, metadata = await ended(served, messages)

    assert (ended_with, metadata["error-code"], metadata["error-param"]) == (status, code, param)


async def test_streams_end_with_their_status_however_the_messages_fall(serve: Serve) -> None:
    async with serve(max_text_chars=100) as served:
        for _ in range(100):
            status, _ = await ended(served, [message("x"), message("x" * 200), message("x")])
            assert status == "RESOURCE_EXHAUSTED"


async def test_a_gateway_that_goes_away_answers_what_it_has_and_ends_the_stream(served: Any) -> None:
    served.models.gate.shut()
    call = served.stub.ScoreStream()
    await call.write(message("four"))
    await until(lambda: served.models.calls)
    served.traffic.drain.begin()
    await call.write(message("four"))
    served.models.gate.open()

    assert (await call.read()).result.reward == 4.0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_caller_who_leaves_leaves_nothing_behind(served: Any) -> None:
    served.models.gate.shut()
    call = served.stub.ScoreStream()
    await call.write(message("four"))
    await until(lambda: served.models.calls)
    call.cancel()

    await until(lambda: served.traffic.admission.in_flight == 0)


async def test_a_caller_who_does_not_read_is_slowed_down(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "WAITING", 8)
    sent_so_far = 0
    call = served.stub.ScoreStream()

    async def flood() -> None:
        nonlocal sent_so_far
        while True:
            sent_so_far += 1
            await call.write(message("x" * 10_000, id=f"{sent_so_far:0>200}"))

    flooding = asyncio.create_task(flood())
    before = -1
    while not served.models.calls or sent_so_far != before:
        before = sent_so_far
        await asyncio.sleep(0.2)
    scored = sum(served.models.calls)
    # Ended before the call: a generator given to gRPC could still be running when the call lets go of it.
    flooding.cancel()
    await asyncio.wait([flooding])
    call.cancel()

    assert 0 < scored <= sent_so_far < 100_000


async def test_a_sample_brings_its_rubric(served: Any) -> None:
    await exchanged(served, [message("x", rubric=[pb.Criterion(text="Is short.", weight=2)])])

    (batch,) = served.models.seen
    assert batch.column("rubric") == [[{"text": "Is short.", "weight": 2.0, "tags": [], "veto": False}]]


async def test_a_stream_on_which_nothing_is_sent_ends_when_the_gateway_goes_away(served: Any) -> None:
    call = served.stub.ScoreStream()
    await call.write(message("four"))
    assert (await call.read()).result.reward == 4.0
    served.traffic.drain.begin()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert retry_after(caught.value) == "1"


async def test_what_is_cut_off_says_when_to_come_back(served: Any) -> None:
    served.models.gate.shut()
    stream, single = served.stub.ScoreStream(), asyncio.ensure_future(served.stub.Score(single_request()))
    await stream.write(message("four"))
    await until(lambda: served.traffic.drain.in_progress == 2 and served.models.calls)
    served.traffic.drain.cut_off()
    for ending in (single, stream.read()):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ending
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert retry_after(caught.value) == "1"


def single_request() -> pb.ScoreRequest:
    return pb.ScoreRequest(samples=[message("four").sample])


def retry_after(error: Any) -> str:
    """When the caller may come back, in seconds."""
    return str(dict(error.trailing_metadata())["retry-after"])
