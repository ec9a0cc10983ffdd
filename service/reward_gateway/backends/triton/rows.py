"""Samples as the rows that a model reads: its fields, framed, and a reason for every sample that lacks one."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from reward_gateway.backends.chat import conversation, flat_prompt, flat_response
from reward_gateway.backends.triton.model_config import TritonModel
from reward_gateway.backends.triton.tensors import EMPTY, PackedRows, frame, frame_texts
from reward_gateway.sample import Batch, Invalid, Media, canonical_json

_blob = msgspec.msgpack.Encoder().encode


def _media(items: Sequence[Media]) -> bytes:
    return _blob([item.data for item in items])


def _steps(steps: Sequence[str]) -> bytes:
    return _blob([_text(step) for step in steps])


def _features(features: Any) -> bytes:
    return canonical_json(features).encode("utf-8", "replace")


def _text(text: str) -> bytes:
    return text.encode("utf-8", "replace")


_ENCODERS: dict[str, tuple[str, Callable[[Any], bytes]]] = {
    "steps": ("steps", _steps),
    "reference": ("references", _text),
    "images": ("images", _media),
    "frames": ("frames", _media),
    "features": ("features", _features),
}
"""Field -> the batch's column, and one value's bytes. Prompt, response and messages go together: see below."""

_COLUMNS = {"response": "responses"} | {name: column for name, (column, _) in _ENCODERS.items()}


def pack(model: TritonModel, batch: Batch, rows: Sequence[int]) -> tuple[PackedRows, list[int], dict[int, Invalid]]:
    """Frame the fields that a model reads.

    Returns:
        The packed rows; their positions in ``rows``; position -> reason for the rows that lack a field.
    """
    invalid = _lacking(model, batch, rows)
    positions = [k for k in range(len(rows)) if k not in invalid]
    chosen = [rows[k] for k in positions] if invalid else rows
    columns = _talk(model, batch, chosen)
    for name, (attribute, encode) in _ENCODERS.items():
        if name in model.info.inputs:
            column = getattr(batch, attribute) or [None] * batch.size
            columns[name] = [frame(encode(column[i])) if column[i] else EMPTY for i in chosen]
    return PackedRows.of(columns, len(chosen)), positions, invalid


def _talk(model: TritonModel, batch: Batch, rows: Sequence[int]) -> dict[str, list[bytes]]:
    """Prompt and response, as text or, where some row has chat and the model reads it, as ``messages``."""
    inputs = model.info.inputs
    prompts: Sequence[Any] = [batch.prompts[i] for i in rows]
    responses: Sequence[Any] = [batch.responses[i] for i in rows]
    columns: dict[str, list[bytes]] = {}
    if {str}.issuperset(map(type, prompts)) and {str}.issuperset(map(type, responses)):
        pass  # plain text throughout: nothing to be written anew
    elif "messages" in inputs:
        said = [
            "" if isinstance(prompt, str) and isinstance(response, str) else conversation(prompt, response or "")
            for prompt, response in zip(prompts, responses, strict=True)
        ]
        columns["messages"] = frame_texts(said)
        prompts = ["" if chat else prompt for prompt, chat in zip(prompts, said, strict=True)]
        responses = ["" if chat else response for response, chat in zip(responses, said, strict=True)]
    else:
        prompts = [flat_prompt(prompt) for prompt in prompts]
        responses = [flat_response(response or "") for response in responses]
    if "prompt" in inputs:
        columns["prompt"] = frame_texts(prompts)
    if "response" in inputs:
        columns["response"] = frame_texts(responses)
    return columns


def _lacking(model: TritonModel, batch: Batch, rows: Sequence[int]) -> dict[int, Invalid]:
    """Positions of the rows that have no value for a field that the model must have, or media without bytes."""
    invalid: dict[int, Invalid] = {}
    for name in sorted(model.required):
        column = getattr(batch, _COLUMNS[name]) or [None] * batch.size
        for k, row in enumerate(rows):
            value = column[row]
            if value is None or (value == [] and name in ("images", "frames")):
                invalid.setdefault(k, Invalid("missing_field", f"{model.info.name} needs '{name}'.", param=name))
    for name in ("images", "frames"):
        if name in model.info.inputs and (media := getattr(batch, name)) is not None:
            for k, row in enumerate(rows):
                for m, item in enumerate(media[row]):
                    if item.data is None:
                        reason = Invalid("invalid_media", "Its bytes were not fetched.", param=f"{name}[{m}]")
                        invalid.setdefault(k, reason)
    return invalid
