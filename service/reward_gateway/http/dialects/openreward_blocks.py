"""The turns of the Open Reward Standard: a role and blocks of text, images, reasoning, and calls of tools."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample.messages import (
    ChatMessage,
    ImagePart,
    ImageUrl,
    ImageUrlPart,
    MediaObject,
    Part,
    TextPart,
)

from .texts import plain_if_single

ANSWER = "answer"
"""The only tool of an environment, and its only argument."""

BLOCK_TYPES = ("text", "image", "reasoning", "tool_call", "tool_result")


class Block(Struct, rename={"mime_type": "mimeType"}):
    """A block of any type."""

    type: Literal["text", "image", "reasoning", "tool_call", "tool_result"] = "text"
    text: str = ""
    data: str = ""
    mime_type: str = "image/png"
    name: str = ""
    id: str = ""
    input: dict[str, Any] = {}
    tool_call_id: str = ""
    blocks: "list[Block]" = []


class Turn(Struct):
    """One turn, of blocks, or with its text as a chat message has it. A tool's result stands in a turn of the user."""

    role: Literal["system", "user", "assistant", "tool"]
    blocks: list[Block] | None = None
    content: str | None = None


def read_candidate(turns: Sequence[Turn], param: str) -> str | list[ChatMessage] | None:
    """The response of a rollout: what its last assistant's turn says, or gives to the tool ``answer``.

    Raises:
        InvalidRequest: there is no assistant's turn, or nothing in it.
    """
    last = next((turn for turn in reversed(turns) if turn.role == "assistant"), None)
    if last is None or (last.blocks is None and last.content is None):
        raise InvalidRequest(f"{param}: expected a turn of the assistant, with blocks or content", param=param)
    for block in last.blocks or ():
        if block.type == "tool_call" and block.name == ANSWER and isinstance(answer := block.input.get(ANSWER), str):
            return answer
    message = _read_turn(last)
    plain = message.reasoning_content is None and message.tool_calls is UNSET
    return plain_if_single([message], "assistant") if plain else [message]


def _read_turn(turn: Turn) -> ChatMessage:
    blocks = turn.blocks or []
    parts: list[Part] = [TextPart(turn.content)] if turn.content is not None else []
    reasoning = [block.text for block in blocks if block.type == "reasoning"]
    calls = [
        {
            "id": block.id,
            "type": "function",
            "function": {"name": block.name, "arguments": msgspec.json.encode(block.input).decode()},
        }
        for block in blocks
        if block.type == "tool_call"
    ]
    for block in blocks:
        if block.type == "text":
            parts.append(TextPart(block.text))
        elif block.type == "image":
            parts.append(ImageUrlPart(f"data:{block.mime_type};base64,{block.data}"))
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return ChatMessage(
        turn.role,
        "".join(texts) if len(texts) == len(parts) else parts,
        tool_calls=Raw(msgspec.json.encode(calls)) if calls else UNSET,
        reasoning_content="".join(reasoning) if reasoning else None,
    )


def write_turns(prompt: str | list[ChatMessage] | None) -> list[dict[str, Any]]:
    """A prompt as turns. Images that stand at an address, and other parts, are left out: blocks hold bytes."""
    if not isinstance(prompt, list):
        return [{"role": "user", "blocks": [text_block(prompt or "")], "detail": None}]
    return [
        {
            "role": message.role if message.role in ("system", "assistant") else "user",
            "blocks": _write_blocks(message.content),
            "detail": None,
        }
        for message in prompt
    ]


def text_block(text: str) -> dict[str, Any]:
    """A block of text."""
    return {"text": text, "detail": None, "type": "text"}


def _write_blocks(content: str | list[Part] | None) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        return [text_block(content or "")]
    blocks = []
    for part in content:
        if isinstance(part, TextPart):
            blocks.append(text_block(part.text))
        elif isinstance(part, ImageUrlPart | ImagePart) and (data := _image_data(part)) is not None:
            blocks.append({"data": data[1], "mimeType": data[0], "detail": None, "type": "image"})
    return blocks


def _image_data(part: ImageUrlPart | ImagePart) -> tuple[str, str] | None:
    """Type and base64 of an image; None for one at an address."""
    held: str | ImageUrl | MediaObject = part.image_url if isinstance(part, ImageUrlPart) else part.image
    if isinstance(held, MediaObject):
        if held.b64 is not None:
            return "image/png", held.b64
        address = held.url or ""
    else:
        address = held.url if isinstance(held, ImageUrl) else held
    if address.startswith("data:"):
        head, _, data = address[5:].partition(";base64,")
        return (head or "image/png", data) if data else None
    return None if address.startswith(("http:", "https:")) else ("image/png", address)
