"""combine/lagrangian: the store's answer is played by the test."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import UpdateCoefficient
from reward_gateway.operations.registry import catalog
from reward_gateway.state.coefficients import Update, apply_updates

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
numbers = st.floats(-1e3, 1e3)
items = st.lists(st.fixed_dictionaries({"reward": numbers, "cost": numbers}), min_size=1, max_size=8)
variants = st.sampled_from(["projected", "safe_rlhf"])


def asked(rewards: list[float], costs: list[float], **params: Any) -> UpdateCoefficient:
    """The change that a batch asks for."""
    operation = catalog().get("combine", "lagrangian")
    assert operation is not None
    assert operation.stateful
    columns = Columns(len(costs), {"reward": np.array(rewards), "cost": np.array(costs)})
    steps: Any = operation.function(columns, operation.params.model_validate({"name": "c", **params}))
    effect = next(steps)
    assert isinstance(effect, UpdateCoefficient)
    return effect


def after(stored: float | None, effect: UpdateCoefficient) -> float:
    """The multiplier after a batch."""
    update = Update(effect.rule, effect.amount, effect.start, effect.least, effect.most)
    return apply_updates(None if stored is None else (stored, 1.0), [update])[0]


def test_a_batch_is_answered_with_the_multiplier_before_its_own_update(call: Any) -> None:
    item = {"reward": 2.0, "cost": 0.5}
    (projected,) = call("combine/lagrangian", item, answers=[1.0], name="c", rate=0.1)
    assert (projected["reward"], projected["details"]) == (1.5, {"multiplier": 1.0})
    (scaled,) = call("combine/lagrangian", item, answers=[1.0], name="c", rate=0.1, variant="safe_rlhf")
    assert (scaled["reward"], scaled["details"]) == (0.75, {"multiplier": 1.0})


def test_the_multiplier_moves_by_what_the_mean_cost_exceeds_the_limit() -> None:
    assert after(None, asked([2.0], [0.5], limit=0, rate=0.1)) == 1.05
    assert after(None, asked([2.0], [0.5], limit=0, rate=0.1, variant="safe_rlhf")) == pytest.approx(1.05127, abs=5e-6)
    assert after(0.25, asked([0.0, 0.0], [1.0, 2.0], limit=0.5, rate=0.5)) == 0.75
    assert after(0.25, asked([0.0, 0.0], [1.0, 2.0], limit=1.5)) == 0.25
    assert after(None, asked([0.0], [-9.0], rate=1, start=2)) == 0.0
    assert after(None, asked([0.0], [9.0], rate=1, start=2, max=3)) == 3.0
    assert after(1.0, asked([0.0], [-1e6], rate=1, variant="safe_rlhf")) == 1e-12, "it can come back"


def test_a_number_too_large_for_any_mean_is_an_error_of_its_item(call: Any) -> None:
    effect = asked([1.0, 1e200, 1.0], [0.5, 0.0, -1e101])
    assert effect.amount == pytest.approx(0.05)
    fine, *large = call(
        "combine/lagrangian",
        {"reward": 2.0, "cost": 0.5},
        {"reward": 1e200, "cost": 0.0},
        {"reward": 0.0, "cost": -1e101},
        answers=[1.0],
        name="c",
    )
    assert fine["reward"] == 1.5
    assert [result["error"]["code"] for result in large] == ["not_finite"] * 2


def test_where_no_item_is_valid_the_multiplier_is_not_touched(call: Any) -> None:
    (result,) = call("combine/lagrangian", {"reward": 1e200, "cost": 0.0}, answers=[], name="c")
    assert result["error"]["code"] == "not_finite"
    (missing,) = call("combine/lagrangian", {"reward": 1.0}, answers=[], name="c")
    assert missing["error"]["code"] == "missing_field"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"name": ""},
        {"name": "c", "rate": -1},
        {"name": "c", "start": 2, "max": 1},
        {"name": "c", "max": 1e7},
        {"name": "c", "start": 0, "variant": "safe_rlhf"},
        {"name": "c", "limit": 1e101},
    ],
)
def test_parameters_without_a_meaning_are_refused(params: dict[str, Any]) -> None:
    operation = catalog().get("combine", "lagrangian")
    assert operation is not None
    with pytest.raises(ValueError, match="validation error"):
        operation.params.model_validate(params)


@given(items, st.floats(0, 1e6), variants)
@LAWS
def test_an_answer_lies_between_the_reward_and_what_is_left_of_it(
    call: Any, given: list[dict[str, float]], multiplier: float, variant: str
) -> None:
    results = call("combine/lagrangian", *given, answers=[multiplier], name="c", variant=variant)
    for item, result in zip(given, results, strict=True):
        scale = 1.0 + multiplier if variant == "safe_rlhf" else 1.0
        assert result["reward"] * scale + multiplier * item["cost"] == pytest.approx(item["reward"], rel=1e-9, abs=1e-5)
        if variant == "safe_rlhf":  # a mean of reward and −cost
            low, high = sorted([item["reward"], -item["cost"]])
            assert low - 1e-6 <= result["reward"] <= high + 1e-6


@given(items, st.floats(1e-6, 1e3), st.floats(-10, 10), variants)
@LAWS
def test_the_multiplier_rises_exactly_where_the_mean_cost_exceeds_the_limit(
    given: list[dict[str, float]], multiplier: float, limit: float, variant: str
) -> None:
    costs = [item["cost"] for item in given]
    effect = asked([item["reward"] for item in given], costs, limit=limit, variant=variant, rate=1e-3)
    moved = after(multiplier, effect)
    assert 0 <= moved <= 1e6
    excess = float(np.mean(costs)) - limit
    assert moved >= multiplier if excess >= 0 else moved <= multiplier


@given(items, st.floats(-50, 50), variants)
@LAWS
def test_a_shift_of_costs_and_limit_changes_nothing_of_the_step(
    given: list[dict[str, float]], shift: float, variant: str
) -> None:
    rewards, costs = [item["reward"] for item in given], [item["cost"] for item in given]
    effect = asked(rewards, costs, limit=1.0, variant=variant)
    shifted = asked(rewards, [cost + shift for cost in costs], limit=1.0 + shift, variant=variant)
    assert shifted.amount == pytest.approx(effect.amount, abs=1e-9)
