"""Batches by tokens: every row once, within the budget, rows of like length together."""

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reward_models.runtime.budget import (
    GPU_TOKENS,
    MOST_TOKENS,
    batch_by_tokens,
    choose_budget,
    choose_run_tokens,
    pad_rows,
)
from reward_models.runtime.encoder import Limit, TextEncoder
from reward_models.runtime.instance import Instance
from reward_models.runtime.session import THREADS_VARIABLE

lengths = st.lists(st.integers(1, 600), max_size=80)
budgets = st.integers(1, 2048)
runs = st.integers(0, 2048)


def sum_cost(rows: Sequence[int], batches: Sequence[Sequence[int]], run_tokens: int) -> int:
    return sum(run_tokens + len(batch) * max(rows[row] for row in batch) for batch in batches)


@settings(deadline=None)
@given(lengths, budgets, runs)
def test_every_row_is_in_one_batch(rows: list[int], budget: int, run: int) -> None:
    batches = batch_by_tokens(rows, budget, run)
    assert sorted(int(row) for batch in batches for row in batch) == list(range(len(rows)))


@settings(deadline=None)
@given(lengths, budgets, runs)
def test_no_batch_is_over_the_budget_unless_one_row_is(rows: list[int], budget: int, run: int) -> None:
    for batch in batch_by_tokens(rows, budget, run):
        assert len(batch) == 1 or len(batch) * max(rows[row] for row in batch) <= budget


@settings(deadline=None)
@given(lengths, budgets, runs)
def test_rows_come_in_rising_length(rows: list[int], budget: int, run: int) -> None:
    seen = [rows[row] for batch in batch_by_tokens(rows, budget, run) for row in batch]
    assert seen == sorted(seen)


@settings(deadline=None)
@given(st.lists(st.integers(1, 600), min_size=1, max_size=8), budgets, runs)
def test_no_other_cut_of_sorted_rows_costs_less(rows: list[int], budget: int, run: int) -> None:
    order = sorted(range(len(rows)), key=rows.__getitem__)
    costs = []
    for inner in product((False, True), repeat=len(rows) - 1):
        cuts = [0, *(at for at, cut in enumerate(inner, 1) if cut), len(rows)]
        batches = [order[start:stop] for start, stop in pairwise(cuts)]
        if all(len(batch) == 1 or len(batch) * rows[batch[-1]] <= budget for batch in batches):
            costs.append(sum_cost(rows, batches, run))
    assert sum_cost(rows, [batch.tolist() for batch in batch_by_tokens(rows, budget, run)], run) == min(costs)


@settings(deadline=None)
@given(st.lists(st.integers(1, 600), min_size=1, max_size=80), budgets)
def test_batches_are_as_few_as_may_be_where_a_run_is_worth_the_budget(rows: list[int], budget: int) -> None:
    filled, size = 1, 0
    for row in sorted(rows):  # as many as fit, the shortest first
        size += 1
        if size > 1 and row * size > budget:
            filled, size = filled + 1, 1
    assert len(batch_by_tokens(rows, budget, budget)) == filled


def test_a_long_text_is_not_padded_onto_a_short_one() -> None:
    """Two texts of 6 and 300 tokens in one run would cost those of two long ones."""
    batches = batch_by_tokens([300, 6, 8, 290], 1024, 12)
    assert [batch.tolist() for batch in batches] == [[1, 2], [3, 0]]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 30000), min_size=1, max_size=20), min_size=1, max_size=8))
def test_padding_keeps_each_row_under_its_mask(rows: list[list[int]]) -> None:
    ids, mask = pad_rows(rows)
    assert [list(ids[index][mask[index] == 1]) for index in range(len(rows))] == rows
    assert not np.any(ids[mask == 0])
    assert ids.shape[1] == max(map(len, rows))


def test_a_budget_follows_the_threads_of_a_cpu() -> None:
    budgets = [choose_budget(threads, on_gpu=False) for threads in (1, 2, 4, 8, 64)]
    assert budgets == [512, 1024, 2048, 4096, MOST_TOKENS]
    assert [choose_run_tokens(threads, on_gpu=False) for threads in (1, 2)] == [12, 24]
    assert {choose_budget(threads, on_gpu=True) for threads in (1, 8)} == {GPU_TOKENS}
    assert {choose_run_tokens(threads, on_gpu=True) for threads in (1, 8)} == {GPU_TOKENS}


def test_an_encoder_of_more_threads_takes_larger_batches_to_the_same_embeddings(
    start: Callable[[str], Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{i} " + "water is wet " * 10 for i in range(40)]
    instance, limit = start("text_preference"), Limit(tokens=128, keep="start")
    largest, embeddings = [], []
    for threads in (1, 2):
        monkeypatch.setenv(THREADS_VARIABLE, str(threads))
        encoder = TextEncoder(instance.folder, instance.device, remembered=0)
        sizes, run = list[int](), encoder.session.run_graph

        def noted(
            inputs: dict[str, NDArray[Any]],
            sizes: list[int] = sizes,
            run: Callable[[dict[str, NDArray[Any]]], list[NDArray[np.float32]]] = run,
        ) -> list[NDArray[np.float32]]:
            sizes.append(inputs["input_ids"].size)
            return run(inputs)

        monkeypatch.setattr(encoder.session, "run_graph", noted)
        embeddings.append(encoder.encode_texts(texts, limit).embeddings)
        largest.append(max(sizes))
    assert 384 < largest[0] <= 512 < largest[1] <= 1024
    np.testing.assert_allclose(embeddings[0], embeddings[1], atol=1e-5)
