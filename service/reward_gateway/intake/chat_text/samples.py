"""Samples of clients that send text: what their prompt and their response are, by the format of the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from reward_gateway.errors import InvalidRequest, TooLarge
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Batch, Invalid
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.messages import ChatMessage
from reward_gateway.settings import Settings

from .chat_format import Turn
from .query import read_query
from .reader import PLAIN_TEXT, PROMPT_TRUNCATED, ChatText, read_response, read_whole
from .recognition import CHOICES, RECIPE

NO_ANSWER = Invalid("missing_field", "the chat text has no turn of the assistant", param="response")
NO_PROMPT = Invalid(
    "missing_field",
    "the text has no chat marks, so that its prompt is not known (plain_text: refuse); send it rendered by a chat "
    "template, or prompt and response apart",
    param="prompt",
)

MARKS = 65_536
"""Characters of marks that a text may have beside its prompt and its response."""

Holds = Literal["response", "conversation", "query"]


class TextSample(SampleItem):
    """A sample whose ``response`` is text that holds more than the response.

    Attributes:
        holds: ``conversation``: the whole of it, rendered or plain; ``query``: the prompt and then the response.
    """

    holds: Holds = "conversation"


@dataclass(frozen=True, slots=True)
class TextReading:
    """How a request's texts are read.

    Attributes:
        choice: ``auto``, ``none``, or the name of a format.
        refuse_plain: a single text without marks is invalid, instead of the response to the prompt ``""``.
        max_chars: a longer text cannot hold a prompt and a response within their limits. None: no limit.
    """

    choice: str
    refuse_plain: bool = False
    max_chars: int | None = None

    @classmethod
    def of(cls, plan: Plan, settings: Settings, chosen: str | None = None) -> "TextReading":
        """As the recipe and the settings say; ``chosen`` is the request's own choice, if it has one.

        Raises:
            InvalidRequest: there is no such format.
        """
        if chosen is not None and chosen not in CHOICES:
            known = ", ".join(CHOICES)
            raise InvalidRequest(f"chat_format: there is no such chat format; known: {known}", param="chat_format")
        refuses = (plan.plain_text or settings.plain_text) == "refuse"
        choice = plan.chat_format if chosen is None or chosen == RECIPE else chosen
        return cls(choice, refuses, 2 * settings.max_text_chars + MARKS)


@dataclass(frozen=True, slots=True)
class ReadSamples:
    """What was noticed of samples by reading them: row -> flags, and row -> why it has no score."""

    flags: dict[int, tuple[str, ...]]
    invalid: dict[int, Invalid]

    def apply(self, batch: Batch) -> None:
        """Give the samples of the batch that was made of them their flags and reasons."""
        for row, flags in self.flags.items():
            batch.flag(row, *flags)
        for row, reason in self.invalid.items():
            batch.invalid.setdefault(row, reason)


def read_samples(samples: Sequence[SampleItem], reading: TextReading) -> ReadSamples:
    """Put prompts and responses that were sent as text into the samples, as a native request would have them.

    Raises:
        TooLarge: a text is longer than prompt and response together may be.
    """
    noticed = ReadSamples({}, {})
    for row, sample in enumerate(samples):
        if not isinstance(sample.response, str):
            continue
        if reading.max_chars is not None and len(sample.response) > reading.max_chars:
            raise TooLarge(
                f"{len(sample.response)} characters are over the limits of prompt and response",
                param=f"samples[{row}].response",
            )
        text = _read_sample(sample, sample.response, reading.choice)
        if text.flags:
            noticed.flags[row] = text.flags
        if text.turns is not None:
            sample.prompt = prompt_of(text.turns)
        if text.answer is None:
            sample.response = None
            noticed.invalid[row] = NO_ANSWER
        else:
            sample.response = response_of(text.answer)
        if PLAIN_TEXT in text.flags:
            sample.prompt = ""
            if reading.refuse_plain:
                noticed.invalid[row] = NO_PROMPT
    return noticed


def _read_sample(sample: SampleItem, response: str, choice: str) -> ChatText:
    holds: Holds = sample.holds if isinstance(sample, TextSample) else "response"
    if holds == "conversation":
        return read_whole(response, choice)
    prompt = sample.prompt if isinstance(sample.prompt, str) else None
    if holds == "query":
        given = sample.prompt if isinstance(sample.prompt, list) else []
        return read_query(response, prompt, choice, sum(message.role == "assistant" for message in given))
    return read_response(prompt, response, choice)


def read_rendered(text: str, reading: TextReading) -> ChatText | None:
    """A conversation that a chat template rendered from its first turn on.

    None for other text, which may quote turns, and for text that is too long to be one.
    """
    if reading.max_chars is not None and len(text) > reading.max_chars:
        return None
    read = read_whole(text, reading.choice)
    return None if {PLAIN_TEXT, PROMPT_TRUNCATED}.intersection(read.flags) else read


def read_columns(columns: dict[str, list[Any]], reading: TextReading) -> ReadSamples:
    """Replace the column ``response``, whose texts are whole conversations, by the columns of what they hold."""
    samples = [TextSample(response=text) for text in columns["response"]]
    noticed = read_samples(samples, reading)
    columns["prompt"] = [sample.prompt for sample in samples]
    columns["response"] = [sample.response for sample in samples]
    return noticed


def prompt_of(turns: Sequence[Turn]) -> str | list[ChatMessage]:
    """The prompt of these turns: the text of a single user turn, else messages; an empty text if there are none."""
    if not turns:
        return ""
    if len(turns) == 1 and turns[0] == Turn("user", turns[0].content):
        return turns[0].content
    return [_message_of(turn) for turn in turns]


def response_of(answer: Turn) -> str | list[ChatMessage]:
    """The response's text, or its message where it has more than a text."""
    return answer.content if answer == Turn("assistant", answer.content) else [_message_of(answer)]


def _message_of(turn: Turn) -> ChatMessage:
    calls = [
        {"type": "function", "function": {"name": name, "arguments": arguments}} for name, arguments in turn.tool_calls
    ]
    return ChatMessage(
        turn.role,
        turn.content,
        tool_calls=msgspec.Raw(msgspec.json.encode(calls)) if calls else UNSET,
        tool_call_id=turn.tool_call_id,
        reasoning_content=turn.reasoning,
    )
