"""Samples as questions to an upstream: chat messages, a rendered text, or a pair of texts; encoded once per request."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reward_gateway.backends.chat import flatten_prompt, flatten_response
from reward_gateway.backends.encoded_rows import Encoded, SizedRows
from reward_gateway.sample import Batch, Invalid, canonical_json

from .config import FEATURE, Input, UpstreamConfig
from .conversations import as_unicode, join_conversation
from .images import count_json_bytes, write_images
from .templates import ChatTemplate, TemplateError
from .tokens import TextTokens
from .tool_forms import with_calls, write_arguments

MOST_CHARACTERS = 10_000
"""Characters of a request's texts that are tokenized or rendered on the event loop; more are in a thread."""


@dataclass(slots=True)
class Question:
    """One sample, as an upstream is asked about it.

    Attributes:
        messages: the whole conversation, the response as the assistant's; images are parts of the first user message.
        prompt, response: as texts.
        text: the conversation as the upstream's template renders it; the response, where it alone is read.
        fields: further fields of the sample by name, for the forms that name them.
        numbers: features of the sample by name, ``features.NAME``.
        truncated: the server will cut it.
        tokens, segments: the text's tokens where they are sent, and which text of a pair each belongs to.
        steps: of an upstream with ``step_mark``: the places of the tokens behind its steps.
    """

    messages: list[dict[str, Any]]
    prompt: str
    response: str
    text: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, list[float]] = field(default_factory=dict)
    truncated: bool = False
    tokens: Sequence[int] = ()
    segments: Sequence[int] = ()
    steps: Sequence[int] = ()


@dataclass(slots=True)
class QuestionRows(SizedRows):
    """The questions of one request. Implements :class:`reward_gateway.backends.encoded_rows.EncodedRows`."""

    questions: list[Question] = field(default_factory=list)

    @classmethod
    def of(cls, questions: list[Question], sizes: Sequence[int]) -> "QuestionRows":
        return cls(list(itertools.accumulate(sizes)), questions)


def inputs_of(config: UpstreamConfig) -> tuple[str, ...]:
    """The fields of a sample that an upstream's score depends on."""
    by_input: dict[Input, tuple[str, ...]] = {
        "messages": ("messages", "prompt", "response"),
        "text": ("messages", "prompt", "response"),
        "pair": ("prompt", "response"),
        "response": ("response",),
    }
    whole = by_input[config.input] if config.tensors is None or config.makes_tokens else ()
    named = (*whole, *(name.partition(".")[0] for name in config.named_fields))
    if config.tensors is not None and "text" in config.tensors.inputs:
        named = (*by_input[config.input], *named)
    named = tuple(dict.fromkeys(name for name in named if name != "text"))
    return (*named, "images") if config.images and "images" not in named else named


class QuestionEncoder:
    """Encodes the rows of a batch for one upstream.

    Implements :data:`reward_gateway.backends.encoded_rows.EncodeRows`.
    """

    def __init__(self, config: UpstreamConfig) -> None:
        source = config.template_source
        self._template = ChatTemplate(source, config.special_tokens) if source else None
        # A token that the template writes and the server adds would stand there twice.
        self._bos = config.special_tokens.get("bos_token", "") if config.adds_special_tokens else ""
        self._tokens = TextTokens.of(config)

    def takes_long(self, config: UpstreamConfig, batch: Batch, rows: Sequence[int]) -> bool:
        """Whether tokenizing and rendering their texts may take over some 20 ms: a microsecond or two a character.

        Implements :data:`reward_gateway.backends.encoded_rows.TakesLong`.
        """
        if self._tokens is None and self._template is None:
            return False
        left = MOST_CHARACTERS
        for row in rows:
            left -= count_json_bytes(batch.prompts[row] or "") + count_json_bytes(batch.responses[row] or "")
            if left < 0:
                return True
        return False

    def encode(self, config: UpstreamConfig, batch: Batch, rows: Sequence[int]) -> Encoded[QuestionRows]:
        """Questions about rows of a batch; a row that cannot be asked about gets a reason."""
        invalid: dict[int, Invalid] = {}
        questions: list[Question] = []
        for k, row in enumerate(rows):
            question = self._ask_about(config, batch, row)
            if isinstance(question, Invalid):
                invalid[k] = question
            else:
                questions.append(question)
        positions = [k for k in range(len(rows)) if k not in invalid]
        return Encoded(QuestionRows.of(questions, [*map(_count_bytes, questions)]), positions, invalid)

    def _ask_about(self, config: UpstreamConfig, batch: Batch, row: int) -> Question | Invalid:
        response = batch.responses[row]
        if response is None:
            return Invalid("missing_field", "The model needs 'response'.", param="response")
        prompt = batch.prompts[row]
        images = ((batch.column("images") or [[]] * batch.size)[row] or []) if config.images else []
        for m, image in enumerate(images):
            if image.data is None:
                return Invalid("invalid_media", "Its bytes were not fetched.", param=f"images[{m}]")
        messages = join_conversation(prompt, response, images)
        question = Question(
            [dict(with_calls(message, write_arguments, ids=True)) for message in messages],
            as_unicode(flatten_prompt(prompt)),
            as_unicode(flatten_response(response)),
        )
        if config.input == "response":
            question.text = question.response
        elif self._template is not None:
            try:
                question.text = self._template.render(messages).removeprefix(self._bos)
            except TemplateError as error:
                return Invalid("invalid_field", str(error), param="response")
        for name in config.named_fields:
            value = _read_field(batch, row, name, question)
            if isinstance(value, Invalid):
                return value
            if isinstance(value, str):
                question.fields[name] = as_unicode(value)
            else:
                question.numbers[name] = value
        return self._measure(config, question)

    def _measure(self, config: UpstreamConfig, question: Question) -> Question | Invalid:
        """The question, with what its tokens say of it; a reason if it has too many."""
        if self._tokens is None:
            return question
        pair = config.input == "pair"
        first, second = (question.prompt, question.response) if pair else (question.text, None)
        if self._tokens.exceeds_limit(first, second):
            if not config.truncate:
                message = f"The text has over {config.max_tokens} tokens, which the model takes."
                return Invalid("too_large", message, param="response")
            question.truncated = True
        if config.makes_tokens:
            question.tokens, question.segments = self._tokens.encode(first, second)
        if config.step_mark is not None:
            question.tokens, question.steps = self._tokens.find_steps(question.text)
            if not question.steps:
                message = "The text has none of the marks behind its steps (step_mark)."
                return Invalid("invalid_field", message, param="response")
        return question


def _read_field(batch: Batch, row: int, name: str, question: Question) -> str | list[float] | Invalid:
    """The text of one field of a sample, or the numbers of one of its features."""
    if name.startswith(FEATURE):
        held = (batch.features or [{}] * batch.size)[row].get(name.removeprefix(FEATURE))
        if held is None:
            return Invalid("missing_field", f"The model needs '{name}'.", param="features")
        try:
            return [float(number) for number in np.ravel(np.asarray(held, np.float64))]
        except ValueError:
            return Invalid("invalid_field", f"'{name}' is no table of numbers.", param="features")
    if name in ("prompt", "response", "text"):
        return str(getattr(question, name))
    if name == "messages":
        return canonical_json(write_images(question.messages))
    value = (batch.column(name) or [None] * batch.size)[row]
    if value is None or value == []:
        return Invalid("missing_field", f"The model needs '{name}'.", param=name)
    return value if isinstance(value, str) else canonical_json(value)


def _count_bytes(question: Question) -> int:
    """About as many bytes as the question has in a request."""
    numbers = len(question.tokens) + sum(map(len, question.numbers.values()))
    texts = len(question.text) + sum(map(len, question.fields.values()))
    return sum(map(_count_message, question.messages)) + texts + 24 * numbers + 64


def _count_message(message: dict[str, Any]) -> int:
    content = message.get("content")
    if len(message) == 2 and isinstance(content, str):  # as most are
        return len(content) + 40
    return count_json_bytes(message)
