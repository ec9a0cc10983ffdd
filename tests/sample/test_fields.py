"""Laws of the table of fields: every row is carried by every entry, and by whoever else says to read the table.

Nothing here names a field that is not special: a row that is added is held to these laws at once.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.triton.model_config import TritonModel
from reward_gateway.backends.triton.rows import encode_rows
from reward_gateway.backends.triton.tensors import frame_value
from reward_gateway.cache.keys import make_keys
from reward_gateway.cli.score import _FIELDS as FILE_COLUMNS
from reward_gateway.client.grpc_messages import score_request as grpc_request
from reward_gateway.client.request import columns_body, samples_body
from reward_gateway.errors import InvalidRequest
from reward_gateway.grpc.decode import decode_samples
from reward_gateway.intake import sample_files
from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.limits import InputLimits
from reward_gateway.intake.request import ScoreRequest
from reward_gateway.oip.input_layouts import find_layout
from reward_gateway.oip.models import recipe_model
from reward_gateway.oip.tensors import read_inputs
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.recipes.column_binder import ColumnBinder
from reward_gateway.recipes.fields import SAMPLE_FIELDS
from reward_gateway.sample import Batch, Media
from reward_gateway.sample.fields import BY_NAME, FIELDS, MODEL_INPUTS, Field, Form, SampleColumns, SampleItem
from reward_gateway.settings import Settings
from tritonclient.grpc import service_pb2 as oip

PIXEL = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?"
    b"\0\x05\xfe\x02\xfe\r\xefF\xb8\0\0\0\0IEND\xaeB`\x82"
)
SAMPLES = 2
SETTINGS = Settings()

CARRIED = [field for field in FIELDS if field.in_batch]
TENSORS = [field for field in FIELDS if field.tensor]
INPUTS = [field for field in FIELDS if field.model_input]
named = pytest.mark.parametrize("field", CARRIED, ids=lambda field: field.name)

GIVEN: dict[Form, Callable[[Field, int], Any]] = {
    "name": lambda field, i: f"{field.name}-{i}",
    "chat": lambda field, i: f"{field.name} {i}",
    "text": lambda field, i: f"{field.name} {i}",
    "answer": lambda field, i: f"{field.name} {i}",
    "media": lambda field, i: [PIXEL] * (i + 1),
    "steps": lambda field, i: field.example[: i + 1],
    "numbers": lambda field, i: {**field.example, "number": i + 0.5, "vector": [1.0, 2.0]},
    "objects": lambda field, i: field.example * (i + 1),
}
"""What a caller of the client gives for sample i."""


def samples_with(field: Field) -> list[dict[str, Any]]:
    base = {"prompt": "p", "response": "r"}
    return [{**base, field.name: GIVEN[field.form](field, i)} for i in range(SAMPLES)]


def plain(values: list[Any] | None) -> Any:
    """A column with the bytes of its media, that two of them can be compared."""
    return values and [
        [item.data for item in v] if isinstance(v, list) and v and isinstance(v[0], Media) else v for v in values
    ]


def over_http(body: dict[str, Any]) -> Batch:
    raw = msgspec.json.encode(body)
    return asyncio.run(BatchBuilder(SETTINGS).make(decode_as(ScoreRequest, 64, raw).samples, len(raw)))


def over_grpc(body: dict[str, Any]) -> Batch:
    request = pb.ScoreRequest.FromString(grpc_request(body).SerializeToString())
    return asyncio.run(BatchBuilder(SETTINGS).make(decode_samples(request.samples, InputLimits(SETTINGS))))


def over_tensors(samples: list[dict[str, Any]]) -> Batch:
    request = oip.ModelInferRequest(model_name="m")
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        width = max(len(value) for value in values) if BY_NAME[name].form == "media" else 1
        request.inputs.add(name=name, datatype="BYTES", shape=[len(samples), width])
        rows = [
            list(value) + [b""] * (width - len(value)) if width > 1 or BY_NAME[name].form == "media" else [value]
            for value in values
        ]
        strings = [item if isinstance(item, bytes) else tensor_text(item) for row in rows for item in row]
        request.raw_input_contents.append(b"".join(map(frame_value, strings)))
    inputs = read_inputs(request)

    async def read() -> Batch:
        columns, invalid = await find_layout(inputs).read(inputs, None)
        assert not invalid
        return await BatchBuilder(SETTINGS).make_of_columns(columns)

    return asyncio.run(read())


def tensor_text(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def from_client(field: Field) -> Batch:
    """The columns of a call of the client, sent as HTTP sends them."""
    samples = samples_with(field)
    values = [sample[field.name] for sample in samples]
    if field.name == "prompt":
        return over_http(columns_body(values, ["r"] * SAMPLES, {}))
    if field.name == "response":
        return over_http(columns_body("p", values, {}))
    return over_http(columns_body("p", ["r"] * SAMPLES, {field.argument: values}))


@named
def test_every_entry_carries_the_field(field: Field) -> None:
    samples = samples_with(field)
    body = samples_body(samples, {})
    batch = over_http(body)
    column = plain(batch.column(field.name))
    assert column
    assert len(column) == SAMPLES
    assert column[0] != column[1]
    assert not batch.invalid
    assert plain(over_grpc(body).column(field.name)) == column
    assert plain(from_client(field).column(field.name)) == column
    if field.tensor:
        assert plain(over_tensors(samples).column(field.name)) == column


@named
def test_a_selection_of_a_batch_keeps_the_field(field: Field) -> None:
    batch = over_http(samples_body(samples_with(field), {}))
    whole = batch.column(field.name)
    assert whole
    assert batch.select([1]).column(field.name) == whole[1:]


@pytest.mark.parametrize("field", INPUTS, ids=lambda field: field.name)
def test_a_model_that_reads_the_field_gets_it_and_has_it_in_its_keys(field: Field) -> None:
    batch = over_http(samples_body(samples_with(field), {}))
    without = over_http({"samples": [{"prompt": "p", "response": "r"}] * SAMPLES})

    def info(*inputs: str) -> ModelInfo:
        return ModelInfo("m", "1", True, inputs, ("score",), 8)

    assert len(set(make_keys(info(field.name), batch))) == SAMPLES
    assert make_keys(info(field.name), batch) != make_keys(info(field.name), without)
    others = [name for name in MODEL_INPUTS if name not in (field.name, "messages")]
    assert make_keys(info(*others), batch) == make_keys(info(*others), without)

    model = TritonModel(info(field.name), "1", required=frozenset({field.name}))
    encoded = encode_rows(model, batch, [0, 1])
    assert not encoded.invalid
    assert len(set(encoded.rows.columns[field.name])) == SAMPLES
    if field.required:
        lacking = encode_rows(model, Batch(["0"], [""], [None]), [0])
        assert [reason.code for reason in lacking.invalid.values()] == ["missing_field"]


def test_a_field_outside_of_scores_is_no_input_of_models() -> None:
    outside = {field.name for field in FIELDS} - {field.name for field in INPUTS}
    assert outside == {"id", "group", "metadata"}
    assert outside.isdisjoint(MODEL_INPUTS)


@named
def test_an_operation_may_ask_for_the_field(field: Field) -> None:
    if field.form == "numbers":
        return  # these are asked for one by one, by their names
    assert field.name in SAMPLE_FIELDS
    batch = over_http(samples_body(samples_with(field), {}))
    column = ColumnBinder(batch, {})._read_sample_field(field.name, [1, 0])
    whole = batch.column(field.name)
    assert whole
    assert column == [whole[1], whole[0]]


def test_recipes_have_a_tensor_for_every_field_that_can_be_one() -> None:
    assert [port.name for port in recipe_model("r", grouped=False).inputs] == [field.name for field in TENSORS]


def test_the_proto_has_the_fields_of_the_table_and_no_other() -> None:
    chat = {f"{field.name}_messages" for field in FIELDS if field.form == "chat"}
    answers = {f"{field.name}{end}" for field in FIELDS if field.form == "answer" for end in ("s", "_value")}
    assert set(pb.Sample.DESCRIPTOR.fields_by_name) == {field.name for field in FIELDS} | chat | answers


def test_the_client_has_an_argument_for_every_field() -> None:
    beside = {field.argument for field in CARRIED if field.name not in ("prompt", "response")}
    assert set(SampleColumns.__annotations__) == beside | {"metadata"}, "which recipes may choose by"


def test_files_have_a_column_for_every_field() -> None:
    assert {*FILE_COLUMNS, *sample_files._MORE} == {field.name for field in CARRIED}


def test_examples_are_of_the_form_that_json_has() -> None:
    for field in FIELDS:
        if field.example is not None:
            msgspec.convert(field.example, field.wire)
            msgspec.convert({field.name: field.example}, SampleItem)


def test_limits_are_settings() -> None:
    assert {field.limit for field in FIELDS if field.limit} <= set(Settings.model_fields)


def test_a_list_that_is_empty_is_as_good_as_none() -> None:
    for field in FIELDS:
        if field.form in ("media", "objects", "steps"):
            info = ModelInfo("m", "1", True, (field.name,), ("score",), 8)
            sample = {"prompt": "p", "response": "r"}
            empty = over_http({"samples": [{**sample, field.name: []}]})
            assert make_keys(info, empty) == make_keys(info, over_http({"samples": [sample]}))


ANSWERS = ["4", 4, 0.5, True, ["4", "four"], ["4", 4], [["A", "C"], ["B"]], {"answer": "4", "choices": ["3", "4"]}]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_an_answer_of_any_form_is_the_same_over_every_entry(answer: Any) -> None:
    body = samples_body([{"prompt": "p", "response": "r", "reference": answer}], {})
    column = over_http(body).references
    assert column == [json.dumps(answer) if isinstance(answer, (bool, int, float)) else answer]
    assert over_grpc(body).references == column


def test_several_answers_are_columns_of_a_tensor() -> None:
    request = oip.ModelInferRequest(model_name="m")
    for name, width, texts in (("response", 1, ["r", "r"]), ("reference", 2, ["4", "four", "5", ""])):
        request.inputs.add(name=name, datatype="BYTES", shape=[2, width])
        request.raw_input_contents.append(b"".join(frame_value(text.encode()) for text in texts))
    inputs = read_inputs(request)
    columns, invalid = asyncio.run(find_layout(inputs).read(inputs, None))
    assert columns["reference"] == [["4", "four"], ["5"]]
    assert not invalid


def test_a_model_reads_several_answers_as_json() -> None:
    batch = over_http({"samples": [{"response": "r", "reference": ["4", "four"]}]})
    info = ModelInfo("m", "1", True, ("reference",), ("score",), 8)
    encoded = encode_rows(TritonModel(info, "1"), batch, [0])
    assert encoded.rows.columns["reference"] == [b'["4","four"]']


def test_a_reference_in_two_forms_is_refused_over_grpc() -> None:
    sample = pb.Sample(response="r", reference="4", references=["5"])
    with pytest.raises(InvalidRequest, match=r"samples\[0\]\.reference"):
        decode_samples([sample], InputLimits(SETTINGS))
