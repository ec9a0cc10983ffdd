"""A model's configuration read against the contract: what it says, and why it cannot be a reward model."""

import pytest
from google.protobuf import text_format
from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.triton.model_config import TritonModel, read_config
from tritonclient.grpc import model_config_pb2

INPUTS = """input { name: "prompt" data_type: TYPE_STRING dims: 1 }
input { name: "response" data_type: TYPE_STRING dims: 1 }"""
SCORE = 'output { name: "score" data_type: TYPE_FP32 dims: 1 }'


def read(text: str, batch: str = "max_batch_size: 8", **parameters: str) -> TritonModel:
    said = "".join(
        f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}' for key, value in parameters.items()
    )
    config = text_format.Parse(f'name: "m" {batch} {text} {said}', model_config_pb2.ModelConfig())
    return read_config(config, "3", ready=True)


def test_what_is_not_said_has_a_default() -> None:
    model = read(INPUTS + SCORE)
    assert model.fault == ""
    assert model.info == ModelInfo("m", "3", True, ("prompt", "response"), ("score",), 8)
    assert model.required == {"response"}


def test_parameters_name_the_rest() -> None:
    tensors = INPUTS + 'input { name: "reference" data_type: TYPE_STRING dims: 1 optional: true }'
    model = read(
        tensors + 'output { name: "score" data_type: TYPE_FP32 dims: 2 }',
        inputs="response, reference?",
        dimensions="help, harm",
        flags="truncated",
        content_version="f00",
        card='{\\"licence\\": \\"x\\"}',
    )
    assert model.info.version == "3-f00"
    assert model.info.inputs == ("response", "reference")
    assert model.required == {"response"}
    assert (model.info.dimensions, model.info.flags) == (("help", "harm"), ("truncated",))
    assert model.info.card == {"licence": "x"}


def test_a_card_that_is_no_json_object_is_empty() -> None:
    assert read(INPUTS + SCORE, card="[1]").info.card == read(INPUTS + SCORE, card="{").info.card == {}


@pytest.mark.parametrize(
    ("text", "parameters", "batch", "says"),
    [
        (INPUTS, {}, "max_batch_size: 8", "no output 'score'"),
        (INPUTS + SCORE.replace("FP32", "INT64"), {}, "max_batch_size: 8", "FP32"),
        (INPUTS + SCORE.replace("dims: 1", "dims: -1"), {}, "max_batch_size: 8", "fixed dimension"),
        (INPUTS + SCORE, {}, "", "max_batch_size"),
        (INPUTS + SCORE, {"dimensions": "a,b"}, "max_batch_size: 8", "names 2 numbers"),
        (INPUTS + SCORE, {"inputs": "prompt,images"}, "max_batch_size: 8", "it reads images"),
        (INPUTS + SCORE, {"inputs": "prompt,taste"}, "max_batch_size: 8", "it reads taste"),
        (INPUTS + SCORE, {"inputs": "prompt"}, "max_batch_size: 8", "needs inputs that samples do not have: response"),
        (SCORE, {}, "max_batch_size: 8", "it reads nothing"),
        (INPUTS.replace("TYPE_STRING", "TYPE_INT32") + SCORE, {}, "max_batch_size: 8", "STRING"),
    ],
)
def test_what_does_not_follow_the_contract_has_a_fault(
    text: str, parameters: dict[str, str], batch: str, says: str
) -> None:
    assert says in read(text, batch, **parameters).fault


def test_flags_and_bits_are_each_others_inverse() -> None:
    info = read(INPUTS + SCORE, flags="a,b,c").info
    assert info.flag_names(0b10101) == ("a", "c", "flag_4")
    assert info.flag_bits(info.flag_names(0b10101)) == 0b10101
    assert (info.flag_names(0), info.flag_bits(())) == ((), 0)
