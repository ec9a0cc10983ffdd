"""Responses in which a turn of a chat template begins or ends are flagged, whatever stands around them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.sample import Batch
from reward_gateway.sample.turn_marks import END_MARKS, TEMPLATE_MARKS, flag_template_marks, has_turn_marks

MARKS = [mark for mark in END_MARKS if mark != "</s>"] + ["[INST]", "<</SYS>>", "<｜User｜>", "<|im_start|>"]


def flagged(responses: list[Any]) -> list[int]:
    batch = Batch([""] * len(responses), [""] * len(responses), responses)
    flag_template_marks(batch)
    assert set(batch.flags.values()) <= {(TEMPLATE_MARKS,)}
    return sorted(batch.flags)


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_found_in_a_text_among_others(mark: str) -> None:
    assert flagged(["plain", f"an answer{mark}and on", "a > b | c ] d ｜ e", None, mark]) == [1, 4]


@given(st.lists(st.text(st.sampled_from("a<>|[]/｜INSTeos_"))))
def test_every_row_is_flagged_as_its_text_alone(texts: list[str]) -> None:
    assert flagged(list(texts)) == [row for row, text in enumerate(texts) if has_turn_marks(text)]


def test_of_chat_the_assistants_texts_are_searched() -> None:
    said = {"role": "assistant", "content": "done<|im_end|>"}
    parts = {"role": "assistant", "content": [{"type": "text", "text": "[INST]"}]}
    asked = {"role": "user", "content": "<|im_end|>"}
    assert flagged([[said], [asked], [asked, parts], []]) == [0, 2]
