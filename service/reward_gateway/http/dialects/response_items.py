"""Items of OpenAI's Responses API as chat messages: turns stay turns, and calls stand in the turn that made them.

A message is a turn; ``function_call`` and the calls of other tools belong to the assistant's turn before them; an
output is a turn of the tool; ``reasoning`` belongs to the assistant's turn that follows it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample.messages import ChatMessage, TextPart

from .texts import parse_messages

Item = Mapping[str, Any]

_BOOKKEEPING = frozenset(("id", "call_id", "status", "type"))


def read_items(items: Any, param: str) -> list[ChatMessage]:
    """The turns that a list of items is. Raises InvalidRequest for anything that is no list of objects."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidRequest(f"{param}: expected chat messages", param=param)
    turns: list[ChatMessage] = []
    calls: list[list[Any]] = []
    reasoning: list[str] = []
    for i, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "message":
            turns.append(_read_message(item, f"{param}[{i}]"))
            calls.append([])
        elif kind == "reasoning":
            reasoning += _list_texts(item.get("content") or item.get("summary"))
            continue
        elif str(kind).endswith("_call_output"):
            turns.append(_read_output(item))
            calls.append([])
        elif str(kind).endswith("_call"):
            if not turns or turns[-1].role != "assistant":
                turns.append(ChatMessage("assistant"))
                calls.append([])
            calls[-1].append(_read_call(item))
        if turns and turns[-1].role == "assistant":
            _add_reasoning(turns[-1], reasoning)
    if reasoning:
        turns.append(ChatMessage("assistant", reasoning_content="\n\n".join(reasoning)))
        calls.append([])
    for turn, own in zip(turns, calls, strict=True):
        turn.tool_calls = Raw(msgspec.json.encode(own)) if own else UNSET
    return turns


def _read_message(item: Item, param: str) -> ChatMessage:
    (message,) = parse_messages([dict(item)], param)
    if isinstance(message.content, list) and all(isinstance(part, TextPart) for part in message.content):
        message.content = "".join(part.text for part in message.content if isinstance(part, TextPart))
    return message


def _read_call(item: Item) -> dict[str, Any]:
    """A call in the form of ``tool_calls``; one of a tool of OpenAI's own is named by its type."""
    name, arguments = item.get("name"), item.get("arguments", item.get("input"))
    if not isinstance(name, str):
        name = str(item["type"]).removesuffix("_call")
        arguments = {key: value for key, value in item.items() if key not in _BOOKKEEPING}
    call: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments or "{}"}}
    return {"id": item["call_id"], **call} if isinstance(item.get("call_id"), str) else call


def _read_output(item: Item) -> ChatMessage:
    output = item.get("output")
    text = output if isinstance(output, str) else "".join(_list_texts(output)) or json.dumps(output, ensure_ascii=False)
    call_id = item.get("call_id")
    return ChatMessage("tool", text, tool_call_id=call_id if isinstance(call_id, str) else None)


def _add_reasoning(turn: ChatMessage, reasoning: list[str]) -> None:
    """Give a turn the reasoning that came before it, which is then used up."""
    if reasoning:
        turn.reasoning_content = "\n\n".join(filter(None, (turn.reasoning_content, *reasoning)))
        reasoning.clear()


def _list_texts(parts: Any) -> Sequence[str]:
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return [text for text in texts if isinstance(text, str)]
