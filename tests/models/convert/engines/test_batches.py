"""Rows go to an engine's network in batches of similar length; what does not fit into memory goes in smaller ones."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from reward_models.convert.engines.batches import Batches, OutOfMemory, TokenIds


def row(length: int) -> TokenIds:
    return TokenIds([1] * length, [0] * length)


class Memory:
    """A network whose number of a row is its length, on a device for so many padded tokens."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.shapes: list[tuple[int, int]] = []

    def run(self, rows: Sequence[TokenIds]) -> list[NDArray[np.float32]]:
        longest = max(len(each.ids) for each in rows)
        self.shapes.append((len(rows), longest))
        if len(rows) * longest > self.tokens:
            raise OutOfMemory
        return [np.array([len(each.ids)], np.float32) for each in rows]


def test_batches_are_of_similar_length_and_within_the_budget() -> None:
    memory = Memory(10_000)
    outcomes = Batches(memory.run, 12).score_rows([row(length) for length in (9, 2, 3, 9, 2)])
    assert memory.shapes == [(3, 3), (1, 9), (1, 9)]
    assert [float(each[0]) for each in outcomes] == [9, 2, 3, 9, 2]


def test_a_batch_that_does_not_fit_is_halved_and_later_ones_are_made_smaller() -> None:
    memory = Memory(20)
    batches = Batches(memory.run, 80)
    rows = [row(5)] * 16
    assert [float(each[0]) for each in batches.score_rows(rows)] == [5] * 16
    assert memory.shapes == [(16, 5), (8, 5), *[(4, 5)] * 4]
    memory.shapes.clear()
    batches.score_rows(rows)
    assert memory.shapes == [(4, 5)] * 4


def test_a_row_that_does_not_fit_alone_is_an_error_and_no_number_and_the_others_have_theirs() -> None:
    outcomes = Batches(Memory(20).run, 100).score_rows([row(5), row(30), row(6)])
    assert outcomes[1] == "overloaded: No memory was left for a text of 30 tokens; try again later."
    assert [float(outcomes[at][0]) for at in (0, 2)] == [5, 6]


def test_another_failure_is_not_taken_for_memory() -> None:
    def fail(rows: Sequence[TokenIds]) -> list[NDArray[np.float32]]:
        raise ValueError

    try:
        Batches(fail, 10).score_rows([row(1)])
    except ValueError:
        return
    raise AssertionError


def test_no_rows_run_nothing() -> None:
    memory = Memory(1)
    assert Batches(memory.run, 10).score_rows([]) == []
    assert memory.shapes == []


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(1, 200), st.integers(1, 200))
def test_every_row_has_its_number_or_an_error_by_what_fits(lengths: list[int], tokens: int, budget: int) -> None:
    outcomes = Batches(Memory(tokens).run, budget).score_rows([row(length) for length in lengths])
    for length, outcome in zip(lengths, outcomes, strict=True):
        if length > tokens:
            assert isinstance(outcome, str)
            assert outcome.startswith("overloaded: ")
        else:
            assert not isinstance(outcome, str)
            assert outcome.tolist() == [length]
