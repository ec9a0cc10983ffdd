"""A model is placed on GPUs without a change of what is committed, and stays there whatever version it serves."""

import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format
from reward_models.repository import REPOSITORY, list_models, versions
from reward_models.repository.placement import Placement
from tritonclient.grpc import model_config_pb2

CONFIG = """name: "tiny"
backend: "python"
instance_group [ { count: 1 kind: KIND_CPU } ]
dynamic_batching { }
"""


def parsed(text: str) -> "model_config_pb2.ModelConfig":
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One model of one version."""
    folder = tmp_path / "tiny"
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(CONFIG)
    (folder / "card.yaml").write_text(
        "name: tiny\ninputs: {response: it}\ndimensions: {good: it}\nflags: {}\nsettings: {}\nfiles: {}\n"
    )
    return tmp_path


def derived(repository: Path) -> "model_config_pb2.ModelConfig":
    return parsed((repository / "tiny" / "configs" / "served.pbtxt").read_text())


@pytest.mark.parametrize("name", list_models())
def test_every_model_of_the_repository_can_be_placed(name: str) -> None:
    config = (REPOSITORY / name / "config.pbtxt").read_text()
    placed = parsed(Placement(2, (0, 3)).apply_to(config))
    (group,) = placed.instance_group
    assert (group.kind, group.count, list(group.gpus)) == (model_config_pb2.ModelInstanceGroup.KIND_GPU, 2, [0, 3])
    before = parsed(config)
    for changed in (before, placed):
        changed.ClearField("instance_group")
    assert placed == before


@pytest.mark.parametrize(
    "group",
    [
        "",
        "instance_group { kind: KIND_CPU }",
        "instance_group [\n  { kind: KIND_GPU gpus: [ 1, 2 ] },\n  { count: 1 }\n]",
    ],
)
def test_whatever_stood_there_one_group_remains(group: str) -> None:
    text = CONFIG.replace("instance_group [ { count: 1 kind: KIND_CPU } ]", group)
    assert [(g.count, list(g.gpus)) for g in parsed(Placement().apply_to(text)).instance_group] == [(1, [])]


def test_the_committed_configuration_is_left_alone(repository: Path) -> None:
    versions.set_placement(repository, Placement())
    assert (repository / "tiny" / "config.pbtxt").read_text() == CONFIG
    assert derived(repository).instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_GPU


def test_a_placement_outlives_what_is_derived_anew(repository: Path) -> None:
    versions.set_placement(repository, Placement(1, (1,)))
    versions.refresh_config(repository, "tiny")
    assert list(derived(repository).instance_group[0].gpus) == [1]


def test_back_on_the_cpu_the_committed_group_holds(repository: Path) -> None:
    versions.set_placement(repository, Placement())
    versions.set_placement(repository, None)
    assert derived(repository).instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_CPU


def test_a_model_that_comes_later_is_placed_too(repository: Path, tmp_path: Path) -> None:
    versions.set_placement(repository, Placement())
    staging = tmp_path / "staging"
    shutil.copytree(repository / "tiny", staging, ignore=shutil.ignore_patterns("configs"))
    shutil.rmtree(repository / "tiny")
    assert versions.publish_version(repository, "tiny", staging) == 1
    assert derived(repository).instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_GPU


def test_a_model_that_never_left_the_cpu_has_nothing_derived(repository: Path) -> None:
    versions.set_placement(repository, None)
    assert not (repository / "tiny" / "configs").exists()


@pytest.mark.parametrize(("count", "gpus"), [(0, ()), (1, (-1,))])
def test_no_instances_and_no_such_gpu_are_refused(count: int, gpus: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one instance"):
        Placement(count, gpus)
