"""Rewards in the datatypes of tensors, which hold less than they do."""

import warnings

import numpy as np
import pytest
from reward_gateway.oip.input_layouts import LAYOUTS, find_valid_rows
from reward_gateway.sample import Scored

NUMBERS = [0.5, -3.25, 59_999.0, 65_504.0, -65_520.0, 70_000.0, 3.5e38, -1e300, 1e-300, np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("rows", [1, 200])
def test_a_reward_that_a_tensor_cannot_hold_is_not_valid_and_nothing_warns(number: float, rows: int) -> None:
    scored = Scored("r", "1", np.array([1.0, number] * rows), {})
    with np.errstate(all="ignore"):
        expected = scored.reward.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = LAYOUTS[0].outputs["reward"].make(scored)
        valid = find_valid_rows(scored)
    assert made.dtype == np.float32
    assert valid.tolist() == np.isfinite(expected).tolist()
    assert made.tolist() == np.where(np.isfinite(expected), expected, 0).tolist()
