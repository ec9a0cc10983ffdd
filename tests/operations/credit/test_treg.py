"""credit/treg and audit/treg_loss."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import TokenLogprobs, Vector
from reward_gateway.operations.registry import catalog

PATH, LOSS = "credit/treg", "audit/treg_loss"
EXAMPLE = {"logp_better": [-0.2, -1, -0.5], "logp_worse": [-0.7, -0.6, -0.5]}
numbers = st.floats(-1e4, 1e4)


def test_tokens_are_rewarded_for_being_likelier_in_a_better_answer(call: Any) -> None:
    [result] = call(PATH, {**EXAMPLE, "logp_policy": [-0.3, -0.9, -0.5]})
    assert result["rewards"] == pytest.approx([0.12246, -0.09869, 0.0], abs=5e-6)
    assert result["details"]["reg_loss"] == pytest.approx(-0.005208, abs=5e-7)
    assert result["details"]["implicit"] is None


def test_the_implicit_reward_compares_with_the_reference(call: Any) -> None:
    [result] = call(PATH, {**EXAMPLE, "logp_policy": [-0.3, -0.9, -0.5], "logp_ref": [-0.4, -0.9, -1.5]})
    assert result["details"]["implicit"] == pytest.approx([0.01, 0.0, 0.1])


def test_masked_tokens_earn_nothing(call: Any) -> None:
    [result] = call(PATH, {**EXAMPLE, "mask": [0, 1, True]})
    assert result["rewards"] == pytest.approx([0.0, -0.09869, 0.0], abs=5e-6)


@pytest.mark.parametrize(
    "item",
    [
        {"logp_better": [0.0], "logp_worse": []},
        {**EXAMPLE, "mask": [1]},
        {**EXAMPLE, "logp_policy": []},
        {"prompt": "a"},
    ],
)
def test_lists_that_do_not_match_are_the_items_error(call: Any, item: dict[str, Any]) -> None:
    bad, fine = call(PATH, item, EXAMPLE)
    assert bad["error"]["code"] == "invalid_field"
    assert fine["error"] is None


def test_no_tokens_have_no_rewards(call: Any) -> None:
    assert call(PATH, {"logp_better": [], "logp_worse": []})[0]["rewards"] == []


def test_texts_are_read_twice_by_the_hosted_language_model() -> None:
    operation = catalog().get("credit", "treg")
    assert operation is not None
    steps = apply(operation, [{"prompt": "Q", "response": "A"}, EXAMPLE], {"better": "good ", "worse": "bad "})
    assert next(steps) == TokenLogprobs(["good Q\n\n", "bad Q\n\n"], ["A", "A"], "language_model")
    with pytest.raises(StopIteration) as stop:
        steps.send([Vector(np.array([-0.2])), Vector(np.array([-0.7]))])
    assert stop.value.value[0]["rewards"] == pytest.approx([0.12246], abs=5e-6)


@given(st.lists(st.tuples(numbers, numbers), max_size=6))
@settings(max_examples=50, deadline=None)
def test_rewards_lie_inside_a_half_and_swap_their_sign_with_the_prompts(call: Any, pairs: list[Any]) -> None:
    better, worse = [a for a, _ in pairs], [b for _, b in pairs]
    one, other = call(PATH, {"logp_better": better, "logp_worse": worse}, {"logp_better": worse, "logp_worse": better})
    assert all(-0.5 < reward < 0.5 for reward in one["rewards"])
    assert one["rewards"] == pytest.approx([-reward for reward in other["rewards"]], abs=1e-12)


def test_the_loss_of_a_pair(call: Any) -> None:
    [result] = call(LOSS, {"dpo_chosen": 0.05, "dpo_rejected": 0.02, "reg_chosen": -0.005208, "reg_rejected": 0.01})
    assert result["details"]["weight"] == pytest.approx(0.4925, abs=5e-5)
    assert result["details"]["dpo_loss"] == pytest.approx(math.log1p(math.exp(-0.03)))
    assert result["reward"] == pytest.approx(result["details"]["dpo_loss"] + 0.25 * 0.4925005 * 0.004792)


@given(numbers, numbers, numbers, numbers)
@settings(max_examples=50, deadline=None)
def test_the_loss_is_finite_for_any_size(call: Any, a: float, b: float, c: float, d: float) -> None:
    [result] = call(LOSS, {"dpo_chosen": a, "dpo_rejected": b, "reg_chosen": c, "reg_rejected": d})
    assert math.isfinite(result["reward"])
    assert 0.0 <= result["details"]["weight"] <= 1.0
