"""Hosted multimodal reward models: chat and images of each item become one batch, a missing image an error."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reward_gateway.sample import Batch, FloatArray, Invalid, shown_text

from .columns import Columns
from .effects import Effectful
from .hosted import HostedAnswer, ask_model, image_bytes
from .media import media_of
from .outcome import ItemError, Outcome, invalid_field


def images_of(row: Mapping[str, Any]) -> list[bytes]:
    """The images of an item, in order.

    Raises:
        ItemError: one of them is no image, or a message refers to an image that is not there.
    """
    given = row.get("images_b64") or ([row["image_b64"]] if row.get("image_b64") else [])
    images = [image_bytes(image) for image in given]
    wanted = sum(_image_parts(message) for message in row.get("messages") or row.get("chat") or ())
    if wanted > len(images):
        raise ItemError(f"the messages refer to {wanted} images, and there are {len(images)}")
    return images


def _image_parts(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    return sum(part.get("type") in ("image", "image_url") for part in content) if isinstance(content, list) else 0


def exchange(row: Mapping[str, Any]) -> tuple[Any, str]:
    """Prompt and response of an item: fields of these names, or the last message of its chat and what stands before.

    Raises:
        ItemError: there is no response.
    """
    messages = row.get("messages") or row.get("chat")
    if messages:
        if messages[-1].get("role") != "assistant":
            raise ItemError("the last message must be the assistant's answer")
        return list(messages[:-1]), shown_text(messages[-1:])
    prompt = row.get("prompt") if row.get("prompt") is not None else row.get("question")
    if row.get("response") is None or prompt is None:
        raise ItemError("give messages, or prompt and response")
    return prompt, row["response"]


def batch_of(rows: Sequence[tuple[Any, str, list[bytes]]]) -> Batch:
    """One batch of prompts, responses and images."""
    return Batch(
        ids=[str(i) for i in range(len(rows))],
        prompts=[prompt for prompt, _, _ in rows],
        responses=[response for _, response, _ in rows],
        images=[media_of(images) for _, _, images in rows] if any(images for _, _, images in rows) else None,
    )


def score_hosted(
    columns: Columns, names: Sequence[str], route: Mapping[bool, str], needs_image: bool = False
) -> Effectful[Outcome]:
    """Score every item with the model that ``route`` names for items with (True) and without (False) images.

    An item that gives its ``score`` is answered with that.
    """
    fields = {name: columns.objects(name) for name in names}
    reward: FloatArray = columns.floats("score").copy()
    invalid: dict[int, Invalid] = {}
    flags: dict[int, tuple[str, ...]] = {}
    versions: list[str | None] = [None] * columns.size
    asked: dict[str, list[tuple[int, tuple[Any, str, list[bytes]]]]] = {}
    for i in np.flatnonzero(np.isnan(reward)).tolist():
        row = {name: values[i] for name, values in fields.items()}
        try:
            images = images_of(row)
            if needs_image and not images:
                raise ItemError("this model scores images, and the item has none")
            asked.setdefault(route[bool(images)], []).append((i, (*exchange(row), images)))
        except ItemError as error:
            invalid[i] = invalid_field(str(error))
    for model, rows in asked.items():
        places = [i for i, _ in rows]
        answer: HostedAnswer = yield from ask_model(model, batch_of([r for _, r in rows]), places, columns.size)
        reward[places] = answer.values[places, 0]
        invalid |= answer.invalid
        flags |= answer.flags
        for i in places:
            versions[i] = answer.version
    return Outcome(reward=reward, details={"model_version": versions}, invalid=invalid, flags=flags)
