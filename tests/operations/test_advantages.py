"""One definition of advantages: a baseline, then a scale; the names of trainers are cases of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.groups import Baseline, Groups, Scale, advantages, centre, rloo, zscore
from reward_gateway.sample import FloatArray

R = np.array([1.0, 0, 0, 0, 1, 1, 1, 0])
GROUPS = Groups.of(["a"] * 4 + ["b"] * 4)

BASELINES: list[Baseline] = ["none", "mean", "rloo", "opo"]
SCALES: list[Scale] = ["none", "group_std", "batch_std", "whiten"]


def compute(
    baseline: Baseline, scale: Scale, values: FloatArray = R, groups: Groups = GROUPS, lengths: FloatArray | None = None
) -> FloatArray:
    return advantages(values, groups, baseline, scale, eps=0.0, lengths=lengths)


def test_the_spread_of_the_batch_is_that_of_the_rewards() -> None:
    """TRL's ``scale_rewards="batch"``."""
    expected = [1.40312, *[-0.46771] * 3, *[0.46771] * 3, -1.40312]
    np.testing.assert_allclose(compute("mean", "batch_std"), expected, atol=5e-6)


def test_differences_are_whitened_over_the_batch() -> None:
    """REINFORCE++ with a baseline, and without."""
    expected = [1.62019, *[-0.54006] * 3, *[0.54006] * 3, -1.62019]
    np.testing.assert_allclose(compute("mean", "whiten"), expected, atol=5e-6)
    np.testing.assert_allclose(compute("none", "whiten"), np.where(R > 0, 0.93541, -0.93541), atol=5e-6)


def test_a_baseline_is_weighted_by_length() -> None:
    lengths = np.array([10.0, 20, 30, 40])
    opo = compute("opo", "none", R[:4], Groups.one(4), lengths)
    np.testing.assert_allclose(opo, [0.9, -0.1, -0.1, -0.1])
    np.testing.assert_allclose(compute("opo", "none", R[:4], Groups.one(4), np.zeros(4)), centre(R[:4], Groups.one(4)))


def test_trainers_names_are_cases_of_it() -> None:
    np.testing.assert_array_equal(compute("mean", "none"), centre(R, GROUPS))
    np.testing.assert_array_equal(compute("mean", "group_std"), zscore(R, GROUPS, eps=0.0))
    np.testing.assert_array_equal(compute("rloo", "none"), rloo(R, GROUPS))
    np.testing.assert_array_equal(compute("none", "none"), R)


@pytest.mark.parametrize("scale", SCALES[1:])
@pytest.mark.parametrize("baseline", BASELINES)
def test_no_spread_gives_nothing(baseline: Baseline, scale: Scale) -> None:
    equal = np.full(4, 0.1 + 0.2)
    assert compute(baseline, scale, equal, Groups.one(4), np.arange(4.0)).tolist() == [0.0] * 4


FINITE = st.floats(-1e6, 1e6)


@given(
    st.lists(st.tuples(FINITE, st.integers(0, 3), st.floats(0, 1e4)), min_size=2, max_size=24),
    st.sampled_from(BASELINES[1:]),
    st.sampled_from(SCALES),
    FINITE,
)
def test_a_shift_of_all_rewards_changes_nothing(
    rows: list[tuple[float, int, float]], baseline: Baseline, scale: Scale, shift: float
) -> None:
    values, lengths = np.array([row[0] for row in rows]), np.array([row[2] for row in rows])
    groups = Groups.of([row[1] for row in rows])
    plain = advantages(values, groups, baseline, scale, eps=1.0, lengths=lengths)
    moved = advantages(values + shift, groups, baseline, scale, eps=1.0, lengths=lengths)
    np.testing.assert_allclose(moved, plain, atol=1e-3, rtol=1e-6)


@given(
    st.lists(st.tuples(FINITE, st.integers(0, 3)), min_size=2, max_size=24),
    st.sampled_from(BASELINES[:3]),
    st.sampled_from(SCALES[1:]),
    st.floats(0.01, 100),
)
def test_a_scale_of_all_rewards_changes_nothing_that_is_divided(
    rows: list[tuple[float, int]], baseline: Baseline, scale: Scale, factor: float
) -> None:
    values, groups = np.array([row[0] for row in rows]), Groups.of([row[1] for row in rows])
    if np.ptp(values) < 1e-3:
        return
    plain, scaled = (advantages(each, groups, baseline, scale, eps=0.0) for each in (values, values * factor))
    np.testing.assert_allclose(scaled, plain, atol=1e-6, rtol=1e-6)


@given(st.lists(st.tuples(FINITE, st.booleans()), min_size=2, max_size=24), st.sampled_from(BASELINES))
def test_a_row_without_a_value_changes_nobody(rows: list[tuple[float, bool]], baseline: Baseline) -> None:
    present = np.array([row[1] for row in rows])
    values = np.where(present, [row[0] for row in rows], np.nan)
    lengths = np.arange(1.0, len(rows) + 1)
    for scale in SCALES:
        every = advantages(values, Groups.one(len(rows)), baseline, scale, lengths=lengths)
        alone = advantages(values[present], Groups.one(int(present.sum())), baseline, scale, lengths=lengths[present])
        np.testing.assert_allclose(every[present], alone, rtol=1e-9, atol=1e-9)
        assert np.isnan(every[~present]).all()
