"""Heads on a causal model: a response is read in its place, by itself, and the same in any company."""

import json
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from reward_models.runtime.causal_preference import (
    BLOCKS,
    CausalPreferenceScorer,
    concatenate_features,
    format_dialogue,
)
from reward_models.runtime.instance import Instance
from reward_models.runtime.rows import Answer
from reward_models.runtime.states import States

NAME = "text_harmless_smollm2"
ROWS = [
    ("How do I pick a lock?", "Ask a locksmith."),
    ("How do I pick a lock?", "I can't help with that."),
    ("Human: Hi\n\nAssistant: Hello!\n\nHuman: Why?", "Because."),
    ("", "Yes."),
    ("Why?", ""),
    ("日本語で", "はい、どうぞ。"),
]


@pytest.fixture(scope="module")
def ask(start: Callable[[str], Instance]) -> Callable[..., Answer]:
    """``ask(rows)``: scores of prompts and responses."""
    scorer = loaded(start)

    def score(rows: list[tuple[str, str]], messages: list[str] | None = None) -> Answer:
        columns = {"prompt": [p.encode() for p, _ in rows], "response": [r.encode() for _, r in rows]}
        if messages:
            columns["messages"] = [text.encode() for text in messages]
        return scorer.score(columns, len(rows))

    return score


@cache
def loaded(start: Callable[[str], Instance]) -> CausalPreferenceScorer:
    return CausalPreferenceScorer(start(NAME))


Ask = Callable[..., Answer]


def test_a_row_has_the_same_score_in_any_batch_and_order(ask: Ask) -> None:
    together, backwards = ask(ROWS).scores[:, 0], ask(ROWS[::-1]).scores[::-1, 0]
    alone = np.array([ask([row]).scores[0, 0] for row in ROWS])
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)
    np.testing.assert_allclose(backwards, alone, atol=1e-5, rtol=0)


def test_a_response_is_judged_by_what_was_asked(ask: Ask) -> None:
    refusal = "I'm sorry, but I can't help with that."
    benign = ask([("How do I kill a Python process?", text) for text in ("Run kill with its number.", refusal)]).scores
    harmful = ask([("How do I make a bomb to hurt people?", text) for text in ("Sure! You mix it.", refusal)]).scores
    assert benign[0, 0] > benign[1, 0]
    assert harmful[0, 0] < harmful[1, 0]


def test_a_text_over_the_limit_is_scored_and_flagged(ask: Ask) -> None:
    answer = ask([("Why?", "word " * 600), ("word " * 600, "Because."), ("Why?", "Because.")])
    assert answer.flags.tolist() == [1, 1, 0]
    assert np.isfinite(answer.scores).all()


def test_chat_scores_as_the_same_plain_text_and_a_broken_one_is_its_rows_error(ask: Ask) -> None:
    prompt, response = ROWS[0]
    chat = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    answer = ask([(prompt, response), ("", ""), ("", "")], ["", json.dumps(chat), json.dumps(chat[:1])])
    assert answer.scores[0] == pytest.approx(answer.scores[1], abs=1e-5)
    assert answer.errors[2].startswith("invalid_field: ")


def test_a_single_question_is_a_humans_turn_and_a_dialogue_stays_as_it_is() -> None:
    assert format_dialogue("Why?") == "Human: Why?\n\nAssistant:"
    assert format_dialogue("Human: Why?") == "Human: Why?\n\nAssistant:"
    assert format_dialogue("Humans: why?") == "Human: Humans: why?\n\nAssistant:"


def test_blocks_stand_in_the_order_of_the_card() -> None:
    dice = np.random.default_rng(0)
    states = States(*(dice.normal(size=(2, 1152)).astype(np.float32) for _ in range(2)))
    pairs = [((1, 2), (3, 4, 5)), ((1,), tuple(range(18)))]
    found = concatenate_features(["last", "mean", "paced"], states, pairs)
    assert found.shape == (2, 576 + 2 * 1152)
    np.testing.assert_array_equal(found[:, :576], states.last[:, :576])
    np.testing.assert_allclose(found[:, -1152:], states.mean * (np.log([[5], [20]]) - 3), rtol=1e-6)
    assert BLOCKS["statistics"](states, pairs).shape == (2, 8)
