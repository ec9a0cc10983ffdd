"""transform/robust_scale: median and median absolute deviation."""

import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operations.conftest import call_operation

numbers = st.integers(-1000, 1000).map(float)
groups = st.lists(st.tuples(st.sampled_from("ab"), numbers), min_size=1, max_size=30)


def scale(cells: list[tuple[str, float]], **params: Any) -> list[dict[str, Any]]:
    items = [{"reward": reward, "group": name} for name, reward in cells]
    return call_operation("transform/robust_scale", *items, eps=0.0, **params)


def expected(reward: float, own: list[float]) -> float:
    median = statistics.median(own)
    deviations = [abs(value - median) for value in own]
    spread = 1.482602218505602 * statistics.median(deviations) or 1.2533141373155003 * statistics.fmean(deviations)
    return (reward - median) / spread if spread else 0.0


@given(groups)
def test_each_group_is_centred_by_its_median_and_divided_by_its_deviation(cells: list[tuple[str, float]]) -> None:
    for (name, reward), result in zip(cells, scale(cells), strict=True):
        own = [value for other, value in cells if other == name]
        assert result["reward"] == pytest.approx(expected(reward, own), abs=1e-9)
        assert result["details"]["median"] == statistics.median(own)
        assert result["details"]["single"] is (True if len(own) == 1 else None)


@given(groups)
def test_the_batch_is_one_group(cells: list[tuple[str, float]]) -> None:
    everything = [value for _, value in cells]
    for (_, reward), result in zip(cells, scale(cells, over="batch"), strict=True):
        assert result["reward"] == pytest.approx(expected(reward, everything), abs=1e-9)


@given(groups, numbers, st.sampled_from([0.25, 2.0, 1024.0]))
def test_neither_shift_nor_scale_changes_anything(cells: list[tuple[str, float]], shift: float, size: float) -> None:
    plain, moved = scale(cells), scale([(name, reward * size + shift) for name, reward in cells])
    assert [result["reward"] for result in moved] == pytest.approx([result["reward"] for result in plain], abs=1e-9)


def test_a_wild_reward_does_not_move_the_others() -> None:
    calm = scale([("a", value) for value in (1.0, 2.0, 3.0, 4.0, 5.0)])
    wild = scale([("a", value) for value in (1.0, 2.0, 3.0, 4.0, 1e300)])
    assert [r["reward"] for r in wild[:4]] == [r["reward"] for r in calm[:4]]


def test_numbers_of_any_size_are_answered() -> None:
    results = scale([("a", value) for value in (-1.7e308, 1.7e308, 1e-300)])
    assert results[2]["reward"] == 0.0
    assert results[0]["reward"] == -results[1]["reward"] == pytest.approx(-1 / 1.482602218505602)


def test_equal_members_and_one_alone_are_0() -> None:
    assert [r["reward"] for r in scale([("a", 0.1 + 0.2), ("a", 0.3), ("b", 7.0)])] == [0.0, 0.0, 0.0]


def test_an_item_without_a_group_is_no_member() -> None:
    items = [{"reward": 1.0, "group": "a"}, {"reward": 9.0}, {"reward": 3.0, "group": "a"}]
    first, lost, last = call_operation("transform/robust_scale", *items)
    assert lost["error"]["param"] == "group"
    assert first["details"]["median"] == last["details"]["median"] == 2.0
