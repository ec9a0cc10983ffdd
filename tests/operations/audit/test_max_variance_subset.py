"""audit/max_variance_subset: no other choice of m varies more."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OP = "audit/max_variance_subset"
LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
rewards_of_a_group = st.lists(st.one_of(st.floats(-10, 10), st.sampled_from([0.0, 0.1, 1.0])), min_size=1, max_size=8)


def test_the_published_value(call: Any) -> None:
    (result,) = call(OP, {"rewards": [0, 0.2, 0.5, 0.9, 1]}, m=3)
    assert result["reward"] == pytest.approx(0.20222, abs=5e-6)
    assert result["details"]["keep"] == [0, 3, 4]


@given(rewards_of_a_group, st.data())
@LAWS
def test_no_subset_varies_more(call: Any, rewards: list[float], data: st.DataObject) -> None:
    m = data.draw(st.integers(1, len(rewards)))
    (result,) = call(OP, {"rewards": rewards}, m=m)
    keep = result["details"]["keep"]
    assert keep == sorted(set(keep))
    assert len(keep) == m
    assert result["reward"] == pytest.approx(np.var([rewards[i] for i in keep]))
    greatest = max(np.var(subset) for subset in itertools.combinations(rewards, m))
    assert result["reward"] == pytest.approx(greatest, abs=1e-9)


@pytest.mark.parametrize(
    ("rewards", "m", "keep"),
    [
        ([0, 0, 1, 1], 3, [0, 2, 3]),  # one low and two high vary as two low and one high
        ([1, 1, 0, 0], 3, [0, 1, 2]),
        ([0, 1, 1, 1], 3, [0, 1, 2]),
        ([0.1, 0.3, 0.3, 0.3, 0.3, 0.1], 4, [0, 1, 2, 5]),
        ([2, 2, 2], 2, [0, 1]),
        ([3, 5, 5, 4], 1, [1]),
        ([1, 2], 2, [0, 1]),
    ],
)
def test_ties_go_to_fewer_low_ones_and_to_those_that_come_first(
    call: Any, rewards: list[float], m: int, keep: list[int]
) -> None:
    assert call(OP, {"rewards": rewards}, m=m)[0]["details"]["keep"] == keep


def test_a_common_offset_changes_nothing(call: Any) -> None:
    one, other = call(OP, {"rewards": [0, 2, 5, 9, 10]}, {"rewards": [1e9 + r for r in (0, 2, 5, 9, 10)]}, m=3)
    assert one["details"] == other["details"]
    assert one["reward"] == pytest.approx(other["reward"])


@pytest.mark.parametrize("rewards", [[], [1.0, 2.0]])
def test_fewer_rewards_than_are_kept_are_an_error(call: Any, rewards: list[float]) -> None:
    (result,) = call(OP, {"rewards": rewards}, m=3)
    assert result["error"]["param"] == "rewards"
