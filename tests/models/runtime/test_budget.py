"""Batches by tokens: every row once, within the budget, rows of like length together."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_models.runtime.budget import batch_by_tokens, pad_rows

lengths = st.lists(st.integers(1, 600), max_size=80)
budgets = st.integers(1, 2048)


@settings(deadline=None)
@given(lengths, budgets)
def test_every_row_is_in_one_batch(rows: list[int], budget: int) -> None:
    batches = batch_by_tokens(rows, budget)
    assert sorted(int(row) for batch in batches for row in batch) == list(range(len(rows)))


@settings(deadline=None)
@given(lengths, budgets)
def test_no_batch_is_over_the_budget_unless_one_row_is(rows: list[int], budget: int) -> None:
    for batch in batch_by_tokens(rows, budget):
        assert len(batch) == 1 or len(batch) * max(rows[row] for row in batch) <= budget


@settings(deadline=None)
@given(lengths, budgets)
def test_rows_come_in_rising_length(rows: list[int], budget: int) -> None:
    seen = [rows[row] for batch in batch_by_tokens(rows, budget) for row in batch]
    assert seen == sorted(seen)


@settings(deadline=None)
@given(lengths, budgets)
def test_a_batch_ends_only_where_the_next_row_would_not_fit(rows: list[int], budget: int) -> None:
    batches = batch_by_tokens(rows, budget)
    for batch, following in pairwise(batches):
        assert rows[following[0]] * (len(batch) + 1) > budget


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 30000), min_size=1, max_size=20), min_size=1, max_size=8))
def test_padding_keeps_each_row_under_its_mask(rows: list[list[int]]) -> None:
    ids, mask = pad_rows(rows)
    assert [list(ids[index][mask[index] == 1]) for index in range(len(rows))] == rows
    assert not np.any(ids[mask == 0])
    assert ids.shape[1] == max(map(len, rows))
