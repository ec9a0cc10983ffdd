"""Converts a caller's data (columns, numpy, bytes) to the samples of a request."""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reward_gateway.sample import Text
from reward_gateway.sample.fields import FIELDS, Form, Image

from .plain_values import to_plain

Sample = dict[str, Any]


def of_columns(prompts: Text | Sequence[Text] | None, responses: Sequence[Text | None], **columns: Any) -> list[Sample]:
    """Samples of columns; a column that is None is left out, and so is a None in it.

    Args:
        prompts: one per response, or one for all: a text, or the messages of one conversation.
        columns: by the wire's names (``reference``, ``group``, ``images`` …), each of the responses' length.

    Raises:
        ValueError: a column of another length.
    """
    if isinstance(responses, str):
        raise ValueError("responses must be a sequence of texts, not one text")
    size = len(responses)
    if isinstance(prompts, str) or (prompts and isinstance(prompts[0], Mapping)):
        columns["prompt"] = [prompts] * size
    else:
        columns["prompt"] = prompts
    samples: list[Sample] = [{} for _ in range(size)]
    for name, column in {**columns, "response": responses}.items():
        if column is None:
            continue
        if len(column) != size:
            raise ValueError(f"{name}: {len(column)} values for {size} responses")
        for sample, value in zip(samples, column, strict=True):
            if value is not None:
                sample[name] = value
    return [to_wire(sample) for sample in samples]


def to_wire(sample: Mapping[str, Any]) -> Sample:
    """Convert a sample for JSON: images to base64, steps to objects, numpy numbers to Python numbers.

    Raises:
        ValueError: a number that JSON cannot carry.
    """
    wire = dict(sample)
    for name, convert in _CONVERT.items():
        if wire.get(name) is not None:
            wire[name] = convert(wire[name], name)
    return wire


def _convert_images(images: Sequence[Image], _field: str) -> list[Any]:
    return [_convert_image(image) for image in images]


def _convert_steps(steps: Sequence[Any], _field: str) -> list[Any]:
    return [{"text": step} if isinstance(step, str) else step for step in steps]


def _convert_numbers(numbers: Mapping[str, Any], _field: str) -> dict[str, Any]:
    return {name: to_plain(value) for name, value in numbers.items()}


def _convert_objects(objects: Sequence[Any], field: str) -> list[Any]:
    return [
        _convert_object(entry, f"{field}[{k}]") if isinstance(entry, Mapping) else entry
        for k, entry in enumerate(objects)
    ]


def _convert_plain(value: Any, _field: str) -> Any:
    return to_plain(value)


def _convert_object(entry: Mapping[str, Any], path: str) -> dict[str, Any]:
    wire = _convert_numbers(entry, path)
    for name, value in wire.items():
        if isinstance(value, float) and not math.isfinite(value):  # in JSON it would be null, and read as not given
            raise ValueError(f"{path}.{name}: not a finite number")
    return wire


_CONVERT_FORM: dict[Form, Callable[[Any, str], Any]] = {
    "answer": _convert_plain,
    "media": _convert_images,
    "steps": _convert_steps,
    "numbers": _convert_numbers,
    "objects": _convert_objects,
    "opaque": _convert_plain,
}
_CONVERT = {field.name: _CONVERT_FORM[field.form] for field in FIELDS if field.form in _CONVERT_FORM}


def _convert_image(image: Image) -> Any:
    if isinstance(image, Path):
        image = image.read_bytes()
    return base64.b64encode(image).decode() if isinstance(image, (bytes, bytearray, memoryview)) else image
