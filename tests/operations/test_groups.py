"""operations/groups.py: the laws of group arithmetic."""

import math
import statistics
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations import groups
from reward_gateway.operations.groups import Groups
from reward_gateway.sample import FloatArray

rewards = st.floats(-1e4, 1e4, allow_subnormal=False)
rows = st.lists(st.tuples(st.sampled_from("abcd"), rewards), min_size=1, max_size=40)
FUNCTIONS: list[Callable[[FloatArray, Groups], FloatArray]] = [
    groups.centre,
    groups.zscore,
    groups.rloo,
    groups.rank,
    groups.minmax,
]


def arrays(cells: list[tuple[str, float]]) -> tuple[FloatArray, Groups]:
    return np.array([value for _, value in cells]), Groups.of([name for name, _ in cells])


@pytest.mark.parametrize("function", FUNCTIONS)
@given(cells=rows)
@settings(max_examples=40)
def test_all_groups_at_once_equal_each_group_alone(
    function: Callable[[FloatArray, Groups], FloatArray], cells: list[tuple[str, float]]
) -> None:
    values, members = arrays(cells)
    together = function(values, members)
    assert np.isfinite(together).all()
    for number in range(members.count):
        mine = members.index == number
        alone = function(values[mine], Groups.one(int(mine.sum())))
        np.testing.assert_allclose(together[mine], alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("function", FUNCTIONS)
@given(cells=rows, data=st.data())
@settings(max_examples=40)
def test_the_order_of_rows_changes_nothing(
    function: Callable[[FloatArray, Groups], FloatArray], cells: list[tuple[str, float]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(cells))))
    straight = function(*arrays(cells))
    shuffled = function(*arrays([cells[i] for i in order]))
    np.testing.assert_allclose(shuffled, straight[list(order)], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_row_without_a_value_keeps_its_nan_and_changes_nobody(
    function: Callable[[FloatArray, Groups], FloatArray],
) -> None:
    with_hole = function(np.array([1.0, np.nan, 4.0, 2.0]), Groups.one(4))
    assert np.isnan(with_hole[1])
    np.testing.assert_allclose(with_hole[[0, 2, 3]], function(np.array([1.0, 4.0, 2.0]), Groups.one(3)))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_group_of_which_nothing_was_scored_stays_nan(
    function: Callable[[FloatArray, Groups], FloatArray],
) -> None:
    values = function(np.array([np.nan, np.nan, 3.0]), Groups.of(["a", "a", "b"]))
    assert np.isnan(values[:2]).all()
    assert np.isfinite(values[2])


@given(value=rewards, size=st.integers(1, 200))
@settings(max_examples=40)
def test_equal_members_give_exactly_zero_even_without_epsilon(value: float, size: int) -> None:
    values, members = np.full(size, value), Groups.one(size)
    for result in (
        groups.centre(values, members),
        groups.rloo(values, members),
        groups.zscore(values, members, eps=0.0),
        groups.minmax(values, members),
    ):
        assert (result == 0.0).all()
    assert (groups.rank(values, members) == 0.5).all()


@pytest.mark.parametrize("values", [[0.1 + 0.2, 0.3], [0.3 - 0.2, 0.5 - 0.4, 0.1], [1e9, 1e9 + 1e-6]])
def test_members_equal_up_to_rounding_have_no_score(values: list[float]) -> None:
    assert not groups.zscore(np.array(values), Groups.one(len(values)), eps=0.0).any()
    for scale in ("group_std", "batch_std", "whiten"):
        assert not groups.advantages(np.array(values), Groups.one(len(values)), "mean", scale, eps=0.0).any()


@given(st.lists(rewards, min_size=2, max_size=20))
@settings(max_examples=50)
def test_leave_one_out_is_the_reward_minus_the_mean_of_the_others(values: list[float]) -> None:
    result = groups.rloo(np.array(values), Groups.one(len(values)))
    for i, value in enumerate(values):
        others = values[:i] + values[i + 1 :]
        assert result[i] == pytest.approx(value - statistics.fmean(others), abs=1e-7)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=20, unique=True))
@settings(max_examples=50)
def test_a_z_score_has_mean_zero_and_the_chosen_spread_one(values: list[int]) -> None:
    numbers, members = np.array(values, dtype=float), Groups.one(len(values))
    sample = groups.zscore(numbers, members, eps=0.0)
    population = groups.zscore(numbers, members, eps=0.0, spread="population")
    assert sample.mean() == pytest.approx(0.0, abs=1e-12)
    assert sample.std(ddof=1) == pytest.approx(1.0)
    assert population.std(ddof=0) == pytest.approx(1.0)


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=30))
@settings(max_examples=50)
def test_ranks_count_the_members_below_and_half_of_the_ties(values: list[int]) -> None:
    result = groups.rank(np.array(values, dtype=float), Groups.one(len(values)))
    for i, value in enumerate(values):
        below = sum(other < value for other in values)
        ties = sum(other == value for other in values) - 1
        assert result[i] == pytest.approx((below + ties / 2) / (len(values) - 1))


def test_small_differences_survive_a_large_common_offset() -> None:
    offset = 2.0**30
    plain = groups.zscore(np.array([0.0, 0.25, 0.5]), Groups.one(3), eps=0.0)
    shifted = groups.zscore(offset + np.array([0.0, 0.25, 0.5]), Groups.one(3), eps=0.0)
    np.testing.assert_array_equal(plain, shifted)


def test_gdpo_tells_apart_what_a_normalised_sum_confuses() -> None:
    # Two components in two groups of two: the sums rank alike, (0, 1) and (0, 2), so GRPO gives both the same.
    members = Groups.of(["p", "p", "q", "q"])
    table = {"format": np.array([0.0, 1.0, 0.0, 1.0]), "answer": np.array([0.0, 0.0, 0.0, 1.0])}
    grpo = groups.zscore(table["format"] + table["answer"], members, eps=0.0)
    assert grpo[1] == pytest.approx(grpo[3])
    decoupled = groups.gdpo(table, {}, members, batch=False)
    half = math.sqrt(0.5)
    np.testing.assert_allclose(decoupled, [-half, half, -2 * half, 2 * half])
    normalised = groups.gdpo(table, {}, members)
    np.testing.assert_allclose(normalised, decoupled / decoupled.std(ddof=1))


def test_gdpo_is_the_same_whatever_the_scale_of_a_component() -> None:
    members = Groups.of(list("aaabbb"))
    helpful, short = np.array([1.0, 2.0, 4.0, 0.0, 3.0, 1.0]), np.array([0.1, 0.3, 0.2, 0.9, 0.1, 0.4])
    small = groups.gdpo({"helpful": helpful, "short": short}, {"short": 0.5}, members)
    large = groups.gdpo({"helpful": helpful, "short": 1000 * short}, {"short": 0.5}, members)
    np.testing.assert_allclose(small, large)


def test_a_row_without_one_of_the_components_has_no_gdpo_advantage() -> None:
    table = {"a": np.array([1.0, np.nan, 2.0]), "b": np.array([1.0, 2.0, 5.0])}
    advantages = groups.gdpo(table, {}, Groups.one(3))
    assert np.isnan(advantages[1])
    assert np.isfinite(advantages[[0, 2]]).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_rows_have_no_values(function: Callable[[FloatArray, Groups], FloatArray]) -> None:
    assert function(np.empty(0), Groups.one(0)).tolist() == []
    assert function(np.empty(0), Groups.of([])).tolist() == []
    assert np.isnan(function(np.full(3, np.nan), Groups.one(3))).all()
