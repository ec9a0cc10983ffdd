"""``rubric``: a sample's own criteria, checked and filled in alike over every entry."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.triton.tensors import frame_value
from reward_gateway.cache.keys import make_keys
from reward_gateway.client.grpc_messages import score_request as grpc_request
from reward_gateway.client.request import columns_body
from reward_gateway.errors import InvalidRequest, TooLarge
from reward_gateway.grpc.decode import decode_samples
from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.limits import InputLimits
from reward_gateway.intake.request import ScoreRequest
from reward_gateway.oip.input_layouts import find_layout
from reward_gateway.oip.tensors import read_inputs
from reward_gateway.operations.registry import THIS_PROJECT, NoParams, Operation, OperationItem
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.recipes.column_binder import ColumnBinder
from reward_gateway.recipes.step import Step
from reward_gateway.sample import Batch
from reward_gateway.settings import Settings
from tritonclient.grpc import service_pb2 as oip

LIMIT = 1000
SETTINGS = Settings(max_text_chars=LIMIT)
Entry = Callable[[list[Any]], Batch]


def over_http(rubrics: list[Any]) -> Batch:
    samples = [{"prompt": "p", "response": "r", "rubric": rubric} for rubric in rubrics]
    body = json.dumps({"samples": samples}).encode()
    return asyncio.run(BatchBuilder(SETTINGS).make(decode_as(ScoreRequest, 64, body).samples, len(body)))


def over_grpc(rubrics: list[Any]) -> Batch:
    samples = [{"prompt": "p", "response": "r", "rubric": rubric} for rubric in rubrics]
    request = pb.ScoreRequest.FromString(grpc_request({"samples": samples}).SerializeToString())
    return asyncio.run(BatchBuilder(SETTINGS).make(decode_samples(request.samples, InputLimits(SETTINGS))))


def over_tensors(rubrics: list[Any]) -> Batch:
    request = oip.ModelInferRequest(model_name="m")
    for name, values in (("response", ["r"] * len(rubrics)), ("rubric", list(map(json.dumps, rubrics)))):
        request.inputs.add(name=name, datatype="BYTES", shape=[len(rubrics), 1])
        request.raw_input_contents.append(b"".join(frame_value(value.encode()) for value in values))
    inputs = read_inputs(request)

    async def read() -> Batch:
        columns, _ = await find_layout(inputs).read(inputs, None)
        return await BatchBuilder(SETTINGS).make_of_columns(columns)

    return asyncio.run(read())


ENTRIES: dict[str, Entry] = {"http": over_http, "grpc": over_grpc, "tensors": over_tensors}
every_entry = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)

WHOLE = {"text": "Says for how many minutes.", "weight": -2.5, "tags": ["fact", "time"], "veto": True}
SHORT = {"text": "Is polite."}


@every_entry
def test_criteria_have_every_key_whatever_was_given(entry: Entry) -> None:
    batch = entry([[WHOLE, SHORT], [SHORT], None])
    filled = {"text": "Is polite.", "weight": 1.0, "tags": [], "veto": False}
    assert batch.column("rubric") == [[WHOLE, filled], [filled], None]


FAULTS = {
    "no text": ([{"weight": 1}], "[0].text"),
    "an empty text": ([SHORT, {"text": ""}], "[1].text"),
    "a tag that is no text": ([{"text": "t", "tags": ["a", 1]}], "[0].tags[1]"),
    "tags that are no list": ([{"text": "t", "tags": "a"}], "[0].tags"),
    "a weight that is a text": ([{"text": "t", "weight": "1"}], "[0].weight"),
    "a weight that is yes or no": ([{"text": "t", "weight": True}], "[0].weight"),
    "a veto that is a number": ([{"text": "t", "veto": 1}], "[0].veto"),
    "a key that is not known": ([{"text": "t", "wieght": 1}], "[0].wieght"),
    "an object": ({"text": "t"}, ""),
    "a text": (["t"], "[0]"),
}
TYPED = {"no text", "an empty text"}
"""What a message of gRPC can carry at all."""


@pytest.mark.parametrize(
    ("entry", "fault"), [(e, fault) for e in ENTRIES for fault in FAULTS if e != "grpc" or fault in TYPED]
)
def test_a_fault_is_named_with_its_path(entry: str, fault: str) -> None:
    rubric, path = FAULTS[fault]
    with pytest.raises(InvalidRequest) as raised:
        ENTRIES[entry]([[SHORT], rubric])
    assert raised.value.param == f"samples[1].rubric{path}"


def test_a_weight_is_a_finite_number() -> None:
    body = b'{"samples": [{"prompt": "p", "response": "r", "rubric": [{"text": "t", "weight": 1e999}]}]}'
    sample = pb.Sample(response="r", rubric=[pb.Criterion(text="t"), pb.Criterion(text="t", weight=float("inf"))])
    with pytest.raises(InvalidRequest) as over_json:
        decode_as(ScoreRequest, 64, body)
    with pytest.raises(InvalidRequest) as over_messages:
        decode_samples([sample], InputLimits(SETTINGS))
    assert over_json.value.param == "samples[0].rubric[0].weight"
    assert over_messages.value.param == "samples[0].rubric[1].weight"


@every_entry
@pytest.mark.parametrize(
    ("criterion", "path"), [({"text": "t" * LIMIT}, "text"), ({"text": "t", "tags": ["a", "t" * LIMIT]}, "tags[1]")]
)
def test_texts_are_held_to_the_limit(entry: Entry, criterion: dict[str, Any], path: str) -> None:
    entry([[criterion]])
    over = json.loads(json.dumps(criterion).replace("t" * LIMIT, "t" * (LIMIT + 1)))
    with pytest.raises(TooLarge) as raised:
        entry([[SHORT], [SHORT, over]])
    assert raised.value.param == f"samples[1].rubric[1].{path}"


def test_what_is_not_json_is_refused_with_its_sample() -> None:
    request = oip.ModelInferRequest(model_name="m")
    for name, values in (("response", [b"r", b"r"]), ("rubric", [b"", b'[{"text": '])):
        request.inputs.add(name=name, datatype="BYTES", shape=[2, 1])
        request.raw_input_contents.append(b"".join(map(frame_value, values)))
    inputs = read_inputs(request)

    async def read() -> None:
        await find_layout(inputs).read(inputs, None)

    with pytest.raises(InvalidRequest) as raised:
        asyncio.run(read())
    assert raised.value.param == "samples[1].rubric"


def test_the_key_of_who_reads_it_depends_on_every_part_of_it() -> None:
    reader = ModelInfo("m", "1", True, ("response", "rubric"), ("score",), 8)
    other = ModelInfo("m", "1", True, ("response",), ("score",), 8)
    changed = [
        None,
        [SHORT],
        [WHOLE],
        [WHOLE, SHORT],
        [SHORT, WHOLE],
        [WHOLE | {"weight": 1}],
        [WHOLE | {"tags": ["time", "fact"]}],
        [WHOLE | {"veto": False}],
    ]
    batch = over_http(changed)
    assert len(set(make_keys(reader, batch))) == len(changed)
    assert len(set(make_keys(other, batch))) == 1
    given = over_http([[SHORT], [SHORT | {"weight": 1, "tags": [], "veto": None}], [], None])
    assert len(set(make_keys(reader, given))) == 2


class Item(OperationItem):
    """An item that reads a rubric."""

    response: str
    rubric: list[dict[str, Any]]


def test_an_operation_reads_it_and_a_sample_without_one_lacks_it() -> None:
    def judge(columns: Any, params: Any) -> Any:
        raise NotImplementedError

    operation = Operation(
        "score", "judge", judge, Item, NoParams, THIS_PROJECT, "design", "scalar", False, False, False
    )
    step = Step(operation, NoParams(), {}, checked=True)
    batch = over_http([[SHORT], None, []])
    reading = ColumnBinder(batch, {}).read_columns(step, {}, [0, 1, 2])
    with pytest.raises(StopIteration) as end:
        next(reading)
    columns, kept, invalid = end.value.value
    assert kept == [0]
    assert columns.objects("rubric")[0][0]["weight"] == 1.0
    assert {i: (reason.code, reason.param) for i, reason in invalid.items()} == dict.fromkeys(
        (1, 2), ("missing_field", "rubric")
    )


def test_the_client_refuses_a_weight_that_json_would_lose() -> None:
    with pytest.raises(ValueError, match=r"rubric\[1\].weight: not a finite number"):
        columns_body("p", ["r"], {"rubrics": [[SHORT, SHORT | {"weight": float("nan")}]]})
