"""Ragged rows: reductions agree with numpy row by row, whatever the other rows are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.ragged import Ragged

NUMBERS = st.floats(-1e4, 1e4)
ROWS = st.lists(st.lists(NUMBERS, max_size=5), max_size=6)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.floats(0, 1))
def test_reductions_equal_numpy_row_by_row(rows: list[list[float]], q: float) -> None:
    ragged = Ragged.of_lists(rows)
    for i, row in enumerate(rows):
        if not row:
            assert np.isnan(ragged.mean()[i])
            assert np.isnan(ragged.min()[i])
            assert ragged.sum()[i] == 0
            continue
        assert ragged.mean()[i] == pytest.approx(np.mean(row), abs=1e-9)
        assert ragged.std()[i] == pytest.approx(np.std(row), abs=1e-9)
        assert ragged.std(1)[i] == pytest.approx(np.std(row, ddof=1) if len(row) > 1 else 0, abs=1e-9)
        assert ragged.min()[i] == min(row)
        assert ragged.max()[i] == max(row)
        assert ragged.quantile(q)[i] == pytest.approx(np.quantile(row, q), abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(ROWS.filter(bool))
def test_a_row_is_the_same_alone_and_in_any_batch(rows: list[list[float]]) -> None:
    together, alone = Ragged.of_lists(rows), Ragged.of_lists(rows[:1])
    for reduce in (Ragged.sum, Ragged.mean, Ragged.std, Ragged.min, Ragged.max, lambda r: r.quantile(0.85)):
        assert np.array_equal(reduce(together)[:1], reduce(alone), equal_nan=True)


def test_a_mapping_of_columns_reads_as_rows_and_a_nan_makes_its_own_row_nan() -> None:
    columns = Columns(2, {"scores": {"a": np.array([1.0, np.nan]), "b": np.array([3.0, 5.0])}})
    ragged = Ragged.of_column(columns, "scores")
    assert ragged.names == ["a", "b", "a", "b"]
    for reduced in (ragged.mean(), ragged.min(), ragged.quantile(0.5)):
        assert not np.isnan(reduced[0])
        assert np.isnan(reduced[1])


def test_head_keeps_the_first_of_each_row_with_their_names() -> None:
    ragged = Ragged.of_lists([{"a": 1, "b": 2, "c": 3}, {"d": 4}]).head(2)
    assert ragged.values.tolist() == [1, 2, 4]
    assert ragged.counts.tolist() == [2, 1]
    assert ragged.names == ["a", "b", "d"]


def test_an_absent_field_gives_empty_rows() -> None:
    assert Ragged.of_column(Columns(3, {}), "scores").empty.all()


def test_lists_and_mappings_mix_and_the_numbers_of_a_list_are_named_by_place() -> None:
    ragged = Ragged.of_lists([[5.0, 6.0], None, {"a": 7.0}])
    assert ragged.values.tolist() == [5, 6, 7]
    assert ragged.names == ["0", "1", "a"]
    assert ragged.counts.tolist() == [2, 0, 1]
