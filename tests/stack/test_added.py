"""A converted checkpoint joins a running service: loaded without a restart, upgraded, and asked by both versions."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from reward_models.convert.samples import EXCHANGES
from reward_models.repository import REPOSITORY, versions

from tests.conftest import start_stack, stop_stack

if TYPE_CHECKING:
    from tests.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

CONVERTED = Path(__file__).parents[1] / "models" / "convert" / "converted"


def staged(folder: Path, kind: str, name: str, **settings: Any) -> Path:
    """A tiny converted model as ``models add`` stages it, under a name of its own."""
    shutil.copytree(CONVERTED / kind, folder, ignore=shutil.ignore_patterns("scores.json"))
    card = yaml.safe_load((folder / "card.yaml").read_text())
    card["name"] = name
    card["settings"] |= settings
    (folder / "card.yaml").write_text(yaml.safe_dump(card, sort_keys=False))
    configuration = (folder / "config.pbtxt").read_text().replace(f'name: "{kind}"', f'name: "{name}"')
    (folder / "config.pbtxt").write_text(configuration)
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("added") / "repository"
    folder.mkdir()
    versions.publish_version(folder, "first", staged(folder.parent / "first", "pair", "first"))
    return folder


@pytest.fixture(scope="module")
def service(repository: Path) -> "Iterator[Stack]":
    assert repository != REPOSITORY
    rewards = repository.parent / "rewards.yaml"
    rewards.write_text("rewards:\n  only: {components: {a: {score: first}}}\n")
    flags = ["--model-repository", str(repository), "--rewards-file", str(rewards)]
    running = start_stack(repository.parent / "serve.log", *flags)
    yield running
    stop_stack(running)


def load(service: "Stack", name: str) -> None:
    httpx.post(f"{service.http}/v2/repository/models/{name}/load", timeout=60).raise_for_status()


def ask(service: "Stack", model: str) -> list[float]:
    """Scores of the rows with a prompt and a response, by Open Inference: the first dimension of each."""
    columns = {"prompt": [p for p, _ in EXCHANGES], "response": [r for _, r in EXCHANGES]}
    inputs = [
        {"name": name, "shape": [len(values), 1], "datatype": "BYTES", "data": values}
        for name, values in columns.items()
    ]
    asked = {"inputs": inputs, "outputs": [{"name": "score"}]}
    answer = httpx.post(f"{service.http}/v2/models/{model}/infer", json=asked, timeout=60)
    assert answer.status_code == 200, answer.text
    outputs = {output["name"]: output for output in answer.json()["outputs"]}
    width = outputs["score"]["shape"][1]
    return [float(value) for value in outputs["score"]["data"][::width]]


def by_torch(kind: str) -> list[float]:
    recorded = json.loads((CONVERTED / kind / "scores.json").read_text())
    return [scores[0] for scores in recorded[: len(EXCHANGES)]]


@pytest.mark.parametrize("kind", ["steps"])
def test_a_model_is_added_to_a_running_service(service: "Stack", repository: Path, tmp_path: Path, kind: str) -> None:
    name = f"added-{kind}"
    assert versions.publish_version(repository, name, staged(tmp_path / "staged", kind, name)) == 1
    load(service, name)
    assert ask(service, name) == pytest.approx(by_torch(kind), abs=1e-4)
    listed = {model["name"]: model for model in httpx.get(f"{service.http}/v1/models", timeout=60).json()["models"]}
    assert listed[name]["ready"]
    assert ask(service, "first") == pytest.approx(by_torch("pair"), abs=1e-4)


def test_a_second_checkpoint_of_a_name_is_its_next_version(service: "Stack", repository: Path, tmp_path: Path) -> None:
    versions.publish_version(repository, "twice", staged(tmp_path / "one", "chat", "twice"))
    load(service, "twice")
    assert versions.publish_version(repository, "twice", staged(tmp_path / "two", "chat", "twice", tokens=24)) == 2
    load(service, "twice")
    old, new = ask(service, "twice@1"), ask(service, "twice@2")
    assert old == pytest.approx(by_torch("chat"), abs=1e-4)
    assert new != pytest.approx(old, abs=1e-3)
    assert ask(service, "twice") == pytest.approx(new, abs=1e-5)
