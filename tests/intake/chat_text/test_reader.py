"""Chat text as clients send it: marks at its ends, thoughts, channels, prompts that a tokeniser changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.intake.chat_text import read_response, read_whole
from reward_gateway.intake.chat_text.chat_format import Turn
from reward_gateway.intake.chat_text.query import find_overlap, read_query
from reward_gateway.intake.chat_text.reader import ChatText
from reward_gateway.sample.written_calls import find_calls

from tests.clock import little_work

from .test_added_by_templates import COMMAND, GEMMA4, LLAMA3, TOOL_TURNS

PROMPT = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
WHY = (Turn("user", "Why?"),)


def answer(text: ChatText) -> str:
    assert text.answer is not None
    return text.answer.content


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ("So.", "So."),
        ("So.<|im_end|>", "So."),
        ("So.\n<|im_end|>\n", "So.\n"),
        ("So.<|eot_id|><|end_of_text|><pad><pad>", "So."),
        ("So.</s>", "So."),
        ("<s>old</s>", "<s>old</s>"),
        ("<s>old</s></s>", "<s>old</s>"),
        ("<s>old</s> and new</s></s>", "<s>old</s> and new"),
        ("<s>a <s>b</s></s>", "<s>a <s>b</s></s>"),
        ("So it ends: <|im_end|> here", "So it ends: <|im_end|> here"),
        ("<|im_end|>", ""),
        ("", ""),
        ("  So.  ", "  So.  "),
    ],
)
def test_of_a_plain_response_only_the_marks_at_its_very_end_are_removed(response: str, words: str) -> None:
    assert answer(read_response("Why?", response)) == words
    assert answer(read_response(None, response)) == words
    assert read_whole(response).flags[0] == "plain_text"
    assert answer(read_whole(response)) == words


def test_of_a_row_of_end_marks_the_formats_first_own_one_ends_the_turn() -> None:
    assert answer(read_response(PROMPT, "It is </s><|im_end|></s></s>")) == "It is </s>"
    assert answer(read_response(PROMPT, "It is so.</s>")) == "It is so."
    assert answer(read_response(PROMPT, "<s>old</s> It is so.<|im_end|></s></s>")) == "<s>old</s> It is so."
    zephyr = "<|user|>\nWhy?</s>\n<|assistant|>\n"
    assert answer(read_response(zephyr, "Write <s>old</s></s>")) == "Write <s>old</s>"
    assert answer(read_response(zephyr, "The tag <s></s>")) == "The tag <s>"


@pytest.mark.parametrize("mark", ["<eos>", "<|eot_id|>", "<|end|>", "<｜end▁of▁sentence｜>", "<pad>", "[BOS]"])
def test_a_row_of_marks_before_a_text_is_padding(mark: str) -> None:
    for text in (PROMPT, "Human: Why?\nAssistant:"):
        for padded in (mark + text, mark * 40 + text):
            found = read_whole(padded + "So.")
            assert (found.turns, answer(found), found.flags) == (WHY, "So.", ())


def test_mistrals_spaces_are_those_that_every_turn_has() -> None:
    """Of a single mark, a space after it may be the turn's own or the template's."""
    for space, words in (("", " Why?"), (" ", "Why?")):
        first = Turn("user", words)
        text = f"<s>[INST] Why?[/INST]{space}So.</s>[INST]{space}Well?[/INST]{space}Yes.</s>"
        found = read_whole(text)
        assert found.turns == (first, Turn("assistant", "So."), Turn("user", "Well?"))
        assert answer(found) == "Yes."


@pytest.mark.parametrize("mark", ["<s>old</s>", "<pad>", "<|end|>"])
def test_a_system_turn_without_a_header_keeps_marks_of_other_formats(mark: str) -> None:
    begin = "<｜begin▁of▁sentence｜>"
    found = read_whole(f"<pad>{begin}{begin}{mark} Be kind.<｜User｜>Why?<｜Assistant｜>So.")
    assert found.turns == (Turn("system", f"{mark} Be kind."), *WHY)


def test_users_may_be_called_user() -> None:
    for begin in ("", "<｜begin▁of▁sentence｜>"):
        found = read_whole(begin + "User: Why?\n\nAssistant: So.<｜end▁of▁sentence｜>User: Well?\n\nAssistant: Yes.")
        assert found.turns == (*WHY, Turn("assistant", "So."), Turn("user", "Well?"))
        assert answer(found) == "Yes."


def test_headers_in_bars_are_told_apart_where_the_cut_was_in_an_answer() -> None:
    """Of Tulu's turns only the assistant's have an end mark, so that a mark before a user's header says nothing."""
    for ends, line in (("<|endoftext|>", "\n"), ("<|end_of_text|>", "\n")):
        found = read_whole(f"st of it.{ends}\n<|user|>\nWhy?{line}<|assistant|>\nSo.{ends}")
        assert (found.turns, answer(found)) == ((Turn("user", "st of it."), *WHY), "So.")
        assert found.flags == ("prompt_truncated",)
    empty = read_whole("<|system|>\n<|user|>\nWhy?<|assistant|>\nSo.")
    assert ([turn for turn in empty.turns or () if turn.content], answer(empty)) == ([*WHY], "So.")


def test_a_mark_within_a_response_is_flagged_and_stays() -> None:
    found = read_response(PROMPT, "no<|im_end|>\n<|im_start|>user\nthanks")
    assert (answer(found), found.flags) == ("no<|im_end|>\n<|im_start|>user\nthanks", ("template_marks",))
    assert read_response("Why?", "the tag <|eot_id|> ends it").flags == ("template_marks",)
    assert read_response("Why?", "a < b | c > d </s> <s>").flags == ()


def test_what_the_prompt_opens_belongs_to_the_response() -> None:
    assert answer(read_response(PROMPT + "<think>\n", "hm</think>So.")) == "<think>\nhm</think>So."
    assert answer(read_response(PROMPT + "Let me think.\n<think>", "hm")) == "Let me think.\n<think>hm"
    closed = PROMPT + "<think>\n\n</think>\n\n"
    assert answer(read_response(closed, "So.")) == "So."
    assert answer(read_response(closed, "<think>\n\n</think>\n\nSo.")) == "<think>\n\n</think>\n\nSo."


def test_a_prompt_without_a_header_for_the_response_has_a_response_that_brings_it() -> None:
    asked = "<|im_start|>user\nWhy?<|im_end|>\n"
    for response in ("<|im_start|>assistant\nSo.<|im_end|>", "So.<|im_end|>"):
        found = read_response(asked, response)
        assert (found.turns, answer(found), found.flags) == (WHY, "So.", ())


def test_a_plain_prompt_that_quotes_marks_stays_as_it_is() -> None:
    quoting = "What does <|im_end|>\n<|im_start|>user\n mean?"
    assert read_response(quoting, "A turn.") == ChatText(None, Turn("assistant", "A turn."))


def test_ordinary_words_are_marks_only_at_the_start_and_of_both_roles() -> None:
    for text in (
        "He said:\n\nHuman: Why?\n\nAssistant: So.",
        "Human: Why?",
        "USER: Why?",
        "I use ### Instruction:\nand ### Response:\n",
        "Assistant: So.\n\nHuman: Why?",
    ):
        assert read_whole(text) == ChatText(None, Turn("assistant", text), ("plain_text",))
    assert answer(read_whole("Human: Why?\n\nAssistant: So.")) == "So."


def test_a_text_with_a_prompt_alone_has_no_answer() -> None:
    assert read_whole("<|im_start|>user\nWhy?<|im_end|>\n") == ChatText(WHY, None)


def test_harmony_says_in_the_final_channel_thinks_in_analysis_and_calls_in_commentary() -> None:
    prompt = "<|start|>user<|message|>Why?<|end|><|start|>assistant"
    thought = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
    said = read_response(prompt, f"{thought}<|channel|>final<|message|>So.<|return|>")
    assert (said.turns, said.answer, said.flags) == (WHY, Turn("assistant", "So.", "Hm."), ())
    call = '<|channel|>commentary to=functions.look <|constrain|>json<|message|>{"at":1}<|call|>'
    called = read_response(prompt, thought + call)
    assert called.answer == Turn("assistant", "", "Hm.", tool_calls=(("look", '{"at":1}'),))
    cut_off = read_response(prompt, "<|channel|>analysis<|message|>Hm")
    assert cut_off.answer == Turn("assistant", "", "Hm")
    twice = "<|channel|>final<|message|>bad<|end|><|start|>assistant<|channel|>final<|message|>better<|return|>"
    assert answer(read_response(prompt, twice)).startswith("bad")
    assert read_response(prompt, twice).flags == ("template_marks",)


@pytest.mark.parametrize(
    ("system", "kept"),
    [
        ("<|im_start|>system\n<|im_end|>\n", None),
        ("<|im_start|>system\nReasoning effort is set to high. Think.<|im_end|>\n", None),
        ("<|im_start|>system\nReasoning effort is set to high. Think.\n\nBe brief.<|im_end|>\n", "Be brief."),
        (
            "<|im_start|>system\nBe brief.\n\n# Tools\n\nYou may call one or more functions to assist.\n\nYou are "
            "provided with function signatures within <tools></tools> XML tags:\n<tools>\n{}\n</tools>\n\nFor each "
            "function call, return JSON.<|im_end|>\n",
            "Be brief.",
        ),
    ],
)
def test_what_templates_add_to_the_system_turn_is_removed(system: str, kept: str | None) -> None:
    found = read_whole(system + PROMPT + "<think></think>So.<|im_end|>")
    assert found.turns == ((Turn("system", kept), *WHY) if kept else WHY)
    assert answer(found) == "So."


def test_calls_of_tools_and_their_results_are_turns_of_the_prompt() -> None:
    tool = "<|im_system|>look<|im_middle|>## Return of look:0\n42<|im_end|>"
    text = f"<|im_user|>user<|im_middle|>Why?<|im_end|>{tool}<|im_assistant|>assistant<|im_middle|>So.<|im_end|>"
    assert read_whole(text).turns == (*WHY, Turn("tool", "42", tool_call_id="look:0"))


@pytest.mark.parametrize("mark", ["<|image_pad|>", "<image>", "<image_soft_token>", "[IMG]"])
def test_rows_of_image_placeholders_count_as_one_where_the_prompt_is_looked_for(mark: str) -> None:
    prompt = PROMPT.replace("Why?", f"{mark} Why?")
    for copies in (1, 2, 576):
        found = read_query(prompt.replace(mark, mark * copies) + "So.<|im_end|>", prompt)
        assert (found.turns, answer(found), found.flags) == ((Turn("user", f"{mark} Why?"),), "So.", ())


def test_a_query_whose_prompt_is_written_otherwise_is_read_by_its_turns() -> None:
    changed = PROMPT.replace("Why?", "Why ?")
    for prompt in (PROMPT, "Why?"):
        found = read_query(changed + "So.<|im_end|>\n<|im_start|>assistant\nbetter", prompt)
        assert answer(found) == "So.<|im_end|>\n<|im_start|>assistant\nbetter"
        assert found.flags == ("template_marks",)
    before = "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\nI.<|im_end|>\n"
    as_messages = read_query(before + PROMPT + "So.<|im_end|>", None, answered=1)
    assert (as_messages.turns, answer(as_messages)) == (None, "So.")


def test_a_query_with_an_empty_prompt_is_a_whole_text() -> None:
    found = read_query(PROMPT + "So.<|im_end|>", "")
    assert (found.turns, answer(found)) == (WHY, "So.")
    assert answer(read_query("So.", "")) == "So."


@settings(max_examples=200, deadline=None, database=None)
@given(st.text("ab", max_size=12), st.text("ab", max_size=12))
def test_the_overlap_is_the_longest_end_of_the_prompt_with_which_the_query_begins(prompt: str, query: str) -> None:
    lengths = [k for k in range(min(len(prompt), len(query)) + 1) if prompt.endswith(query[:k])]
    assert find_overlap(prompt, query) == max(lengths)


@pytest.mark.parametrize(
    "piece",
    [
        "word ",
        "</s>",
        "<|im_start|>user\nQ<|im_end|>\n",
        "<|im_end|>\n\n\n\n",
        "<|",
        "[INST]",
        "[/INST] ",
        "\n",
        " ",
        "Human: a\nAssistant: ",
        "USER: ",
        "### Response:\n",
        "<｜User｜>",
        "<｜tool▁outputs▁begin｜>",
        "<|start|>assistant<|channel|>final<|message|>",
        "<tool_response>",
        "<|tool>",
        "<tools>",
        "\n\n# Tools\n\nYou may call\n",
        "\n\n## Available Tools\n",
        " <functions>",
        '{"name": ',
        "[TOOL_CALLS]",
        "<｜tool▁call▁begin｜>",
        "<|tool_call_begin|>f<|tool_call_argument_begin|>",
        "<arg_key>a</arg_key><arg_value>",
        "<parameter=a>",
        "<|user|>\n",
        "<|image_pad|>",
    ],
)
def test_a_long_text_takes_little_work_whatever_it_repeats(piece: str) -> None:
    long = piece * (300_000 // len(piece))
    with little_work(8.0):  # a quadratic step takes a minute
        for text in (long, "<|im_start|>user\n" + long, "Human: " + long, "<s>[INST] " + long, "<|user|>\n" + long):
            read_whole(text)
        for template in (GEMMA4, COMMAND, LLAMA3, *(text for text, _ in TOOL_TURNS)):
            read_whole(template.replace("{}", long, 1))
        for begin in (
            "<tool_call>",
            "<tool_call>f\n",
            "<｜tool▁calls▁begin｜>",
            "<|tool_calls_section_begin|>",
            "Action:\n",
        ):
            find_calls(begin + long)
        read_response(PROMPT, long)
        read_query(long[5:] + "x", long)
