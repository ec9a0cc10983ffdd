"""Converts trainers' data (columns, chat messages, ground truths of any type) to the API's samples."""

import json
import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from reward_gateway.client.frames import encode_picture, to_bytes
from reward_gateway.client.plain_values import to_plain
from reward_gateway.sample.fields import Answer
from reward_gateway.sample.labels import read_label
from reward_gateway.sample.messages import ChatMessage
from reward_gateway.sample.routing_keys import pick_routing_keys

REFERENCES = ("reference", "ground_truth", "answer", "solution")
"""Dataset columns that hold a ground truth, the first one that exists counts."""

PROMPTS = ("raw_prompt", "prompt", "question", "problem", "query")
"""Keys under which trainers keep what was asked, the first one that is there counts."""

_FIELDS = frozenset((*REFERENCES, *PROMPTS, "response"))
"""Keys of what a sample has fields for."""

_SCALARS = (str, bool, int, float, np.generic)

_MESSAGE_KEYS = ChatMessage.__struct_fields__


def find_prompt(*rows: Any) -> Any:
    """What was asked: the value of the first key of :data:`PROMPTS` in the first of the mappings that has one."""
    mappings = [row for row in rows if isinstance(row, Mapping)]
    return next((row[name] for row in mappings for name in PROMPTS if row.get(name) is not None), None)


def make_sample(
    prompt: Any,
    response: Any,
    reference: Any = None,
    *,
    group: str | None = None,
    images: Any = None,
    rows: Sequence[Any] = (),
) -> dict[str, Any]:
    """One sample; what is None is left out.

    Args:
        rows: mappings of the data set and the trainer. What they say in short texts, numbers and booleans is the
            sample's metadata, by which a recipe may choose the scorer.
    """
    named = find_metadata(*rows)
    fields = {
        "prompt": convert_text(prompt),
        "response": convert_response(response),
        "reference": convert_label(reference),
        "group": group,
        "images": None if images is None or not len(images) else [convert_image(one) for one in images],
        "metadata": named or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def find_metadata(*rows: Any) -> dict[str, Any]:
    """What rows say in short texts, numbers and booleans, but for the prompt and the ground truth."""
    plain = [
        {str(name): to_plain(value) for name, value in row.items() if isinstance(value, _SCALARS)}
        for row in rows
        if isinstance(row, Mapping)
    ]
    return dict(pick_routing_keys(*plain, without=_FIELDS))


def make_samples(prompts: Sequence[Any], responses: Sequence[Any], columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Samples of a batch whose dataset columns are lists of its length."""
    size = len(responses)
    references = next((columns[name] for name in REFERENCES if columns.get(name) is not None), [None] * size)
    images = _find_images(columns)
    rows = zip(prompts, responses, references, [None] * size if images is None else images, strict=True)
    told = {name: column for name, column in columns.items() if _is_column(column, size)}
    return [
        make_sample(prompt, response, reference, images=seen, rows=[{name: column[i] for name, column in told.items()}])
        for i, (prompt, response, reference, seen) in enumerate(rows)
    ]


def _is_column(value: Any, size: int) -> bool:
    if isinstance(value, np.ndarray):
        return bool(value.shape[:1] == (size,))
    return isinstance(value, (list, tuple)) and len(value) == size


def _find_images(columns: Mapping[str, Any]) -> Sequence[Any] | None:
    single: Sequence[Any] | None = columns.get("image")
    return columns.get("images") if single is None else [one if one is None else [one] for one in single]


def convert_text(value: Any) -> Any:
    """A text as it is; chat messages (mappings or objects, in a list or an array) with the keys that the API knows."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if value is None or isinstance(value, str):
        return value if value is None else str(value)
    if isinstance(value, Mapping):  # one message
        return [_convert_message(value)]
    return [_convert_message(message) for message in value]


def convert_response(value: Any) -> Any:
    """A response: a single assistant message is its text, as if it had come as text."""
    messages = convert_text(value)
    if isinstance(messages, list) and len(messages) == 1 and messages[0].keys() <= {"role", "content"}:
        content = messages[0].get("content")
        return content if isinstance(content, str) else messages
    return messages


def convert_label(value: Any) -> Answer | None:
    """A ground truth as a reference (:func:`.read_label`); None for NaN, a table's empty cell.

    Numbers and arrays of numpy are what they are in Python: 72 and not "72" in quotation marks, lists and not texts.
    """
    plain = to_plain(value)
    if isinstance(plain, float) and math.isnan(plain):
        return None
    return read_label(json.loads(json.dumps(plain, default=str)))


def convert_image(value: Any) -> Any:
    """An image for the wire: a Pillow image, an array [height, width(, channels)] as :mod:`..frames` reads it, or the
    dataset form ``{"bytes", "path"}``, becomes encoded bytes."""
    if isinstance(value, np.ndarray) and value.ndim in (2, 3):
        return encode_picture(to_bytes(value, "the image"), "PNG")
    if hasattr(value, "save"):
        buffer = BytesIO()
        value.save(buffer, format="PNG")
        return buffer.getvalue()
    if isinstance(value, Mapping) and value.get("bytes") is not None:
        return value["bytes"]
    return value


def _convert_message(message: Any) -> dict[str, Any]:
    fields = message if isinstance(message, Mapping) else {name: getattr(message, name, None) for name in _MESSAGE_KEYS}
    known = {name: to_plain(fields[name]) for name in _MESSAGE_KEYS if fields.get(name) is not None}
    if isinstance(content := known.get("content"), list):  # a place holder of an image that comes in its own column
        known["content"] = [part for part in content if part.get("type") != "image"]
    return {name: value for name, value in known.items() if name in ("role", "content") or value not in ("", [], {})}
