"""The text models: the same score in any company, truncation said, a bad row alone in its error."""

import json
import random
from collections.abc import Callable

import numpy as np
import pytest
from reward_models.runtime.preference import PreferenceScorer
from reward_models.runtime.rows import Answer, Columns
from reward_models.train.data import load_probes

Ask = Callable[..., Answer]

TEXTS = [(pair.prompt, text) for pair in load_probes("benign")[:16] for text in (pair.better, pair.worse)]
LONG = " ".join(f"word{index}" for index in range(400))
ROWS = [*TEXTS, ("", "Yes."), ("Why?", ""), ("Why?", LONG), (LONG, "Because."), ("日本語で", "はい、どうぞ。")]


def columns(rows: list[tuple[str, str]]) -> Columns:
    return {"prompt": [prompt.encode() for prompt, _ in rows], "response": [text.encode() for _, text in rows]}


@pytest.mark.parametrize("seed", range(2))
def test_a_row_has_the_same_score_in_any_batch_and_order(forgetful: PreferenceScorer, seed: int) -> None:
    alone = np.array([forgetful.score(columns([row]), 1).scores[0] for row in ROWS])
    dice, order, found = random.Random(seed), list(range(len(ROWS))), np.full_like(alone, np.nan)
    dice.shuffle(order)
    while order:
        taken, order = order[: (size := dice.randint(1, 12))], order[size:]
        found[taken] = forgetful.score(columns([ROWS[index] for index in taken]), len(taken)).scores
    np.testing.assert_allclose(found, alone, atol=1e-5, rtol=0)


def test_a_remembered_text_scores_as_a_new_one(model: str, ask: Ask, forgetful: PreferenceScorer) -> None:
    first, second = (ask(model, ["Why?"], ["Because it is so."]).scores for _ in range(2))
    assert first == second
    assert first == pytest.approx(forgetful.score(columns([("Why?", "Because it is so.")]), 1).scores, abs=1e-5)


def test_a_text_over_the_limit_is_scored_and_flagged(model: str, ask: Ask) -> None:
    answer = ask(model, ["Why?", LONG, "Why?"], [LONG, "Because.", "Because."])
    assert answer.flags.tolist() == [1, 1, 0]
    assert np.isfinite(answer.scores).all()


def test_a_prompt_loses_its_beginning_and_a_response_its_end(model: str, ask: Ask) -> None:
    cut = ask(model, [f"early {LONG}", f"{LONG} late", LONG], ["Yes."] * 3).scores
    assert cut[0] == pytest.approx(cut[2], abs=1e-5)
    assert cut[1] != pytest.approx(cut[2], abs=1e-4)
    kept = ask(model, ["Why?"] * 3, [f"early {LONG * 2}", f"{LONG * 2} late", LONG * 2]).scores
    assert kept[1] == pytest.approx(kept[2], abs=1e-5)
    assert kept[0] != pytest.approx(kept[2], abs=1e-4)


def test_chat_scores_as_the_same_plain_text(model: str, ask: Ask) -> None:
    prompt, response = TEXTS[0]
    chat = json.dumps([{"role": "user", "content": prompt}, {"role": "assistant", "content": response}])
    answer = ask(model, [prompt, ""], [response, ""], ["", chat])
    assert answer.scores[0] == pytest.approx(answer.scores[1], abs=1e-5)


def test_a_row_that_cannot_be_read_is_alone_in_its_error(model: str, ask: Ask) -> None:
    answer = ask(model, ["Why?", ""], ["Because.", ""], ["", '[{"role": "user", "content": "secret"}]'])
    assert np.isfinite(answer.scores[0]).all()
    assert np.isnan(answer.scores[1]).all()
    assert list(answer.errors) == [1]
    assert answer.errors[1].startswith("invalid_field: ")
    assert "secret" not in answer.errors[1]


def test_images_in_chat_are_flagged_as_not_seen(model: str, ask: Ask) -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    chat = json.dumps([{"role": "user", "content": parts}, {"role": "assistant", "content": "A cat."}])
    assert ask(model, [""], [""], [chat]).flags.tolist() == [2]


def test_bytes_that_are_not_utf8_are_scored(forgetful: PreferenceScorer) -> None:
    answer = forgetful.score({"prompt": [b"\xff\xfe"], "response": [b"ok \xf0\x28"]}, 1)
    assert np.isfinite(answer.scores).all()
