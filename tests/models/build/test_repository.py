"""The committed repository: cards, configurations and figures say the same, and load as they are."""

import json

import pytest
from google.protobuf import text_format
from reward_models.build import check_model
from reward_models.repository import REPOSITORY, list_models
from reward_models.repository import card as cards
from tritonclient.grpc import model_config_pb2


@pytest.fixture(params=list_models())
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def config(name: str) -> model_config_pb2.ModelConfig:
    text = (REPOSITORY / name / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_a_built_model_has_no_faults(name: str) -> None:
    assert check_model(name) == []


def test_the_configuration_holds_the_card_and_its_version(name: str) -> None:
    card = cards.read_card(REPOSITORY / name)
    said = {key: value.string_value for key, value in config(name).parameters.items()}
    assert said["content_version"] == card.version
    assert json.loads(said["card"])["summary"] == card.content["summary"]
    assert said["dimensions"].split(",") == card.dimensions


def test_the_configuration_follows_the_tensor_contract(name: str) -> None:
    found = config(name)
    assert found.name == name
    assert 16 <= found.max_batch_size <= 256
    assert {tensor.name for tensor in found.input} == set(cards.read_card(REPOSITORY / name).content["inputs"])
    assert all(list(tensor.dims) == [1] for tensor in found.input)
    outputs = {tensor.name: list(tensor.dims) for tensor in found.output}
    assert outputs.pop("vector", [1]) == [1], "only of models that also give a number a token or step"
    assert outputs == {"score": [len(cards.read_card(REPOSITORY / name).dimensions)], "flags": [1], "error": [1]}


def test_no_queue_policy_makes_triton_lose_wake_ups(name: str) -> None:
    found = config(name)
    assert found.HasField("dynamic_batching")
    assert not found.dynamic_batching.HasField("default_queue_policy")


def test_the_card_says_what_a_user_must_know(name: str) -> None:
    card = cards.read_card(REPOSITORY / name).content
    assert {"summary", "inputs", "dimensions", "quality", "training", "limits", "licence", "files"} <= set(card)
