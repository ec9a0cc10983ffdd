"""Tool calls are a part of their turn: rendered by a chat template that has a form for them, else written as JSON."""

import json
from typing import Any

import pytest
from reward_models.runtime.chat import read_exchange, split_answer
from reward_models.runtime.conversation import read_conversation
from reward_models.runtime.template import ChatTemplate

CALL = {"id": "c1", "type": "function", "function": {"name": "rm", "arguments": '{"path": "/tmp/a.txt", "n": 2}'}}
WRITTEN = '{"name": "rm", "arguments": {"path": "/tmp/a.txt", "n": 2}}'
OTHER = {"type": "function", "function": {"name": "ls", "arguments": {}}}

PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}"
HERMES = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content or '' }}{% for c in m.tool_calls or [] %}"
    "<call>{{ {'name': c.function.name, 'arguments': c.function.arguments} | tojson }}</call>{% endfor %}</>"
    "{% endfor %}"
)
JOINS_TEXT = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content or '' }}{% for c in m.tool_calls or [] %}"
    "{{ '<call>' + c.function.name + ' ' + c.function.arguments + '</call>' }}{% endfor %}</>{% endfor %}"
)
CALLS_HIDE_TEXT = (
    "{% for m in messages %}<{{ m.role }}>{% if m.tool_calls %}{{ m.tool_calls[0].function | tojson }}"
    "{% else %}{{ m.content }}{% endif %}</>{% endfor %}"
)
ONE_CALL_ALONE = (
    "{% for m in messages %}{% if m.tool_calls and m.tool_calls | length > 1 %}{{ raise_exception('one') }}{% endif %}"
    "<{{ m.role }}>{{ m.content or '' }}{% if m.tool_calls %}{{ m.tool_calls[0].function | tojson }}{% endif %}</>"
    "{% endfor %}"
)


def dumped(*turns: dict[str, Any]) -> str:
    return json.dumps([{"role": "user", "content": "Delete it"}, *turns])


def said(content: str | None = None, *calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def render(source: str, *turns: dict[str, Any]) -> str:
    return ChatTemplate(source, {}, "2024-07-26").render_messages(read_conversation("", "", dumped(*turns)).messages)


@pytest.mark.parametrize("call", [CALL, CALL["function"], {"name": "rm", "parameters": {"path": "/tmp/a.txt", "n": 2}}])
def test_a_turn_that_holds_only_a_call_is_a_response(call: Any) -> None:
    assert read_exchange("", "", dumped(said(None, call))).response == WRITTEN


def test_calls_follow_the_text_of_their_turn_and_several_are_a_list() -> None:
    asked = read_exchange("", "", dumped(said("Gone:", CALL), {"role": "tool", "content": "ok"}, said("!"))).prompt
    assert f"Assistant: Gone:\n{WRITTEN}" in asked
    assert "Tool: ok" in asked
    _, response, _ = split_answer("", "", dumped(said(None, CALL, OTHER)))
    assert response == f'[{WRITTEN}, {{"name": "ls", "arguments": {{}}}}]'


@pytest.mark.parametrize(
    "call", [{"type": "custom", "custom": {"name": "sh", "input": "rm /"}}, [[]], "x", {"a": 1}, 5]
)
def test_a_call_of_any_form_is_seen(call: Any) -> None:
    written = read_exchange("", "", dumped(said(None, call))).response
    assert ("rm /" in written) if isinstance(call, dict) and "custom" in call else json.loads(written) == call


def test_arguments_that_are_no_json_stay_as_they_are() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": '{"cut'}}
    assert json.loads(read_exchange("", "", dumped(said(None, call))).response)["arguments"] == '{"cut'


def test_a_template_that_has_a_form_writes_the_calls() -> None:
    assert render(HERMES, said("Ok.", CALL)) == f"<user>Delete it</><assistant>Ok.<call>{WRITTEN}</call></>"
    assert render(JOINS_TEXT, said("", CALL)).endswith('<call>rm {"path": "/tmp/a.txt", "n": 2}</call></>')


@pytest.mark.parametrize(
    ("source", "turn"),
    [
        (PLAIN, said("Ok.", CALL)),
        (CALLS_HIDE_TEXT, said("Ok.", CALL)),
        (ONE_CALL_ALONE, said("Ok.", CALL, OTHER)),
    ],
)
def test_calls_for_which_a_template_has_no_form_are_json_below_the_text(source: str, turn: dict[str, Any]) -> None:
    rendered = render(source, turn)
    assert "<assistant>Ok.\n" in rendered
    assert WRITTEN in rendered


def test_a_call_cannot_hide_behind_words_that_stand_elsewhere() -> None:
    call = {"type": "function", "function": {"name": "user", "arguments": {"it": "Delete"}}}
    assert '{"name": "user", "arguments": {"it": "Delete"}}' in render(PLAIN, said("Delete it", call))


def test_a_template_without_a_form_still_gets_a_turn_that_holds_only_calls() -> None:
    assert render(PLAIN, said(None, CALL)) == f"<user>Delete it</><assistant>{WRITTEN}</>"


@pytest.mark.parametrize("source", [PLAIN, HERMES, JOINS_TEXT, CALLS_HIDE_TEXT])
@pytest.mark.parametrize("content", ["Ok.", ""])
def test_the_place_of_an_answer_has_its_calls_in_it(source: str, content: str) -> None:
    messages = read_conversation("", "", dumped(said(content, CALL))).messages
    text, start, stop = ChatTemplate(source, {}, "2024-07-26").locate_answer(messages)
    assert "/tmp/a.txt" in text[start:stop]
    assert text[:start] == "<user>Delete it</><assistant>"
    assert text[stop:] == "</>"


def test_conversations_without_calls_render_as_before() -> None:
    turn = {"role": "assistant", "content": "Ok."}
    assert render(HERMES, turn) == render(PLAIN, turn) == "<user>Delete it</><assistant>Ok.</>"


def test_different_calls_are_different_answers() -> None:
    paths = ("/", "/tmp/a.txt")
    calls = [{"type": "function", "function": {"name": "rm", "arguments": {"path": path}}} for path in paths]
    for source in (PLAIN, HERMES, JOINS_TEXT, CALLS_HIDE_TEXT):
        assert len({render(source, said(None, *chosen)) for chosen in ([], [calls[0]], [calls[1]], calls)}) == 4
