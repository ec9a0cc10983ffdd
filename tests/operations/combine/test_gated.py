"""combine/gated (ArmoRM, 2406.12845)."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.operations.registry import catalog
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel

from tests.recipes.conftest import batch_of, raw_scores, run_plan

OP = "combine/gated"
LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
names = st.sampled_from("abcd")
items = st.lists(
    st.dictionaries(names, st.tuples(st.floats(-100, 100), st.floats(-50, 50)), min_size=1), min_size=1, max_size=5
)


def item(objectives: dict[str, tuple[float, float]]) -> dict[str, Any]:
    return {
        "rewards": {name: reward for name, (reward, _) in objectives.items()},
        "gate": {name: gate for name, (_, gate) in objectives.items()},
    }


def test_the_weights_are_a_softmax_of_the_gates_over_the_temperature(call: Any) -> None:
    (result,) = call(OP, item({"a": (1.0, 10 * math.log(3)), "b": (0.0, 0.0)}))
    assert result["reward"] == pytest.approx(0.75)
    assert result["details"]["weights"] == {"a": pytest.approx(0.75), "b": pytest.approx(0.25)}
    (scaled,) = call(OP, item({"a": (1.0, math.log(3)), "b": (0.0, 0.0)}), temperature=1, scale=2)
    assert scaled["reward"] == pytest.approx(1.5)
    (extreme,) = call(OP, item({"a": (1.0, 1e308), "b": (5.0, -1e308)}))
    assert extreme["reward"] == 1.0


def test_it_equals_a_matrix_that_subtracts_verbosity_from_all_others(call: Any) -> None:
    rng = np.random.default_rng(0)
    labels = ["helpful", "correct", "verbosity", "safe"]
    penalties = np.array([0.4, 0.25, 1.0, 0.0])
    matrix = np.eye(4)
    matrix[2] -= penalties
    rewards, logits = rng.normal(size=(8, 4)), 20 * rng.normal(size=(8, 4))
    weights = np.exp(logits / 10)
    weights /= weights.sum(axis=1, keepdims=True)
    rows = [
        {"rewards": dict(zip(labels, r, strict=True)), "gate": dict(zip(labels, g, strict=True))}
        for r, g in zip(rewards.tolist(), logits.tolist(), strict=True)
    ]
    results = call(OP, *rows, verbosity="verbosity", penalties={"helpful": 0.4, "correct": 0.25})
    expected = (weights * (rewards @ matrix)).sum(axis=1)
    assert [result["reward"] for result in results] == pytest.approx(expected.tolist())


def test_verbosity_that_has_no_gate_is_subtracted_all_the_same(call: Any) -> None:
    row = {"rewards": {"a": 1.0, "long": 0.5}, "gate": {"a": 0.0}}
    (result,) = call(OP, row, verbosity="long", penalties={"a": 0.5})
    assert result["reward"] == 0.75


@pytest.mark.parametrize(
    ("row", "params", "param"),
    [
        ({"rewards": {"a": 1.0}}, {}, "gate"),
        ({"rewards": {"a": 1.0}, "gate": {}}, {}, "gate"),
        ({"rewards": {"a": 1.0, "b": 1.0}, "gate": {"a": 1.0}}, {}, "gate.b"),
        ({"rewards": {"a": 1.0}, "gate": {"a": 1.0, "b": 1.0}}, {}, "rewards.b"),
        ({"rewards": {"a": 1.0}, "gate": {"a": -1.0}}, {"form": "given"}, "gate"),
        ({"rewards": {"a": 1.0}, "gate": {"a": 1.0}}, {"verbosity": "v", "penalties": {"a": 1}}, "rewards.v"),
        ({"rewards": {"a": 1.0}}, {"gates": {"a": "g"}}, "rewards.g"),
        ({"rewards": {"g": 1.0}}, {"gates": {"a": "g"}}, "rewards.a"),
    ],
)
def test_what_is_missing_is_an_error_of_its_item_that_names_it(call: Any, row: Any, params: Any, param: str) -> None:
    fine = {"rewards": {"a": 1.0, "g": 1.0, "v": 0.0}} if "gates" in params else item({"a": (1.0, 1.0)})
    if "verbosity" in params:
        fine["rewards"]["v"] = 0.0
    ok, failed = call(OP, fine, row, **params)
    assert ok["reward"] == pytest.approx(1.0)
    assert failed["error"]["param"] == param


@pytest.mark.parametrize(
    "params",
    [{"temperature": 0}, {"penalties": {"a": 1}}, {"gates": {"a": "g"}, "verbosity": "v", "penalties": {"b": 1}}],
)
def test_parameters_without_a_meaning_are_refused(params: dict[str, Any]) -> None:
    operation = catalog().get("combine", "gated")
    assert operation is not None
    with pytest.raises(ValueError, match="validation error"):
        operation.params.model_validate(params)


@given(items, st.floats(0.1, 20))
@LAWS
def test_the_answer_is_a_mean_of_the_objectives_alone_as_in_a_batch(
    call: Any, given: list[dict[str, tuple[float, float]]], temperature: float
) -> None:
    rows = [item(one) for one in given]
    results = call(OP, *rows, temperature=temperature)
    for row, result in zip(rows, results, strict=True):
        weights, values = result["details"]["weights"], row["rewards"].values()
        assert sum(weights.values()) == pytest.approx(1.0)
        assert all(weight >= 0 for weight in weights.values())
        assert min(values) - 1e-9 <= result["reward"] <= max(values) + 1e-9
        (alone,) = call(OP, row, temperature=temperature)
        assert alone["reward"] == pytest.approx(result["reward"], rel=1e-12, abs=1e-12)
        assert alone["details"]["weights"] == {name: pytest.approx(weight) for name, weight in weights.items()}


@given(items, st.floats(-20, 20))
@LAWS
def test_a_shift_of_all_gates_changes_nothing(
    call: Any, given: list[dict[str, tuple[float, float]]], shift: float
) -> None:
    shifted = [{name: (reward, gate + shift) for name, (reward, gate) in one.items()} for one in given]
    one, other = (call(OP, *map(item, rows)) for rows in (given, shifted))
    assert [result["reward"] for result in one] == pytest.approx([result["reward"] for result in other], abs=1e-9)


RECIPE = """
rewards:
  mixed:
    components:
      helpful: {score: objectives, dimension: helpful}
      safe: {score: objectives, dimension: safe}
      gate_helpful: {score: gating, dimension: helpful}
      gate_safe: {score: gating, dimension: safe}
    combine: {gated: {gates: {helpful: gate_helpful, safe: gate_safe}, temperature: 1}}
"""


def test_a_recipe_weighs_the_numbers_of_one_model_by_those_of_another() -> None:
    models = {name: KnownModel(("prompt", "response"), ("helpful", "safe")) for name in ("objectives", "gating")}
    raw = {
        "helpful": raw_scores(1.0, 0.0),
        "safe": raw_scores(0.0, 1.0),
        "gate_helpful": raw_scores(math.log(3), 0.0),
        "gate_safe": raw_scores(0.0, math.log(3)),
    }
    result = run_plan(load_book(RECIPE, models).get("mixed"), batch_of(2), raw)
    assert result.reward.tolist() == pytest.approx([0.75, 0.75])
