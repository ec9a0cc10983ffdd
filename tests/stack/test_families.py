"""Every family on real inputs: the same score over HTTP, gRPC and the command line, alone and in any company."""

import contextlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx
import numpy as np
import pytest
import yaml
from reward_gateway.cli import main
from reward_gateway.client import RewardClient, Scores
from reward_models.build import is_built
from reward_models.evaluate.inputs import Sample, make_columns, make_recipe, make_samples
from reward_models.evaluate.subject import Subject
from reward_models.repository import REPOSITORY, list_models
from reward_models.repository import card as cards

from tests.conftest import start_stack, stop_stack

if TYPE_CHECKING:
    from tests.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

TOLERANCE = 1e-5
SAMPLES = 5
CARDS = {name: cards.read_card(REPOSITORY / name) for name in list_models() if is_built(name)}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Stack]":
    """Every model that is built, each under a recipe of its own name."""
    folder = tmp_path_factory.mktemp("families")
    recipes = {name: make_recipe(name, card.dimensions) for name, card in CARDS.items()}
    (folder / "rewards.yaml").write_text(yaml.safe_dump({"rewards": recipes}))
    flags = ("--rewards-file", str(folder / "rewards.yaml"), "--models", ",".join(CARDS))
    running = start_stack(folder / "serve.log", *flags)
    yield running
    stop_stack(running)


def given(name: str) -> list[Sample]:
    return make_samples(CARDS[name].content["inputs"], SAMPLES)


def numbers(scored: Scores) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Every reward and every component of it by name, [n, 1 + K]; all are scores."""
    assert all(scored.valid), scored.errors
    columns = [scored.components[name].raw for name in sorted(scored.components)]
    return np.stack([scored.rewards, *columns], axis=1)


def close(got: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.fixture(scope="module")
def alone() -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Every sample of every model, scored by itself, in this process: Triton's remembers what it has encoded."""
    return {name: by_itself(name) for name in CARDS}


def by_itself(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    subject, given = Subject(name, REPOSITORY), make_columns(CARDS[name].content["inputs"], SAMPLES)
    rows = [subject.score_columns(**{key: [values[i]] for key, values in given.items()}).scores for i in range(SAMPLES)]
    scores = np.concatenate(rows).astype(np.float64)
    dimensions = CARDS[name].dimensions
    return np.column_stack([scores.sum(axis=1), *(scores[:, dimensions.index(part)] for part in sorted(dimensions))])


@pytest.mark.parametrize("name", CARDS)
def test_company_order_and_cache_change_no_score(name: str, stack: "Stack", alone: dict[str, Any]) -> None:
    rng = random.Random(name)
    order = rng.sample(range(SAMPLES), SAMPLES)
    first = rng.randrange(2, SAMPLES - 1)
    client = RewardClient(stack.http)
    ways: tuple[tuple[list[int], Literal["off", "refresh", "use"]], ...]
    ways = (order[:first], "off"), (order[first:], "refresh"), (order[::-1], "use"), (order, "use")
    for chosen, cache in ways:
        scored = client.score_samples([given(name)[index] for index in chosen], reward=name, cache=cache)
        close(numbers(scored), alone[name][chosen])


@pytest.mark.parametrize("name", CARDS)
def test_http_grpc_and_the_command_line_give_one_score(
    name: str, stack: "Stack", alone: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(numbers(RewardClient(stack.http).score_samples(given(name), reward=name)), alone[name])

    over_grpc = RewardClient(f"grpc://{stack.grpc}").score_samples(given(name), reward=name)
    close(numbers(over_grpc), alone[name])
    # What came over gRPC is, byte for byte, what came over HTTP: it has the same place in the cache.
    assert all(part.cached.all() for part in over_grpc.components.values())

    file = tmp_path / "samples.jsonl"
    file.write_text("".join(json.dumps(sample) + "\n" for sample in given(name)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["reward-gateway", "score", file.name, "--reward", name, "--url", stack.http])
    with contextlib.suppress(SystemExit):
        main.main()
    rows = [json.loads(line) for line in (tmp_path / "samples.scored.jsonl").read_text().splitlines()]
    close(np.array([row["reward"] for row in rows]), alone[name][:, 0])


@pytest.mark.parametrize("name", CARDS)
def test_no_two_samples_of_a_family_need_have_one_score(name: str, alone: dict[str, Any]) -> None:
    # Otherwise the tests above would hold for a model that always says the same.
    assert len(np.unique(alone[name][:, 0].round(4))) > 1


def test_each_model_says_what_it_runs_on(stack: "Stack") -> None:
    rows = {row["name"]: row for row in httpx.get(f"{stack.http}/v1/models", timeout=60).json()["models"]}
    for name in CARDS:
        assert rows[name]["device"] == {"kind": "cpu", "gpus": [], "instances": 1}
        assert rows[name]["precision"] == "fp32"
