"""The templates of large models: configurations that Triton's schema reads, cards, and judges and recipes that load."""

import json
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from reward_gateway.backends.judges.config import load_judges
from reward_gateway.recipes.book import load_book
from reward_models.convert import writing
from reward_models.repository import REPOSITORY, config
from reward_models.repository import card as cards
from tritonclient.grpc import model_config_pb2

TEMPLATES = REPOSITORY.parent / "templates"
REWARDS = [TEMPLATES / "torch_reward", TEMPLATES / "vllm_reward"]
FOLDERS = sorted({path.parent for path in TEMPLATES.glob("*/config.pbtxt")} - {*REWARDS})

ENGINE = {
    "model": str,
    "dtype": str,
    "max_model_len": int,
    "limit_mm_per_prompt": dict,
    "gpu_memory_utilization": float,
    "tensor_parallel_size": int,
    "seed": int,
}
"""vLLM's engine arguments that the templates use, and their types."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_triton_reads_the_configuration_and_leaves_devices_and_batches_to_the_engine(folder: Path) -> None:
    config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert (config.name, config.backend, config.max_batch_size) == (folder.name, "vllm", 0)
    (group,) = config.instance_group
    assert (group.kind, group.count) == (model_config_pb2.ModelInstanceGroup.KIND_MODEL, 1)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_engine_is_given_arguments_of_its_own_types(folder: Path) -> None:
    said = json.loads((folder / "1" / "model.json").read_text())
    assert {name: type(value) for name, value in said.items()}.items() <= ENGINE.items()
    assert 0 < said["gpu_memory_utilization"] < 1


@pytest.mark.parametrize("folder", REWARDS, ids=lambda folder: folder.name)
class TestRewardModels:
    """Those whose network an engine runs."""

    def test_triton_reads_the_configuration_that_the_card_stamps(self, folder: Path) -> None:
        read = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
        assert (read.name, read.backend) == (folder.name, "python")
        assert config.is_stamped(folder, cards.read_card(folder))

    def test_it_is_what_models_add_writes(self, folder: Path) -> None:
        written = writing.MODEL.format(name=folder.name, module="classifier", scorer="SequenceScorer")
        assert (folder / "1" / "model.py").read_text() == written
        inputs = "prompt", "response", "messages"
        tensors = [
            f'  {{ name: "{name}" data_type: TYPE_STRING dims: [ 1 ]{" optional: true" * (name == "messages")} }}'
            for name in inputs
        ]
        made = writing.CONFIGURATION.format(
            name=folder.name, max_batch=256, inputs=",\n".join(tensors), width=1, vector="", devices="…"
        )
        here, there = (
            text_format.Parse(text, model_config_pb2.ModelConfig())
            for text in ((folder / "config.pbtxt").read_text(), made)
        )
        for field in ("input", "output", "max_batch_size", "backend", "dynamic_batching"):
            assert getattr(here, field) == getattr(there, field), field

    def test_the_engine_is_that_of_its_name_and_runs_no_code_of_a_checkpoint(self, folder: Path) -> None:
        network = cards.read_card(folder).content["settings"]["network"]
        assert f"{network['engine']}_reward" == folder.name
        assert network["trust_remote_code"] is False


def test_every_template_has_a_judge_and_no_judge_is_without_one() -> None:
    judges = {judge.model for judge in load_judges(TEMPLATES / "judges.yaml")}
    served = {json.loads((folder / "1" / "model.json").read_text())["model"]: folder.name for folder in FOLDERS}
    assert len(judges) == len(served) == 3
    assert all(judge in served or judge in served.values() for judge in judges)


def test_the_recipes_ask_judges_that_there_are() -> None:
    text = (TEMPLATES / "rewards.yaml").read_text()
    load_book(text)  # every name, parameter and field is checked
    judges = {judge.name for judge in load_judges(TEMPLATES / "judges.yaml")}
    recipes = yaml.safe_load(text)["rewards"].values()
    asked = {component["params"]["judge"] for recipe in recipes for component in recipe["components"].values()}
    assert asked
    assert asked <= judges
