"""Samples as questions to an upstream: chat messages, a rendered text, or a pair of texts; encoded once per request."""

import base64
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from reward_gateway.backends.chat import flatten_prompt, flatten_response
from reward_gateway.backends.encoded_rows import Encoded, SizedRows
from reward_gateway.sample import Batch, Invalid, Media, Text, canonical_json

from .config import Input, UpstreamConfig
from .templates import ChatTemplate, TemplateError

_KINDS = (("png", 0, b"\x89PNG\r\n\x1a\n"), ("gif", 0, b"GIF8"), ("webp", 8, b"WEBP"))
"""Types of images by the bytes at a place; any other is sent as JPEG."""


@dataclass(slots=True)
class Question:
    """One sample, as an upstream is asked about it.

    Attributes:
        messages: the whole conversation, the response as the assistant's; images are parts of the first user message.
        prompt, response: as texts.
        text: the conversation as the upstream's template renders it; the response, where it alone is read.
        fields: further fields of the sample by name, for the forms that name them.
    """

    messages: list[dict[str, Any]]
    prompt: str
    response: str
    text: str = ""
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class QuestionRows(SizedRows):
    """The questions of one request. Implements :class:`reward_gateway.backends.encoded_rows.EncodedRows`."""

    questions: list[Question] = field(default_factory=list)

    @classmethod
    def of(cls, questions: list[Question], sizes: Sequence[int]) -> "QuestionRows":
        return cls(np.fromiter(itertools.accumulate(sizes), dtype=np.int64, count=len(sizes)), questions)


def inputs_of(config: UpstreamConfig) -> tuple[str, ...]:
    """The fields of a sample that an upstream's score depends on."""
    by_input: dict[Input, tuple[str, ...]] = {
        "messages": ("messages", "prompt", "response"),
        "text": ("messages", "prompt", "response"),
        "pair": ("prompt", "response"),
        "response": ("response",),
    }
    named = tuple(config.tensors.inputs) if config.tensors else (*by_input[config.input], *config.named_fields)
    named = tuple(dict.fromkeys(name for name in named if name != "text"))
    return (*named, "images") if config.images and "images" not in named else named


class QuestionEncoder:
    """Encodes the rows of a batch for one upstream.

    Implements :data:`reward_gateway.backends.encoded_rows.EncodeRows`.
    """

    def __init__(self, config: UpstreamConfig) -> None:
        self._template = ChatTemplate.of(config)

    def encode(self, config: UpstreamConfig, batch: Batch, rows: Sequence[int]) -> Encoded[QuestionRows]:
        """Questions about rows of a batch; a row that cannot be asked about gets a reason."""
        invalid: dict[int, Invalid] = {}
        questions: list[Question] = []
        sizes: list[int] = []
        for k, row in enumerate(rows):
            question = self._ask_about(config, batch, row)
            if isinstance(question, Invalid):
                invalid[k] = question
            else:
                questions.append(question)
                sizes.append(_count_bytes(question))
        positions = [k for k in range(len(rows)) if k not in invalid]
        return Encoded(QuestionRows.of(questions, sizes), positions, invalid)

    def _ask_about(self, config: UpstreamConfig, batch: Batch, row: int) -> Question | Invalid:
        response = batch.responses[row]
        if response is None:
            return Invalid("missing_field", "The model needs 'response'.", param="response")
        prompt = batch.prompts[row]
        images = ((batch.column("images") or [[]] * batch.size)[row] or []) if config.images else []
        for m, image in enumerate(images):
            if image.data is None:
                return Invalid("invalid_media", "Its bytes were not fetched.", param=f"images[{m}]")
        question = Question(
            join_conversation(prompt, response, images), flatten_prompt(prompt), flatten_response(response)
        )
        if config.input == "response":
            question.text = question.response
        elif self._template is not None:
            try:
                question.text = self._template.render(question.messages)
            except TemplateError as error:
                return Invalid("invalid_field", str(error), param="response")
        for name in config.named_fields:
            value = _read_field(batch, row, name, question)
            if isinstance(value, Invalid):
                return value
            question.fields[name] = value
        return question


def join_conversation(prompt: Text, response: Text, images: Sequence[Media]) -> list[dict[str, Any]]:
    """Prompt and response as one list of chat messages; images become parts of the first user message."""
    before = [{"role": "user", "content": prompt}] if isinstance(prompt, str) and prompt else list(prompt or [])
    after = [{"role": "assistant", "content": response}] if isinstance(response, str) else list(response)
    messages = [dict(message) for message in (*before, *after) if not isinstance(message, str)]
    if images:
        first = next((message for message in messages if message.get("role") == "user"), None)
        if first is None:
            first = {"role": "user", "content": ""}
            messages.insert(0, first)
        content = first["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else _text_parts(content)
        first["content"] = [*map(_image_part, images), *(part for part in parts if part.get("text"))]
    return messages


def _text_parts(content: Any) -> list[dict[str, Any]]:
    return [dict(part) for part in content or () if isinstance(part, dict) and isinstance(part.get("text"), str)]


def _image_part(image: Media) -> dict[str, Any]:
    data = image.data or b""
    kind = next((kind for kind, at, magic in _KINDS if data[at : at + len(magic)] == magic), "jpeg")
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{base64.b64encode(data).decode()}"}}


def _read_field(batch: Batch, row: int, name: str, question: Question) -> str | Invalid:
    """The text of one field of a sample."""
    if name in ("prompt", "response", "text"):
        return str(getattr(question, name))
    if name == "messages":
        return canonical_json(question.messages)
    value = (batch.column(name) or [None] * batch.size)[row]
    if value is None or value == []:
        return Invalid("missing_field", f"The model needs '{name}'.", param=name)
    return value if isinstance(value, str) else canonical_json(value)


def _count_bytes(question: Question) -> int:
    return len(msgspec.json.encode(question.messages)) + len(question.text) + 64
