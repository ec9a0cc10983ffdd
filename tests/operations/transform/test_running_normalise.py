"""transform/running_normalise: the store's answer is played by the test."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.effects import MergeMoments, Moments
from reward_gateway.operations.registry import catalog
from reward_gateway.operations.transform.running_scale import moments_of


def test_items_are_normalised_by_the_moments_that_the_store_answers(call: Any) -> None:
    answer = Moments(count=5.0, mean=2.0, m2=16.0)
    results = call(
        "transform/running_normalise", {"reward": 4.0}, {"reward": 0.0}, answers=[answer], stream="run", eps=0.0
    )
    assert [result["reward"] for result in results] == [1.0, -1.0]


def test_the_store_is_asked_to_merge_the_moments_of_the_request() -> None:
    operation = catalog().get("transform", "running_normalise")
    assert operation is not None
    assert operation.stateful
    steps: Any = operation.function(
        Columns(3, {"reward": np.array([1.0, np.nan, 3.0])}), operation.params.model_validate({"stream": "run"})
    )
    assert next(steps) == MergeMoments("run", Moments(2.0, 2.0, 2.0))


def test_before_there_is_a_spread_only_the_mean_is_subtracted(call: Any) -> None:
    (result,) = call("transform/running_normalise", {"reward": 4.0}, answers=[Moments(1.0, 3.0, 0.0)], stream="run")
    assert result["reward"] == 1.0


def test_the_result_can_be_clipped_and_left_uncentred(call: Any) -> None:
    (result,) = call(
        "transform/running_normalise",
        {"reward": 50.0},
        answers=[Moments(2.0, 9.0, 1.0)],
        stream="run",
        center=False,
        clip=10.0,
    )
    assert result["reward"] == 10.0


@given(st.lists(st.floats(-1e4, 1e4), max_size=30), st.lists(st.floats(-1e4, 1e4), max_size=30))
@settings(max_examples=50)
def test_moments_of_parts_merge_to_the_moments_of_the_whole(a: list[float], b: list[float]) -> None:
    merged = moments_of(np.array(a)).merged(moments_of(np.array(b)))
    whole = moments_of(np.array(a + b))
    assert merged.count == whole.count
    assert math.isclose(merged.mean, whole.mean, rel_tol=1e-9, abs_tol=1e-9)
    assert merged.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-6)
