"""credit/lare and audit/rrd_loss."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH, LOSS = "credit/lare", "audit/rrd_loss"
numbers = st.floats(-1e4, 1e4)
NET = {
    "layers": [
        {"weight": [[1.0, 0.0], [0.0, 1.0]], "bias": [0.0, -1.0]},
        {"weight": [[1.0, -1.0]], "bias": [0.5]},
    ]
}


def test_a_stored_net_turns_factors_into_step_rewards(call: Any) -> None:
    [result] = call(PATH, {"factors": [[1, 0], [-1, 3]], "return": 10}, model="ant-v1", answers=[NET])
    # relu hidden, linear end: 1 - 0 + .5 and 0 - 2 + .5
    assert result["rewards"] == [1.5, -1.5]
    assert result["details"]["total"] == 0.0
    assert result["details"]["rd_loss"] == 25.0


def test_direct_takes_the_factors_themselves(call: Any) -> None:
    [result] = call(PATH, {"factors": [[1.0], [2.0]]}, direct=True)
    assert result["rewards"] == [1.0, 2.0]
    assert result["details"]["rd_loss"] is None


def test_rescaled_rewards_sum_to_the_return(call: Any) -> None:
    [result] = call(PATH, {"factors": [[1.0], [2.0]], "return": 10}, direct=True, rescale=True)
    assert result["rewards"] == [4.5, 5.5]
    assert result["details"]["total"] == 3.0


def test_no_steps_have_no_rewards(call: Any) -> None:
    assert call(PATH, {"factors": [], "return": 1}, direct=True, rescale=True)[0]["rewards"] == []


def test_what_does_not_fit_is_the_items_error(call: Any) -> None:
    ragged, wide, fine = call(
        PATH, {"factors": [[1, 2], [1]]}, {"factors": [[1, 2, 3]]}, {"factors": [[1, 2]]}, answers=[NET]
    )
    assert "length" in ragged["error"]["message"]
    assert "layer 0" in wide["error"]["message"]
    assert fine["error"] is None
    [result] = call(PATH, {"factors": [[1.0]]}, direct=True, rescale=True)
    assert "return" in result["error"]["message"]


def test_a_net_that_is_not_stored_is_said(call: Any) -> None:
    [result] = call(PATH, {"factors": [[1.0]]}, model="nobody", answers=[None])
    assert result["error"]["code"] == "model_unavailable"
    assert "nobody" in result["error"]["message"]


@given(st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=6), numbers)
@settings(max_examples=50, deadline=None)
def test_rescaling_shifts_every_step_alike(call: Any, factors: list[list[float]], total: float) -> None:
    item = {"factors": factors, "return": total}
    [plain], [scaled] = call(PATH, item, direct=True), call(PATH, item, direct=True, rescale=True)
    assert sum(scaled["rewards"]) == pytest.approx(total, abs=1e-6)
    shifts = np.array(scaled["rewards"]) - np.array(plain["rewards"])
    assert shifts == pytest.approx(np.full(len(shifts), shifts[0]), abs=1e-6)


def test_the_loss_of_a_sample_of_steps(call: Any) -> None:
    [result] = call(LOSS, {"sampled": [1, 3, 2], "length": 5, "return": 10})
    assert result["reward"] == pytest.approx(0.0)
    assert result["details"]["unbiased"] == pytest.approx(-0.13333, abs=5e-6)
    assert result["details"]["variance"] == pytest.approx(1.0)


def test_one_sampled_step_has_no_variance_and_all_of_them_need_no_correction(call: Any) -> None:
    one, whole, only = call(
        LOSS,
        {"sampled": [2], "length": 5, "return": 5},
        {"sampled": [1, 3], "length": 2, "return": 0},
        {"sampled": [2], "length": 1, "return": 5},
    )
    assert (one["reward"], one["details"]["unbiased"]) == (1.0, None)
    assert whole["details"]["unbiased"] == whole["reward"] == 4.0
    assert only["details"]["unbiased"] == only["reward"] == 9.0


@pytest.mark.parametrize(
    "item", [{"sampled": [], "length": 5, "return": 1}, {"sampled": [1], "length": 0, "return": 1}]
)
def test_nothing_sampled_has_no_loss(call: Any, item: dict[str, Any]) -> None:
    assert call(LOSS, item)[0]["error"]["code"] == "invalid_field"


def test_the_unbiased_loss_is_the_full_loss_on_average(call: Any) -> None:
    rng = np.random.default_rng(1)
    steps, total = rng.normal(size=6), 3.0
    full = (steps.mean() - total / 6) ** 2
    for k, replace in ((3, False), (9, True)):
        draws = [rng.choice(steps, size=k, replace=replace).tolist() for _ in range(4000)]
        results = call(LOSS, *({"sampled": draw, "length": 6, "return": total} for draw in draws))
        assert np.mean([result["details"]["unbiased"] for result in results]) == pytest.approx(full, abs=0.02)


def test_the_return_may_be_given_by_its_name_in_recipes(call: Any) -> None:
    item = {"factors": [[1.0], [2.0]]}
    [one], [other] = (call(PATH, {**item, name: 5}, direct=True, rescale=True) for name in ("return", "return_"))
    assert one == other


def test_a_return_too_great_to_square_leaves_the_loss_out(call: Any) -> None:
    (result,) = call("credit/lare", {"factors": [[1.0]], "return": 1e308}, direct=True)
    assert result["rewards"] == [1.0]
    assert result["details"]["rd_loss"] is None
