"""credit/kl_penalty: the store's answer is played by the test."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import UpdateCoefficient
from reward_gateway.operations.registry import catalog
from reward_gateway.state.coefficients import Update, apply_updates

OP = "credit/kl_penalty"
LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ITEM = {"logp": [-0.6, -1.2], "ref_logp": [-1.0, -1.0], "reward": 1.0}
ADAPTIVE = {"name": "kl", "target": 6.0, "horizon": 10000.0}

tokens = st.lists(st.tuples(st.floats(-20, 0), st.floats(-20, 0)), min_size=1, max_size=8)
responses = st.lists(st.tuples(tokens, st.floats(-10, 10)), min_size=1, max_size=6)
kinds = st.sampled_from(["k1", "k2", "k3"])


def item(pairs: list[tuple[float, float]], reward: float) -> dict[str, Any]:
    return {"logp": [own for own, _ in pairs], "ref_logp": [ref for _, ref in pairs], "reward": reward}


def after(stored: float | None, divergences: list[list[float]], **params: Any) -> float:
    """The coefficient after a batch of responses whose tokens have these d."""
    operation = catalog().get("credit", "kl_penalty")
    assert operation is not None
    columns = Columns(
        len(divergences),
        {"logp": divergences, "ref_logp": [[0.0] * len(d) for d in divergences], "reward": np.zeros(len(divergences))},
    )
    steps: Any = operation.function(columns, operation.params.model_validate({**ADAPTIVE, **params}))
    effect = next(steps)
    assert isinstance(effect, UpdateCoefficient)
    update = Update(effect.rule, effect.amount, effect.start, effect.least, effect.most)
    return apply_updates(None if stored is None else (stored, 1.0), [update])[0]


@pytest.mark.parametrize(("kind", "expected"), [("k1", [0.4, -0.2]), ("k2", [0.08, 0.02]), ("k3", [0.07032, 0.02140])])
def test_every_token_costs_its_estimate_and_the_last_has_the_reward(
    call: Any, kind: str, expected: list[float]
) -> None:
    (result,) = call(OP, ITEM, kind=kind, beta=1.0)
    assert result["rewards"] == pytest.approx([-expected[0], 1.0 - expected[1]], abs=5e-6)
    assert result["details"] == {"kl": pytest.approx(sum(expected), abs=1e-5), "beta": 1.0}
    (free,) = call(OP, ITEM, kind=kind, beta=0.0)
    assert free["rewards"] == [0.0, 1.0]


def test_a_batch_is_answered_with_the_coefficient_before_its_own_update(call: Any) -> None:
    (result,) = call(OP, ITEM, answers=[0.5], **ADAPTIVE)
    assert result["rewards"] == pytest.approx([-0.2, 1.1])
    assert result["details"]["beta"] == 0.5


def test_the_coefficient_follows_the_mean_of_the_summed_divergence() -> None:
    # KL = mean of 6 and 9 = 7.5, an error of .25, clipped to .2; two responses of a horizon of 100.
    assert after(None, [[3.0, 3.0], [9.0]], horizon=100) == pytest.approx(0.2 * (1 + 0.2 * 2 / 100))
    assert after(0.5, [[3.0, 3.3]], horizon=100) == pytest.approx(0.5 * (1 + 0.05 / 100))
    assert after(0.5, [[0.0]], horizon=100) == pytest.approx(0.5 * (1 - 0.2 / 100))
    assert after(None, [[3.0, 3.0]], beta=0.05) == 0.05
    # verl: the mean over the tokens of a response.
    assert after(0.5, [[6.0, 6.6]], horizon=100, over="token") == pytest.approx(0.5 * (1 + 0.05 / 100))
    assert after(0.5, [[-9.0]] * 1000, horizon=100) == 1e-12, "never 0 or below"


def test_an_item_that_cannot_be_measured_is_an_error_and_no_part_of_the_divergence(call: Any) -> None:
    bad = [
        {"logp": [], "ref_logp": [], "reward": 1.0},
        {"logp": [-1.0], "ref_logp": [-1.0, -2.0], "reward": 1.0},
        {"logp": [-1000.0, -1.0], "ref_logp": [-1.0, -1.0], "reward": 1.0},
        {"logp": [-1.0], "ref_logp": [-1.0]},
    ]
    fine, *failed = call(OP, ITEM, *bad, answers=[0.2], kind="k3", **ADAPTIVE)
    assert fine["error"] is None
    assert [result["error"]["param"] for result in failed] == [
        "logp",
        "ref_logp",
        "ref_logp[0]",
        "reward",
    ]
    failed = call(OP, *bad, answers=[], kind="k3", **ADAPTIVE)
    assert all(result["error"] is not None for result in failed), "and the coefficient is not touched"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"beta": -1},
        {"beta": 0.1, "target": 6},
        {"name": "kl", "target": 6},
        {"name": "kl", "horizon": 10},
        {"name": "kl", "target": 0, "horizon": 10},
        {"name": "kl", "target": 6, "horizon": 10, "beta": 0},
        {"beta": 0.1, "kind": "k4"},
    ],
)
def test_parameters_without_a_meaning_are_refused(params: dict[str, Any]) -> None:
    operation = catalog().get("credit", "kl_penalty")
    assert operation is not None
    with pytest.raises(ValueError, match="validation error"):
        operation.params.model_validate(params)


def test_it_keeps_state_only_where_a_name_is_given() -> None:
    operation = catalog().get("credit", "kl_penalty")
    assert operation is not None
    assert not operation.keeps_state(operation.params.model_validate({"beta": 0.1}))
    assert operation.keeps_state(operation.params.model_validate(ADAPTIVE))


@given(responses, kinds, st.floats(0, 10))
@LAWS
def test_the_rewards_sum_to_the_reward_less_the_divergence_alone_as_in_a_batch(
    call: Any, given: list[tuple[list[tuple[float, float]], float]], kind: str, beta: float
) -> None:
    items = [item(*one) for one in given]
    results = call(OP, *items, kind=kind, beta=beta)
    for one, result in zip(items, results, strict=True):
        kl = result["details"]["kl"]
        assert sum(result["rewards"]) == pytest.approx(one["reward"] - beta * kl, rel=1e-9, abs=1e-6)
        assert kind == "k1" or kl >= 0
        assert call(OP, one, kind=kind, beta=beta) == [result]


@given(tokens, kinds)
@LAWS
def test_a_policy_that_is_its_reference_costs_nothing(call: Any, pairs: list[tuple[float, float]], kind: str) -> None:
    same = [(own, own) for own, _ in pairs]
    (result,) = call(OP, item(same, 0.0), kind=kind, beta=3.0)
    assert result["rewards"] == [0.0] * len(pairs)


@given(st.lists(st.lists(st.floats(-3, 3), min_size=1, max_size=4), min_size=1, max_size=5), st.floats(1e-3, 10))
@LAWS
def test_the_coefficient_rises_exactly_where_the_divergence_exceeds_the_target(
    divergences: list[list[float]], beta: float
) -> None:
    moved = after(beta, divergences, target=1.0, horizon=50)
    mean = float(np.mean([sum(d) for d in divergences]))
    assert abs(moved / beta - 1) <= 0.2 * len(divergences) / 50 + 1e-9
    assert moved >= beta if mean >= 1.0 else moved <= beta
