"""The calls of tools in a response, in whichever form it has them.

OpenAI's JSON (as messages' ``tool_calls`` are shown in texts), Hermes' and Qwen's ``<tool_call>``, Llama's JSON,
``<function=…>`` and ``<|python_tag|>``, Mistral's ``[TOOL_CALLS]``, the forms of DeepSeek, Kimi, Command and GLM, and
Python's ``[f(a=1), g(b="x")]``.
"""

import ast
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reward_gateway.sample.tool_calls import name_call
from reward_gateway.sample.written_calls import find_calls, read_block

from ..answers.fences import find_fences
from .given_values import Untyped

_BLOCK = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_TOOLS_WORDS = re.compile(r"<tool_response>.*?(?:</tool_response>|\Z)", re.DOTALL)
_FUNCTION = re.compile(r"<function=([^>\n]{1,256})>\s*(?=\{)")
_BETWEEN = re.compile(r"\s*;\s*(?=\{)")
"""What stands between Llama's several calls in one line."""
_PYTHON_TAG = re.compile(r"\A\s*<\|python_(?:tag|start)\|>|<\|python_end\|>|<\|eom_id\|>|<\|eot_id\|>")
_JSON_START = re.compile(r"^[ \t]*([\[{])", re.MULTILINE)
_PYTHON_START = re.compile(r"\[?\s*[A-Za-z_][\w.]*\s*\(")
_ARGUMENTS = ("arguments", "parameters", "input")
_CALL_KEYS = frozenset(("name", "id", "type", "index"))

LONGEST_PYTHON = 20_000
"""Characters of calls in Python's form that are parsed."""
MOST_FAILED = 100
"""Places at which a text may look like JSON and be none, before it is read no further."""
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class GivenCall:
    """A call as the response has it. ``arguments`` is None where they are no object."""

    name: str
    arguments: Mapping[str, Any] | None


def read_calls(text: str) -> list[GivenCall] | None:
    """The calls of a text, in order; empty if it makes none, None if it has marks of calls that cannot be read.

    What stands in <tool_response> are a tool's words, whoever wrote them, and no calls.
    """
    text = _TOOLS_WORDS.sub("", text)
    try:
        return [_given(name, arguments) for name, arguments in _find(text)]
    except (ValueError, RecursionError, MemoryError):
        return None


def _find(text: str) -> list[tuple[str, Any]]:
    if "<tool_call>" in text:
        return [call for block in _BLOCK.finditer(text) for call in read_block(block[1], Untyped)]
    if "<function=" in text and (calls := _read_functions(text)):
        return calls
    if (found := find_calls(text)) is not None:
        return found[1]
    if any(mark in text for mark in _MARKS):
        raise ValueError("marks of calls without calls")
    text = _PYTHON_TAG.sub("", text)
    return _read_json(text) or _read_python(text)


_MARKS = ("[TOOL_CALLS]", "<｜tool▁calls▁begin｜>", "<|tool_calls_section_begin|>", "<|START_ACTION|>", "<|tool_call|>")


def _read_functions(text: str) -> list[tuple[str, Any]]:
    """Llama's ``<function=NAME>{…}</function>``."""
    calls, place = [], 0
    while (named := _FUNCTION.search(text, place)) is not None:
        arguments, place = _decoder.raw_decode(text, named.end())
        calls.append((named[1], arguments))
    return calls


def _read_json(text: str) -> list[tuple[str, Any]]:
    """The calls among the JSON values that begin a line."""
    calls: list[tuple[str, Any]] = []
    place = failed = 0
    while (start := _JSON_START.search(text, place)) is not None and failed < MOST_FAILED:
        try:
            value, place = _decoder.raw_decode(text, start.start(1))
        except (ValueError, RecursionError):
            failed, place = failed + 1, start.end()
            continue
        while (joined := _BETWEEN.match(text, place)) is not None:
            calls += _calls_of(value)
            value, place = _decoder.raw_decode(text, joined.end())
        calls += _calls_of(value)
    return calls


def _calls_of(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [call for one in value for call in _calls_of(one)]
    if not isinstance(value, dict):
        return []
    if isinstance(listed := value.get("tool_calls"), list):
        return _calls_of(listed)
    call = name_call(value)
    held = next((value[kind] for kind in ("function", "custom") if isinstance(value.get(kind), dict)), value)
    if not isinstance(call.get("name"), str) or not (
        any(key in held for key in _ARGUMENTS) or held.keys() <= _CALL_KEYS
    ):
        return []
    return [(call["name"], call["arguments"])]


def _read_python(text: str) -> list[tuple[str, Any]]:
    """Calls as Python has them: the whole text, or its last fenced block."""
    for candidate in (text, *(block.content for block in find_fences(text)[::-1])):
        source = candidate.strip().strip("`").strip()
        if _PYTHON_START.match(source) is None or len(source) > LONGEST_PYTHON:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                lines = ast.parse(source).body
        except SyntaxError:
            continue
        found = [call for line in lines if isinstance(line, ast.Expr) for call in _python_calls(line.value)]
        if found and all(isinstance(line, ast.Expr) for line in lines):
            return found
    return []


def _python_calls(node: ast.expr) -> list[tuple[str, Any]]:
    if isinstance(node, ast.List | ast.Tuple):
        return [call for one in node.elts for call in _python_calls(one)]
    if not isinstance(node, ast.Call):
        raise ValueError("no call")
    if node.args or any(argument.arg is None for argument in node.keywords):
        raise ValueError("arguments without names")
    names = {keyword.arg for keyword in node.keywords}
    if len(names) < len(node.keywords):
        raise ValueError("an argument stands twice")
    return [(ast.unparse(node.func), {str(one.arg): _literal(one.value) for one in node.keywords})]


_CONSTANTS = {"true": True, "false": False, "null": None}


def _literal(node: ast.expr) -> Any:
    """The value of a literal; a name that is none of JSON's constants is a text, as models mean it."""
    if isinstance(node, ast.Name):
        return _CONSTANTS.get(node.id, node.id)
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(one) for one in node.elts]
    if isinstance(node, ast.Dict):
        return {str(_literal(key)): _literal(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    return ast.literal_eval(node)


def _given(name: str, arguments: Any) -> GivenCall:
    if isinstance(arguments, str):
        arguments = json.loads(arguments) if arguments.strip() else {}
    return GivenCall(name, arguments if isinstance(arguments, dict) else None)
