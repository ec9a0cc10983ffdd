"""Contexts and continuations as rows of tokens: each continuation sees its context and itself, and nothing else."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_models.runtime.packs import Pack, build_packs
from reward_models.runtime.states import mixing_weights

Pair = tuple[tuple[int, ...], tuple[int, ...]]

tokens = st.lists(st.integers(0, 9), min_size=1, max_size=12).map(tuple)
pairs = st.lists(st.tuples(st.sampled_from([(1,), (2, 3), (4,) * 10, (5,) * 40]), tokens), max_size=20)


def seen_by(packed: Pack, place: int) -> list[int]:
    """The tokens that a place of a pack sees, by the rule that the graph applies."""
    made = packed.graph_inputs()
    theirs = (made["segments"] == made["segments"][place]) | (made["segments"] == made["contexts"][place])
    return [int(token) for token in made["ids"][: place + 1][theirs[: place + 1]]]


@given(pairs, st.integers(1, 30))
def test_every_continuation_lies_once_behind_its_own_context(texts: list[Pair], budget: int) -> None:
    packs = build_packs(texts, budget)
    assert sorted(row for packed in packs for row in packed.rows) == list(range(len(texts)))
    for packed in packs:
        positions = packed.graph_inputs()["positions"]
        for row, (start, end) in zip(packed.rows, packed.spans, strict=True):
            context, continuation = texts[row]
            assert seen_by(packed, end - 1) == [*context, *continuation]
            assert positions[start:end].tolist() == list(range(len(context), len(context) + len(continuation)))


@given(pairs, st.integers(1, 30))
def test_a_step_goes_from_the_token_before_to_the_token_itself(texts: list[Pair], budget: int) -> None:
    for packed in build_packs(texts, budget):
        sources, targets = packed.prediction_steps()
        steps = iter(zip(sources.tolist(), targets.tolist(), strict=True))
        for row in packed.rows:
            context, continuation = texts[row]
            for before, token in pairwise([context[-1], *continuation]):
                source, target = next(steps)
                assert (packed.graph_inputs()["ids"][source], target) == (before, token)
        assert next(steps, None) is None


@given(pairs, st.integers(1, 30))
def test_a_pack_holds_its_budget_or_one_context_with_as_much_behind_it(texts: list[Pair], budget: int) -> None:
    for packed in build_packs(texts, budget):
        contexts = {texts[row][0] for row in packed.rows}
        behind = sum(end - start for start, end in packed.spans)
        assert len(packed) <= budget or len(contexts) == 1
        assert behind <= budget or len(packed.rows) == 1


def test_a_context_is_read_once_for_all_its_continuations() -> None:
    [packed] = build_packs([((7,) * 100, (row, row)) for row in range(50)], budget=512)
    assert len(packed) == 100 + 50 * 2


def test_mixes_are_means_and_last_tokens() -> None:
    [packed] = build_packs([((1, 2), (3, 4)), ((1, 2), (5,))], budget=512)
    weights = mixing_weights(packed)
    ids = packed.graph_inputs()["ids"]
    assert weights @ ids == pytest.approx(np.array([5.0, 3.5, 5.0, 4.0]))
    assert packed.rows == [1, 0]
