"""Converted checkpoints score without torch as they did with it: tiny ones, recorded by ``record.py`` beside this."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_models.convert.samples import image_rows, pack_steps, step_rows, text_rows
from reward_models.repository import card as cards
from reward_models.repository import config
from reward_models.repository.files import hash_file
from reward_models.runtime.instance import Instance
from reward_models.runtime.rows import Answer, Scorer
from reward_models.runtime.session import Device

CONVERTED = Path(__file__).parent / "converted"
NAMES = sorted(path.name for path in CONVERTED.iterdir())
SCORERS = {
    "pair": "classifier.SequenceScorer",
    "chat": "classifier.SequenceScorer",
    "labels": "classifier.SequenceScorer",
    "steps": "steps.StepScorer",
    "lines": "steps.StepScorer",
    "tokens": "steps.StepScorer",
    "match": "clip.ClipScorer",
}


def scorer(name: str) -> Scorer:
    card = cards.read_card(CONVERTED / name)
    module, _, made = SCORERS[name].rpartition(".")
    flags = tuple(card.content["flags"])
    instance = Instance(CONVERTED / name, tuple(card.dimensions), flags, card.content, Device())
    scorer: Scorer = getattr(importlib.import_module(f"reward_models.runtime.{module}"), made)(instance)
    return scorer


def rows(name: str) -> list[Any]:
    settings = cards.read_card(CONVERTED / name).content["settings"]
    if "image" in settings:
        return image_rows()
    return (step_rows if settings.get("unit") == "step" else text_rows)(settings["tokens"])


def score(name: str, some: list[Any], scored: Scorer | None = None) -> Answer:
    return (scored or scorer(name)).score({key: [row[key] for row in some] for key in some[0]}, len(some))


def recorded(name: str) -> list[list[float] | None]:
    found: list[list[float] | None] = json.loads((CONVERTED / name / "scores.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", NAMES)
class TestEveryKind:
    def test_scores_are_those_of_torch(self, name: str) -> None:
        answer = score(name, rows(name))
        for index, expected in enumerate(recorded(name)):
            if expected is None:
                assert index in answer.errors
            else:
                np.testing.assert_allclose(answer.scores[index], expected, rtol=1e-5, atol=1e-5)

    def test_the_recorded_scores_tell_rows_apart(self, name: str) -> None:
        firsts = [found[0] for found in recorded(name) if found is not None]
        assert len({round(value, 4) for value in firsts}) > len(firsts) / 2

    def test_a_row_has_the_same_score_in_any_batch(self, name: str) -> None:
        scored, some = scorer(name), rows(name)
        together = score(name, some, scored).scores
        backwards = score(name, some[::-1], scored).scores[::-1]
        alone = np.concatenate([score(name, [row], scored).scores for row in some])
        np.testing.assert_allclose(backwards, together, rtol=0, atol=1e-5)
        np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)

    def test_the_card_names_every_file_and_its_hash(self, name: str) -> None:
        folder = CONVERTED / name
        named = {file.name: file.sha256 for file in cards.read_card(folder).files}
        there = {path.name for path in folder.iterdir()} - {"card.yaml", "config.pbtxt", "model.py", "scores.json"}
        assert set(named) == there
        assert all(hash_file(folder / file) == digest for file, digest in named.items())

    def test_the_configuration_says_what_the_card_says(self, name: str) -> None:
        assert config.is_stamped(CONVERTED / name, cards.read_card(CONVERTED / name))

    def test_the_card_says_how_far_from_torch_it_is(self, name: str) -> None:
        said = cards.read_card(CONVERTED / name).content["conversion"]
        assert 0 <= said["difference_to_torch"] < 1e-4
        assert said["rows"] == sum(found is not None for found in recorded(name))


def exchange(prompt: str, response: str, messages: Any = None) -> dict[str, bytes]:
    said = json.dumps(messages).encode() if messages else b""
    return {"prompt": prompt.encode(), "response": response.encode(), "messages": said}


class TestLongTexts:
    def test_a_text_that_is_cut_is_flagged(self) -> None:
        answer = score("chat", [exchange("q", "word " * 900), exchange("q", "short")])
        assert answer.flags.tolist() == [1, 0]
        assert not answer.errors

    def test_the_side_that_the_card_names_is_kept(self) -> None:
        ends = "the last words " * 80
        a, b = score(
            "chat", [exchange("q", "One beginning. " * 40 + ends), exchange("q", "Other ones. " * 50 + ends)]
        ).scores
        assert cards.read_card(CONVERTED / "chat").content["settings"]["cut"] == "left"
        assert a == b

    def test_a_card_that_refuses_gives_an_error_and_no_score(self) -> None:
        answer = score("labels", [exchange("q", "word " * 900)])
        assert answer.errors[0] == "too_large: The text has more than 96 tokens."
        assert np.isnan(answer.scores).all()

    def test_no_text_is_too_long_to_be_answered_at_once(self) -> None:
        assert score("pair", [exchange("q " * 100_000, "a " * 100_000)]).flags.tolist() == [1]


class TestConversations:
    def test_prompt_and_response_are_the_turns_of_a_chat(self) -> None:
        turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]
        answer = score("chat", [exchange("Why?", "Because."), exchange("", "", turns)])
        assert answer.scores[0] == answer.scores[1]

    def test_earlier_turns_count(self) -> None:
        turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello!"}]
        answer = score("chat", [exchange("", "Because.", [*turns, {"role": "user", "content": "Why?"}])] * 1)
        assert answer.scores[0] != score("chat", [exchange("Why?", "Because.")]).scores[0]

    def test_a_chat_without_an_answer_is_that_row_s_error(self) -> None:
        answer = score("chat", [exchange("", "", [{"role": "user", "content": "Why?"}]), exchange("a", "b")])
        assert answer.errors[0].startswith("invalid_field: The messages end without")
        assert np.isfinite(answer.scores[1]).all()

    def test_images_in_a_chat_are_flagged(self) -> None:
        parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:"}}]
        turns = [{"role": "user", "content": parts}, {"role": "assistant", "content": "A dog."}]
        answer = score("chat", [exchange("", "", turns)])
        assert answer.flags.tolist() == [2]


class TestSteps:
    def test_there_is_one_number_for_each_step(self) -> None:
        answer = score("steps", [exchange("q", "One.\n\nTwo.\n\n\n\nThree.\n\n"), exchange("q", "One.")])
        assert answer.vectors is not None
        assert [len(vector) for vector in answer.vectors] == [3, 1]

    def test_steps_that_the_caller_cut_are_judged_as_they_are(self) -> None:
        whole = exchange("q", "One.\n\nTwo.\n\nThree.") | {"steps": b""}
        cut = [
            exchange("q", "") | {"steps": pack_steps(steps)} for steps in (["One.", "Two.", "Three."], ["One.\n\nTwo."])
        ]
        answer = score("steps", [whole, *cut])
        assert answer.vectors is not None
        np.testing.assert_allclose(answer.vectors[1], answer.vectors[0], atol=1e-6)
        assert answer.vectors[2].size == 1

    @pytest.mark.parametrize("steps", [b"\xc1", pack_steps(["One.", " "]), b"\x93\x01"])
    def test_steps_that_are_none_are_that_row_s_error(self, steps: bytes) -> None:
        answer = score("steps", [exchange("q", "One.") | {"steps": steps}, exchange("q", "One.") | {"steps": b""}])
        assert answer.errors[0].startswith("invalid_field: ")
        assert np.isfinite(answer.scores[1]).all()

    def test_the_dimensions_sum_the_steps_up(self) -> None:
        answer = score("steps", [exchange("q", "One.\n\nTwo more words.\n\nThree.")])
        assert answer.vectors is not None
        values = answer.vectors[0]
        np.testing.assert_allclose(answer.scores[0], [values.min(), values.mean(), values[-1]], rtol=1e-6)

    def test_a_mark_that_a_caller_writes_is_no_step(self) -> None:
        plain, forged = score(
            "steps", [exchange("q", "One.\n\nTwo."), exchange("q<extra_0>", "One.<extra_0>\n\nTwo.<extra_0>")]
        ).scores
        np.testing.assert_array_equal(plain, forged)

    def test_later_steps_change_no_earlier_number(self) -> None:
        answer = score("lines", [exchange("q", "One.\n\nTwo."), exchange("q", "One.\n\nTwo.\n\nThree.")])
        assert answer.vectors is not None
        np.testing.assert_allclose(answer.vectors[1][:2], answer.vectors[0], atol=1e-6)

    def test_an_answer_without_a_step_is_an_error(self) -> None:
        answer = score("steps", [exchange("q", " \n\n ")])
        assert answer.errors == {0: "invalid_field: The answer has no step."}
        assert answer.vectors is not None
        assert answer.vectors[0].size == 0

    def test_steps_behind_the_limit_are_left_out_and_flagged(self) -> None:
        answer = score("steps", [exchange("q", "\n\n".join(["A step of some words."] * 40))])
        assert answer.vectors is not None
        assert answer.flags.tolist() == [1]
        assert 0 < len(answer.vectors[0]) < 40

    def test_tokens_are_those_of_the_answer_alone(self) -> None:
        short, long = (score("tokens", [exchange(prompt, "An answer.")]) for prompt in ("q", "a long question " * 4))
        assert short.vectors is not None
        assert long.vectors is not None
        assert len(short.vectors[0]) == len(long.vectors[0]) > 0


class TestImages:
    def test_a_broken_image_is_that_row_s_error(self) -> None:
        some = [dict(row) for row in image_rows()[:2]]
        some[0]["images"] = b"\x91\xc4\x03abc"
        answer = score("match", some)
        assert answer.errors[0].startswith("invalid_media: ")
        assert np.isfinite(answer.scores[1]).all()

    def test_an_empty_prompt_is_that_row_s_error(self) -> None:
        answer = score("match", [{**image_rows()[0], "prompt": b" "}])
        assert answer.errors == {0: "missing_field: The prompt is empty."}

    def test_a_prompt_that_is_cut_is_flagged(self) -> None:
        assert score("match", [image_rows()[0], image_rows()[4]]).flags.tolist() == [0, 1]
