"""Answers written from prepared parts are the messages that the protobuf library makes field by field."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.grpc import encode
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.protobuf_wire import read_varint, varint
from reward_gateway.sample import ComponentScores, Invalid, Scored, Usage

STAGES = ("total", "decode", "cache", "inference", "combine")
texts = st.text(st.characters(codec="utf-8"), max_size=200)
finite = st.floats(allow_nan=False, allow_infinity=False)
any_number = st.floats()


@st.composite
def batches(draw: st.DrawFn, numbers: st.SearchStrategy[float]) -> tuple[list[str], Scored]:
    """Ids and scores of a few samples."""
    n = draw(st.integers(0, 4))

    def column() -> Any:
        return np.array(draw(st.lists(numbers, min_size=n, max_size=n)), np.float64)

    components = {}
    for name in draw(st.lists(texts, max_size=3, unique=True)):
        raw, cached = column(), st.none() | st.lists(st.booleans(), min_size=n, max_size=n)
        hits = draw(cached)
        components[name] = ComponentScores(
            raw,
            raw if draw(st.booleans()) else column(),
            draw(st.none() | texts),
            draw(st.none() | texts),
            None if hits is None else np.array(hits, np.bool_),
        )
    scored = Scored(
        draw(texts),
        draw(texts),
        column(),
        components,
        reward_raw=draw(st.none()) if draw(st.booleans()) else column(),
        answer="combined" if draw(st.booleans()) else "normalized",
        usage=Usage(*(draw(st.integers(0, 2**40)) for _ in range(5))),
        timing_ms={stage: draw(finite) for stage in STAGES if draw(st.booleans())},
    )
    return draw(st.lists(texts, min_size=n, max_size=n)), scored


def expected(ids: list[str], scored: Scored, explain: bool) -> pb.ScoreResponse:
    """The same answer, field by field."""
    message = pb.ScoreResponse(reward=scored.recipe, recipe_version=scored.version)
    for i, name in enumerate(ids):
        result = message.results.add(id=name)
        for field, column in (("reward", scored.reward), ("reward_raw", scored.reward_raw)):
            if column is not None and math.isfinite(column[i]):
                setattr(result, field, column[i])
        for component, scores in scored.components.items() if explain else ():
            made = result.components[component]
            for field, column in (("raw", scores.raw), ("value", scores.value)):
                if math.isfinite(column[i]):
                    setattr(made, field, column[i])
            if scores.skipped is not None and (by := scores.skipped[i]) is not None:
                made.skipped = by
                continue
            if scores.model is not None:
                made.model = scores.model
            if scores.model_version is not None:
                made.model_version = scores.model_version
            made.cached = scores.cached is not None and bool(scores.cached[i])
        result.flags.extend(scored.flags.get(i, ()))
        result.valid = math.isfinite(scored.reward[i]) and i not in scored.invalid
        if i in scored.invalid:
            reason = scored.invalid[i]
            result.error.CopyFrom(pb.Error(code=reason.code, message=reason.message))
        elif not result.valid:
            result.error.CopyFrom(pb.Error(code="not_finite", message="the reward is not a finite number"))
    for field in ("samples", "cache_hits", "cache_misses", "model_calls", "skipped"):
        setattr(message.usage, field, getattr(scored.usage, field))
    message.usage.SetInParent()
    if scored.reward_raw is not None:
        message.answer = scored.answer
    message.timing_ms.SetInParent()
    for stage, spent in scored.timing_ms.items():
        setattr(message.timing_ms, stage, spent)
    return message


def read(ids: list[str], scored: Scored, explain: bool) -> pb.ScoreResponse:
    return pb.ScoreResponse.FromString(encode.response(ids, scored, explain) + encode.timing(scored.timing_ms))


@given(batches(finite), st.booleans())
def test_an_answer_of_numbers_is_the_message_of_the_library(batch: tuple[list[str], Scored], explain: bool) -> None:
    assert read(*batch, explain) == expected(*batch, explain)


@given(batches(any_number), st.booleans(), st.data())
def test_an_answer_with_failures_and_flags_is_the_message_of_the_library(
    batch: tuple[list[str], Scored], explain: bool, data: st.DataObject
) -> None:
    ids, scored = batch
    for i in range(len(ids)):
        if data.draw(st.booleans()):
            scored.flags[i] = ("truncated", "repeated")
        if data.draw(st.booleans()):
            scored.invalid[i] = Invalid("model_error", "the model failed")
    for component in scored.components.values():
        if data.draw(st.booleans()):
            component.skipped = [data.draw(st.none() | texts) for _ in ids]
    assert read(ids, scored, explain) == expected(ids, scored, explain)


@given(batches(finite))
def test_a_message_of_a_stream_holds_its_result_where_an_answer_does(batch: tuple[list[str], Scored]) -> None:
    ids, scored = batch
    written = [encode.head(scored.recipe, scored.version) + part for part in encode.write_results(ids, scored, True)]
    messages = [pb.ScoreStreamResponse.FromString(message) for message in written]
    assert [message.result for message in messages] == list(expected(ids, scored, True).results)
    assert all((message.reward, message.recipe_version) == (scored.recipe, scored.version) for message in messages)


def test_a_vector_what_a_judge_said_and_a_limit_of_time_are_in_the_message() -> None:
    scores = ComponentScores(
        np.ones(1), np.ones(1), vectors=[np.array([0.5, 1.0])], judge_answers=["good"], limits=[1.5]
    )
    scored = Scored("r", "1", np.ones(1), {"judged": scores}, rewards=[[1.0, [2.0]]])
    (result,) = read(["a"], scored, True).results
    assert list(result.rewards) == [1, [2]]
    assert list(result.components["judged"].vector) == [0.5, 1]
    assert list(result.components["judged"].judge_answer) == ["good"]
    assert result.components["judged"].limit_s == 1.5


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16_383, 16_384, 2**32, 2**63 - 1])
def test_a_number_is_written_as_messages_have_it(value: int) -> None:
    written = varint(value)
    assert pb.Usage.FromString(b"\x08" + written).samples == value
    assert read_varint(b"\x08" + written + b"\x01", 1) == (value, 1 + len(written))
