"""operations/reading/reasoning.py: what is reasoning, and what is left as the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.reading.reasoning import Split, opens_reasoning, split_reasoning

from tests.clock import little_work

BLOCKS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<Think>", "</THINK>"),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("◁think▷", "◁/think▷"),
]


@pytest.mark.parametrize(("opening", "closing"), BLOCKS)
def test_a_block_is_reasoning_and_the_rest_is_final(opening: str, closing: str) -> None:
    assert split_reasoning(f"{opening}\nIt may be 5.\n{closing}\n\nIt is 4.") == Split("It may be 5.", "It is 4.")
    assert split_reasoning(f"It may be 5.{closing}It is 4.") == Split("It may be 5.", "It is 4.")
    assert split_reasoning(f"{opening}It may be 5.") == Split("It may be 5.", "", unfinished=True)
    assert opens_reasoning(f"<|im_start|>assistant\n{opening}\n")


@pytest.mark.parametrize(
    ("text", "reasoning", "final"),
    [
        ("<think>a</think>b<think>", "a", "b<think>"),  # a tag inside a line opens nothing
        ("<think>a</think>\n<think>b</think>\nc", "a\n\nb", "c"),
        ("<think>a</think> <think>b</think> c", "a\n\nb", "c"),
        ("Well.\n<think>a</think>\nb", "a", "Well.\n\nb"),
        ("<think>a <think> b</think> c</think> d", "a <think> b\n\nc", "d"),
        ("The tag `<think>` opens it, `</think>` ends it.", "", "The tag `<think>` opens it, `</think>` ends it."),
        ("```\n<think>\na\n</think>\n```\nb", "", "```\n<think>\na\n</think>\n```\nb"),
        ("~~~xml\n</think>\n~~~", "", "~~~xml\n</think>\n~~~"),
        ("<think>\n```\ncode</think>\nb", "```\ncode", "b"),  # a fence in reasoning hides no closing tag
        ("<think>\n```\ncode\n```</think>\nb", "```\ncode\n```", "b"),  # nor does the end of one
        ("<think>~~~\ncode\n~~~ </think>b", "~~~\ncode\n~~~", "b"),
        ("```\n```</think>\n```\nb", "", "```\n```</think>\n```\nb"),  # in an answer's block, it is text
        ("I say <reasoning>a</reasoning> and b", "", "I say <reasoning>a</reasoning> and b"),
        ("<think></think>4", "", "4"),
        ("no tags", "", "no tags"),
        (" spaces stay ", "", " spaces stay "),
        ("", "", ""),
    ],
)
def test_blocks_count_where_they_open_a_line(text: str, reasoning: str, final: str) -> None:
    split = split_reasoning(text)
    assert (split.reasoning.strip(), split.final, split.unfinished) == (reasoning, final, False)


def test_a_response_whose_prompt_opened_the_reasoning_has_no_answer_until_it_is_closed() -> None:
    assert split_reasoning("It may be 5.", opened=True) == Split("It may be 5.", "", unfinished=True)
    assert split_reasoning("It may be 5.</think>4", opened=True) == Split("It may be 5.", "4")
    assert split_reasoning("a <think> b</think>4", opened=True) == Split("a <think> b", "4")


@pytest.mark.parametrize(
    ("text", "split"),
    [
        (
            "<|channel|>analysis<|message|>May be 5.<|end|><|start|>assistant"
            "<|channel|>final<|message|>It is 4.<|return|>",
            Split("May be 5.", "It is 4."),
        ),
        ("<|channel|>analysis<|message|>May be 5.", Split("May be 5.", "", unfinished=True)),
        ("<|channel|>final<|message|>It is 4.", Split("", "It is 4.")),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary to=functions.f "
            '<|constrain|>json<|message|>{"x": 1}<|call|>',
            Split('a\n\n{"x": 1}', "", unfinished=True),
        ),
    ],
)
def test_the_channels_of_gpt_oss_are_read(text: str, split: Split) -> None:
    assert split_reasoning(text) == split


@pytest.mark.parametrize("prompt", ["", "What is 2 + 2?", "<think>a</think>", "Use <think> tags.", "think"])
def test_a_prompt_that_ends_in_anything_else_opens_nothing(prompt: str) -> None:
    assert not opens_reasoning(prompt)


PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "\n", "```", "`", "a", " ", "[THINK]", "[/THINK]", "</thought>", "42"])
)


@given(PIECES.map("".join), st.booleans())
def test_every_character_of_an_answer_stood_in_the_text(text: str, opened: bool) -> None:
    split = split_reasoning(text, opened=opened)
    assert len(split.final) + len(split.reasoning) <= len(text) + 2 * len(text)
    assert not split.unfinished or "42" not in split.final or "42" in text
    if not any(mark in text for mark in ("think", "THINK", "thought")) and not opened:
        assert split == Split("", text)


@given(st.text(), st.text())
def test_a_closed_block_never_reaches_the_answer(thought: str, answer: str) -> None:
    thought, answer = (text.replace("<", "").replace("[", "").replace("◁", "") for text in (thought, answer))
    assert split_reasoning(f"<think>{thought}</think>\n{answer}").final == answer.strip()


@pytest.mark.parametrize(
    "piece",
    ["<think>", "</think>", "`", "```\n", "<|channel|>", "<|channel|>a", "<", "~~~\n", "a [THINK]", "[THINK]\n"],
)
def test_hostile_texts_take_linear_time(piece: str) -> None:
    with little_work(1.0):
        split_reasoning(piece * (200_000 // len(piece)))
