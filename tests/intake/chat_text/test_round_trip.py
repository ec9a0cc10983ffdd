"""What a template renders is read back: the same messages, up to what the template itself loses."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.intake.chat_text import read_response, read_whole
from reward_gateway.intake.chat_text.chat_format import Turn
from reward_gateway.intake.chat_text.query import read_query
from reward_gateway.intake.chat_text.reader import ChatText

from .templates import RENDERINGS, Message, Rendering, expected_of

MARKS = (
    "<|im_end|>",
    "<|im_start|>assistant\n",
    "<|eot_id|>",
    "<|start_header_id|>user<|end_header_id|>\n\n",
    "[/INST]",
    "<end_of_turn>\n<start_of_turn>model\n",
    "<|end|>",
    "<|user|>\n",
    "</s>",
    "<｜Assistant｜>",
    "<|END_OF_TURN_TOKEN|>",
    "<|end_of_text|>",
    "\n\nHuman: ",
    "\n\nAssistant: ",
    " ASSISTANT: ",
    "### Response:\n",
    "<|start|>assistant<|channel|>final<|message|>",
    "<think>",
)
WORDS = st.text(st.sampled_from("ab é名.,\n\"'{}<>|"), max_size=12)
EXAMPLES = settings(max_examples=25, deadline=None, database=None)


@st.composite
def contents(draw: st.DrawFn, rendering: Rendering) -> str:
    """Words around marks of other formats; empty, too."""
    pieces = [draw(WORDS)]
    if draw(st.booleans()):
        marks = [mark for mark in MARKS if not any(own in mark or mark in own for own in rendering.own)]
        pieces += [draw(st.sampled_from(marks)), draw(WORDS)]
        if not rendering.closed:
            pieces.append("z")  # without an end mark of its own, marks at the very end are not its content's
    text = "".join(pieces)
    for own in rendering.own:
        text = text.replace(own, "")
    text = text if rendering.closed else text.strip()
    return text or ("e" if rendering.silent else "")


@st.composite
def conversations(draw: st.DrawFn, rendering: Rendering) -> list[Message]:
    """A system turn, where the template has one, and one to three exchanges, with turns of tools."""
    said = contents(rendering)
    messages: list[Message] = []
    if rendering.system != "none" and draw(st.booleans()):
        messages.append({"role": "system", "content": "s" + draw(said)})
    for _ in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(said)})
        if rendering.tools and draw(st.booleans()):
            messages.append({"role": "assistant", "content": "call"})
            messages += [{"role": "tool", "content": draw(said)} for _ in range(draw(st.integers(1, 2)))]
        messages.append({"role": "assistant", "content": draw(said)})
    return messages


def plain(turns: Sequence[Turn] | None) -> list[Message]:
    return [{"role": turn.role, "content": turn.content} for turn in turns or ()]


def answer_of(text: ChatText) -> str:
    assert text.answer is not None
    return text.answer.content


@pytest.fixture(params=RENDERINGS, ids=lambda rendering: rendering.name)
def rendering(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_whole_text_is_read_back(rendering: Rendering) -> None:
    @EXAMPLES
    @given(conversations(rendering))
    def read_back(messages: list[Message]) -> None:
        expected = expected_of(rendering, messages)
        for choice in ("auto", rendering.chat_format):
            found = read_whole(rendering.render(messages), choice)
            assert plain(found.turns) == expected[:-1]
            assert answer_of(found) == expected[-1]["content"]
            assert "prompt_truncated" not in found.flags

    read_back()


def test_prompt_and_response_apart_and_in_one_are_read_as_the_whole_is(rendering: Rendering) -> None:
    @EXAMPLES
    @given(conversations(rendering))
    def read_apart(messages: list[Message]) -> None:
        expected = expected_of(rendering, messages)
        prompt, response = rendering.render(messages[:-1], generate=True), expected[-1]["content"]
        for found in (
            read_response(prompt, response + rendering.end),
            read_query(prompt + response + rendering.end, prompt),
            read_query("<pad><pad>" + prompt + response + rendering.end, prompt),
        ):
            assert plain(found.turns) == expected[:-1]
            assert answer_of(found) == response
            assert "prompt_truncated" not in found.flags

    read_apart()


def test_a_prompt_that_was_cut_in_the_query_is_the_one_that_was_given(rendering: Rendering) -> None:
    messages = [
        {"role": "user", "content": ("a long question " * 20).strip()},
        {"role": "assistant", "content": "an answer"},
    ]
    prompt = rendering.render(messages[:-1], generate=True)
    for cut in range(120, len(prompt) - 20, 7):
        found = read_query(prompt[cut:] + "an answer" + rendering.end, prompt)
        assert plain(found.turns) == expected_of(rendering, messages)[:-1]
        assert (answer_of(found), found.flags) == ("an answer", ("prompt_truncated",))


def test_a_whole_text_that_was_cut_keeps_what_is_left_as_the_users_words(rendering: Rendering) -> None:
    if rendering.chat_format in ("vicuna", "alpaca", "hh_rlhf", "human_assistant"):
        pytest.skip("ordinary words mark the format, at the start alone")
    messages = [{"role": "user", "content": "who?\nand what is the capital"}, {"role": "assistant", "content": "Paris"}]
    text = rendering.render(messages)
    found = read_whole(text[text.index("what is") :])
    assert [(turn["role"], turn["content"].strip()) for turn in plain(found.turns)] == [("user", "what is the capital")]
    assert (answer_of(found), found.flags) == ("Paris", ("prompt_truncated",))


def test_a_policy_that_closes_its_turn_and_opens_a_better_one_has_said_both(rendering: Rendering) -> None:
    question = [{"role": "user", "content": "2 + 2?"}]
    prompt = rendering.render(question, generate=True)
    response = f"bad{rendering.end}\n{rendering.header}better"
    apart = read_response(prompt, response + rendering.end)
    assert answer_of(apart).startswith("bad")
    assert answer_of(apart).endswith("better")
    if rendering.end:
        assert apart.flags == ("template_marks",)
    whole = read_whole(prompt + response + rendering.end)
    if rendering.chat_format not in ("hh_rlhf", "vicuna", "alpaca") and rendering.header:
        assert answer_of(whole) == answer_of(apart)
        assert whole.flags == ("template_marks",)


def test_the_header_of_a_turn_that_was_never_filled_is_no_response(rendering: Rendering) -> None:
    messages = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]
    text = rendering.render(messages, generate=True)
    if text != rendering.render(messages):
        assert answer_of(read_whole(text)) == "4"
