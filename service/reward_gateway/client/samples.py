"""What a caller has (columns, numpy, bytes) as the samples of a request."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reward_gateway.sample import Text

Image = bytes | str | Path | Mapping[str, str]
"""Encoded bytes, a file, base64, a ``data:`` or ``https:`` address, or the wire's own ``{"b64"}`` / ``{"url"}``."""

Sample = dict[str, Any]


def of_columns(prompts: Text | Sequence[Text] | None, responses: Sequence[Text | None], **columns: Any) -> list[Sample]:
    """Samples of columns; a column that is None is left out, and so is a None in it.

    Args:
        prompts: one a response, or one for all: a text, or the messages of one conversation.
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
    """A sample as JSON has it: images as base64, steps as objects, numpy numbers as plain ones."""
    made = dict(sample)
    for field in ("images", "frames"):
        if made.get(field) is not None:
            made[field] = [_image(image) for image in made[field]]
    if made.get("steps") is not None:
        made["steps"] = [{"text": step} if isinstance(step, str) else step for step in made["steps"]]
    if made.get("features") is not None:
        made["features"] = {name: _plain(value) for name, value in made["features"].items()}
    return made


def _image(image: Image) -> Any:
    if isinstance(image, Path):
        image = image.read_bytes()
    return base64.b64encode(image).decode() if isinstance(image, (bytes, bytearray, memoryview)) else image


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
