"""combine/log_sigmoid_sum (2402.00742)."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.combine.log_sigmoid_sum import Params, log_sigmoid_sum

OP = "combine/log_sigmoid_sum"
ITEM = {"rewards": {"help": 2, "harm": 0.3}, "references": {"help": 1.5, "harm": 0.8}}
NUMBERS = st.floats(-1e4, 1e4)


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, ITEM)
    assert result["reward"] == pytest.approx(-1.44815, abs=1e-5)
    assert result["details"]["probability"] == pytest.approx(0.23500, abs=1e-5)


def test_references_may_stand_in_the_params_and_the_items_own_win(call: Any) -> None:
    references = {"help": 1.5, "harm": 0.8}
    bare = {"rewards": ITEM["rewards"]}
    assert call(OP, bare, references=references)[0] == call(OP, ITEM)[0]
    assert call(OP, ITEM, references={"help": 9.0, "harm": 9.0})[0] == call(OP, ITEM)[0]


def test_lists_pair_by_place(call: Any) -> None:
    assert call(OP, {"rewards": [2, 0.3], "references": [1.5, 0.8]})[0]["reward"] == call(OP, ITEM)[0]["reward"]


def test_a_missing_reference_an_extra_one_and_no_rewards_are_errors(call: Any) -> None:
    missing, none, extra, empty, fine = call(
        OP,
        {"rewards": {"help": 2, "harm": 0.3}, "references": {"help": 1.5}},
        {"rewards": {"help": 2}},
        {"rewards": {"help": 2}, "references": {"help": 1, "harm": 1}},
        {"rewards": {}, "references": {}},
        ITEM,
    )
    assert missing["error"]["code"] == none["error"]["code"] == "missing_field"
    assert "harm" in missing["error"]["message"]
    assert "harm" in extra["error"]["message"]
    assert empty["error"]["code"] == "invalid_field"
    assert fine["reward"] == pytest.approx(-1.44815, abs=1e-5)


def test_the_columns_of_a_recipe_give_the_same() -> None:
    columns = Columns(2, {"rewards": {"help": np.array([2.0, np.nan]), "harm": np.array([0.3, 0.1])}})
    outcome = log_sigmoid_sum(columns, Params(references={"help": 1.5, "harm": 0.8}))
    assert outcome.reward is not None
    assert outcome.reward[0] == pytest.approx(-1.44815, abs=1e-5)
    assert np.isnan(outcome.reward[1])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_an_and_at_most_the_worst_term_finite_and_free_of_order(call: Any, pairs: list[tuple[float, float]]) -> None:
    rewards, references = [list(side) for side in zip(*pairs, strict=True)]
    together, reverse, *single = call(
        OP,
        {"rewards": rewards, "references": references},
        {"rewards": rewards[::-1], "references": references[::-1]},
        *({"rewards": [r], "references": [q]} for r, q in pairs),
    )
    terms = [one["reward"] for one in single]
    assert together["reward"] == pytest.approx(sum(terms))
    assert together["reward"] <= min(terms) + 1e-9
    assert reverse["reward"] == pytest.approx(together["reward"])
    assert math.isfinite(together["reward"])
