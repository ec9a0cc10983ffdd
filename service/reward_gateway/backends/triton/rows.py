"""Encodes samples as the rows that a model reads, with a reason for every sample that lacks a field."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from reward_gateway.backends.chat import encode_conversation, flatten_prompt, flatten_response
from reward_gateway.backends.encoded_rows import Encoded
from reward_gateway.backends.triton.model_config import TritonModel
from reward_gateway.backends.triton.tensors import TensorRows, encode_texts
from reward_gateway.sample import Batch, Invalid, Media, canonical_json
from reward_gateway.sample.fields import FIELDS, MEDIA, MESSAGES, Form, of_form

_encode_msgpack = msgspec.msgpack.Encoder().encode


def _encode_media(items: Sequence[Media]) -> bytes:
    return _encode_msgpack([item.data for item in items])


def _encode_steps(steps: Sequence[str]) -> bytes:
    return _encode_msgpack([_encode_text(step) for step in steps])


def _encode_json(value: Any) -> bytes:
    return _encode_text(canonical_json(value))


def _encode_answer(answer: Any) -> bytes:
    return _encode_text(answer) if isinstance(answer, str) else _encode_json(answer)


def _encode_text(text: str) -> bytes:
    return text.encode("utf-8", "replace")


_ENCODER_OF_FORM: dict[Form, Callable[[Any], bytes]] = {
    "text": _encode_text,
    "answer": _encode_answer,
    "media": _encode_media,
    "steps": _encode_steps,
    "numbers": _encode_json,
    "objects": _encode_json,
}
"""The bytes of one value of each form. ``_encode_conversations`` encodes prompt, response and messages."""

_ENCODERS = {field.name: _ENCODER_OF_FORM[field.form] for field in FIELDS if field.model_input and field.form != "chat"}


_TEXT = frozenset((str,))
_LISTS = frozenset(field.name for field in of_form("media", "objects"))
"""Fields for which an empty list counts as missing."""


def encode_rows(model: TritonModel, batch: Batch, rows: Sequence[int]) -> Encoded[TensorRows]:
    """Encode the fields that a model reads; a row that lacks one gets a reason.

    Implements :data:`reward_gateway.backends.encoded_rows.EncodeRows`.
    """
    invalid = _find_missing(model, batch, rows)
    positions = [k for k in range(len(rows)) if k not in invalid] if invalid else list(range(len(rows)))
    chosen = [rows[k] for k in positions] if invalid else rows
    columns = _encode_conversations(model, batch, chosen)
    for name, encode in _find_encoders(model.info.inputs):
        column = batch.column(name) or [None] * batch.size
        columns[name] = [encode(column[i]) if column[i] else b"" for i in chosen]
    return Encoded(TensorRows.of(columns, len(chosen)), positions, invalid)


@lru_cache(maxsize=1024)
def _find_encoders(inputs: tuple[str, ...]) -> tuple[tuple[str, Callable[[Any], bytes]], ...]:
    """The fields besides prompt and response that a model reads, each with its encoder."""
    return tuple((name, encode) for name, encode in _ENCODERS.items() if name in inputs)


def _encode_conversations(model: TritonModel, batch: Batch, rows: Sequence[int]) -> dict[str, list[bytes]]:
    """Encode prompt and response: as text, or as ``messages`` if a row has chat and the model reads it."""
    inputs = model.info.inputs
    prompts: Sequence[Any] = list(map(batch.prompts.__getitem__, rows))
    responses: Sequence[Any] = list(map(batch.responses.__getitem__, rows))
    columns: dict[str, list[bytes]] = {}
    if _TEXT.issuperset(map(type, prompts)) and _TEXT.issuperset(map(type, responses)):
        pass  # plain text throughout: nothing to convert
    elif MESSAGES in inputs:
        conversations = [
            "" if isinstance(prompt, str) and isinstance(response, str) else encode_conversation(prompt, response or "")
            for prompt, response in zip(prompts, responses, strict=True)
        ]
        columns[MESSAGES] = encode_texts(conversations)
        prompts = ["" if chat else prompt for prompt, chat in zip(prompts, conversations, strict=True)]
        responses = ["" if chat else response for response, chat in zip(responses, conversations, strict=True)]
    else:
        prompts = [flatten_prompt(prompt) for prompt in prompts]
        responses = [flatten_response(response or "") for response in responses]
    if "prompt" in inputs:
        columns["prompt"] = encode_texts(prompts)
    if "response" in inputs:
        columns["response"] = encode_texts(responses)
    return columns


def _find_missing(model: TritonModel, batch: Batch, rows: Sequence[int]) -> dict[int, Invalid]:
    """Reasons for rows that lack a required field or the bytes of their media, by position."""
    invalid: dict[int, Invalid] = {}
    for name in sorted(model.required):
        column = batch.column(name) or [None] * batch.size
        if _TEXT.issuperset(map(type, column)):
            continue
        for k, row in enumerate(rows):
            value = column[row]
            if value is None or (value == [] and name in _LISTS):
                invalid.setdefault(k, Invalid("missing_field", f"{model.info.name} needs '{name}'.", param=name))
    if not batch.has_media:
        return invalid
    for name in MEDIA:
        if name in model.info.inputs and (media := batch.column(name)) is not None:
            for k, row in enumerate(rows):
                for m, item in enumerate(media[row]):
                    if item.data is None:
                        reason = Invalid("invalid_media", "Its bytes were not fetched.", param=f"{name}[{m}]")
                        invalid.setdefault(k, reason)
    return invalid
