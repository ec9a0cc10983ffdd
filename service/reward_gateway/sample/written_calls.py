"""The calls of tools that are written in a text, in the ways that chat templates and models write them.

A call is its name and its arguments: an object, or a text that should hold one as JSON.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Call = tuple[str, Any]
"""Name and arguments."""

_BLOCK = re.compile(r"\s*<tool_call>(.*?)</tool_call>", re.DOTALL)
_NAMED = re.compile(r"<function=([^>\n]{1,256})>(.*?)</function>\Z", re.DOTALL)
_PARAMETER = re.compile(r"\s*<parameter=([^>\n]{1,256})>\n?(.*?)\n?</parameter>", re.DOTALL)
_ARGUMENT = re.compile(r"\s*<arg_key>([^<]{1,256})</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
_MISTRAL = re.compile(r"(?:\[TOOL_CALLS\])?([^\[\]{}]{1,256})(?:\[CALL_ID\][^\[\]{}]{1,256})?\[ARGS\]")
_DEEPSEEK = re.compile(
    r"\s*<｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>([^\n]{1,256})\n```json\n(.*?)\n```|(.{1,256}?)<｜tool▁sep｜>(.*?))"
    r"<｜tool▁call▁end｜>",
    re.DOTALL,
)
_KIMI = re.compile(
    r"\s*<\|tool_call_begin\|>(?:functions\.)?([^<]{1,256}?)(?::\d+)?<\|tool_call_argument_begin\|>(.*?)<\|tool_call_end\|>",
    re.DOTALL,
)
_PYTHON = re.compile(r"\A\s*(?:<\|python_tag\|>|<\|python_start\|><\|python_end\|>)?")
_PLAN = re.compile(r"<\|(?:START|END)_THINKING\|>")
"""Command's marks around what it plans to do."""
_decoder = json.JSONDecoder()


class _NoCalls(ValueError):
    """The text only looks like calls."""


def find_calls(words: str) -> tuple[str, list[Call]] | None:
    """What a turn says before its calls, and the calls; None if it ends with none."""
    mark, read = next(((mark, read) for mark, read in _READERS if mark in words), ("", _read_llama))
    place = words.find(mark)
    try:
        calls = read(words[place:])
    except (ValueError, RecursionError):
        return None
    return _PLAN.sub("", words[:place]).rstrip("\n"), calls


def _call(name: Any, arguments: Any) -> Call:
    if not isinstance(name, str):
        raise _NoCalls
    return name, arguments


def named_calls(listed: Any) -> list[Call]:
    """The calls of an object, or a list of objects, with a name and arguments. Raises ValueError if one is no call."""
    calls = listed if isinstance(listed, list) else [listed]
    if not calls or not all(isinstance(call, dict) for call in calls):
        raise _NoCalls
    return [
        _call(
            call.get("name", call.get("tool_name")),
            next((call[key] for key in ("arguments", "parameters") if key in call), {}),
        )
        for call in calls
    ]


def _read_blocks(text: str) -> list[Call]:
    """``<tool_call>``, around JSON or XML."""
    calls, place = [], 0
    for block in _iterate(_BLOCK, text):
        calls += read_block(block[1])
        place = block.end()
    return _all_read(calls, text[place:])


def _value(text: str) -> Any:
    """A text, or what it is as JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def read_block(held: str, value: Callable[[str], Any] = _value) -> list[Call]:
    """The calls in one ``<tool_call>``: JSON, or XML of a function and its parameters.

    Args:
        value: what the text of an XML parameter is.

    Raises:
        ValueError: there are none.
    """
    held = held.strip()
    if held.startswith("{"):
        return named_calls(json.loads(held))
    if named := _NAMED.match(held):
        return [_call(named[1], {pair[1]: value(pair[2]) for pair in _iterate(_PARAMETER, named[2])})]
    name, _, rest = held.partition("\n")
    return [_call(name, {pair[1]: value(pair[2]) for pair in _iterate(_ARGUMENT, rest)})]


def _read_mistral(text: str) -> list[Call]:
    rest = text.removeprefix("[TOOL_CALLS]").lstrip()
    if rest.startswith("["):
        listed, end = _decoder.raw_decode(rest)
        return _all_read(named_calls(listed), rest[end:])
    calls, place = [], 0
    while named := _MISTRAL.match(text, place):
        arguments, place = _decoder.raw_decode(text, named.end())
        calls.append(_call(named[1], arguments))
    return _all_read(calls, text[place:])


def _read_deepseek(text: str) -> list[Call]:
    place = len("<｜tool▁calls▁begin｜>")
    calls = []
    for call in _iterate(_DEEPSEEK, text, place):
        calls.append(_call(call[1] or call[3], call[2] if call[1] else call[4]))
        place = call.end()
    return _all_read(calls, text[place:].lstrip().removeprefix("<｜tool▁calls▁end｜>"))


def _read_kimi(text: str) -> list[Call]:
    place = len("<|tool_calls_section_begin|>")
    calls = []
    for call in _iterate(_KIMI, text, place):
        calls.append(_call(call[1], call[2]))
        place = call.end()
    return _all_read(calls, text[place:].lstrip().removeprefix("<|tool_calls_section_end|>"))


def _read_list(mark: str, *ends: str) -> Callable[[str], list[Call]]:
    """A JSON list after a mark."""

    def read(text: str) -> list[Call]:
        rest = text.removeprefix(mark).lstrip()
        listed, end = _decoder.raw_decode(rest)
        after = rest[end:].strip()
        for closing in ends:
            after = after.removeprefix(closing).strip()
        return _all_read(named_calls(listed), after)

    return read


def _read_llama(text: str) -> list[Call]:
    """Llama's one call: the whole turn is JSON with a name and parameters."""
    call = json.loads(_PYTHON.sub("", text, count=1))
    if not isinstance(call, dict) or call.keys() != {"name", "parameters"}:
        raise _NoCalls
    return named_calls(call)


def _iterate(pattern: re.Pattern[str], text: str, place: int = 0) -> Iterator[re.Match[str]]:
    """Matches that follow each other without anything between them."""
    while match := pattern.match(text, place):
        yield match
        place = match.end()


def _all_read(calls: list[Call], rest: str) -> list[Call]:
    if not calls or rest.strip():
        raise _NoCalls
    return calls


_READERS: tuple[tuple[str, Callable[[str], list[Call]]], ...] = (
    ("<tool_call>", _read_blocks),
    ("<|tool_call|>", _read_list("<|tool_call|>", "<|/tool_call|>")),
    ("[TOOL_CALLS]", _read_mistral),
    ("<｜tool▁calls▁begin｜>", _read_deepseek),
    ("<|tool_calls_section_begin|>", _read_kimi),
    ("<|START_ACTION|>", _read_list("<|START_ACTION|>", "<|END_ACTION|>")),
    ("Action:\n```json\n", _read_list("Action:\n```json\n", "```")),
)
"""What begins a turn's calls, and the function that reads them."""
