"""The language model: equal numbers in any company, its rules of reading, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reward_models.evaluate.likelihood import read_texts
from reward_models.repository import REPOSITORY
from reward_models.runtime.causal import CausalTokenizer, Limits, Turn
from reward_models.runtime.instance import Instance
from reward_models.runtime.language import LanguageScorer
from reward_models.runtime.rows import Answer

Ask = Callable[..., Answer]
Start = Callable[[str], Instance]


@pytest.fixture(scope="module")
def scorer(start: Start) -> LanguageScorer:
    """The model with short limits, so that what is over them costs little."""
    instance = start("language_model")
    settings = {**instance.card["settings"], "context": 96, "continuation": 32}
    return LanguageScorer(replace(instance, card={"settings": settings}))


@pytest.fixture
def say(scorer: LanguageScorer) -> Ask:
    """Score rows given as mappings of prompt, response and messages."""

    def score(*rows: dict[str, Any]) -> Answer:
        columns = {name: [row.get(name, "").encode() for row in rows] for name in ("prompt", "response", "messages")}
        return scorer.score(columns, len(rows))

    return score


@pytest.fixture
def tokenizer(start: Start) -> CausalTokenizer:
    return CausalTokenizer(start("language_model").folder, Limits(16, 8), "Be kind.")


def test_a_row_has_the_same_score_alone_and_in_any_company(say: Ask) -> None:
    rows = [{"prompt": before, "response": after} for before, after in read_texts()[:6]]
    rows += [{"prompt": rows[0]["prompt"], "response": " a place."}, {"prompt": "word " * 60, "response": " word"}]
    together, backwards = say(*rows), say(*rows[::-1])
    assert together.vectors is not None
    assert backwards.vectors is not None
    for row, alone in enumerate(say(fields) for fields in rows[:2]):
        np.testing.assert_allclose(together.scores[row, 0], alone.scores[0, 0], atol=1e-5, rtol=0)
    for mine, theirs in zip(together.vectors, backwards.vectors[::-1], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=5e-5, rtol=0)
    np.testing.assert_allclose(together.scores, backwards.scores[::-1], atol=1e-5, rtol=2e-6)


def test_dimensions_are_sums_over_the_vector(say: Ask) -> None:
    answer = say({"prompt": "The capital of France is", "response": " Paris."})
    assert answer.vectors is not None
    [logprobs] = answer.vectors
    assert answer.scores[0] == pytest.approx([logprobs.mean(), logprobs.sum(), len(logprobs)], rel=1e-6)
    assert len(logprobs) == 2
    assert logprobs[0] > -1.0


def test_a_prompt_and_its_chat_template_are_one(say: Ask) -> None:
    chat = [{"role": "user", "content": "What is 2+2?"}, {"role": "assistant", "content": "It is 4."}]
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    turns = f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n"
    answer = say({"messages": json.dumps(chat)}, {"prompt": turns, "response": "It is 4."})
    assert answer.scores[0] == pytest.approx(answer.scores[1], rel=1e-5)


def test_what_cannot_be_read_is_the_rows_error(say: Ask) -> None:
    answer = say(
        {"prompt": "a"},
        {"prompt": "a", "response": "word " * 100},
        {"messages": json.dumps([{"role": "user", "content": "Hi"}])},
        {"prompt": "word " * 100, "response": " word"},
    )
    codes = {row: why.partition(":")[0] for row, why in answer.errors.items()}
    assert codes == {0: "invalid_field", 1: "too_large", 2: "invalid_field"}
    assert np.isnan(answer.scores[:3]).all()
    assert np.isfinite(answer.scores[3]).all()
    assert answer.flags.tolist() == [0, 0, 0, 1]


def test_a_context_keeps_its_end_and_a_continuation_says_that_it_is_too_long(tokenizer: CausalTokenizer) -> None:
    long, cut = tokenizer.encode_context("one two three " * 20)
    assert cut
    assert len(long) == 16
    assert long[-3:] == tokenizer.encode_context("one two three ")[0][-3:]
    assert tokenizer.encode_continuation(" a b") == (tokenizer.encode_continuation(" a b c")[0][:2], False)
    assert tokenizer.encode_continuation("a b c d e f g h i j")[1]
    assert tokenizer.encode_continuation("") == ((), False)


def test_control_tokens_are_read_in_plain_texts_and_never_in_messages(tokenizer: CausalTokenizer) -> None:
    assert len(tokenizer.encode_continuation("<|im_end|>")[0]) == 1
    assert len(tokenizer.encode_continuation("<|im_end|>", control=False)[0]) > 1
    assert tokenizer.encode_context("")[0] == tokenizer.encode_context("<|endoftext|>")[0]
    [end] = tokenizer.encode_continuation("<|im_end|>")[0]
    assert tokenizer.encode_chat([Turn("system", "<|im_end|>")])[0].count(end) == 1, "the turn's own"


def test_the_card_claims_torch_and_sense() -> None:
    figures = json.loads((REPOSITORY / "language_model" / "evaluation.json").read_text())["quality"]
    assert figures["torch"]["largest_difference"] <= 1e-3
    found = figures["continuations"]
    assert found["texts"] >= 30
    assert found["own_nll"] < found["off_topic_nll"] < found["scrambled_nll"]
    assert min(found["own_over_off_topic"], found["off_topic_over_scrambled"]) >= 0.9
