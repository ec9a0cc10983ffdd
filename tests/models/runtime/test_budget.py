"""Batches by tokens: every row once, within the budget, rows of like length together."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reward_models.runtime.budget import GPU_TOKENS, MOST_TOKENS, batch_by_tokens, choose_budget, pad_rows
from reward_models.runtime.encoder import Limit, TextEncoder
from reward_models.runtime.instance import Instance
from reward_models.runtime.session import THREADS_VARIABLE

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


def test_a_budget_follows_the_threads_of_a_cpu() -> None:
    budgets = [choose_budget(threads, on_gpu=False) for threads in (1, 2, 4, 8, 64)]
    assert budgets == [512, 1024, 2048, 4096, MOST_TOKENS]
    assert {choose_budget(threads, on_gpu=True) for threads in (1, 8)} == {GPU_TOKENS}


def test_an_encoder_of_more_threads_takes_larger_batches_to_the_same_embeddings(
    start: Callable[[str], Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{i} " + "water is wet " * (i % 40) for i in range(40)]
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
