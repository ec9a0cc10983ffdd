"""What a rule reads of a response: its final text, the whole of it, or its reasoning; and whose turns count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reward_gateway.sample import Message, Text, own_turns, turn_text

from .reasoning import opens_reasoning, split_reasoning

Part = Literal["final", "whole", "reasoning"]
Turns = Literal["own", "all"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A response, read once.

    Attributes:
        whole: all that the policy wrote: its turns, joined by a blank line.
        final: the last turn without its reasoning; empty if the last turn is another's, or is not finished.
        reasoning: blocks of reasoning and messages' ``reasoning_content``, joined by a blank line.
        unfinished: a block of reasoning was opened and not closed, so there is no answer.
    """

    whole: str
    final: str
    reasoning: str
    unfinished: bool

    def part(self, name: Part) -> str:
        """The text that an operation with ``text: NAME`` reads."""
        return self.final if name == "final" else self.whole if name == "whole" else self.reasoning


def read_response(response: Text, *, opened: bool = False, turns: Turns = "own", calls: bool = False) -> Reading:
    """Read a response.

    Args:
        response: a text, or chat messages.
        opened: the response begins inside reasoning that the prompt opened.
        turns: own: the assistant's alone. all: those of tools, users and others, too.
        calls: the tool calls of a message are part of its text, as JSON below its words.
    """
    if isinstance(response, str):
        response = without_mark(response)
        split = split_reasoning(response, opened=opened)
        return Reading(response, split.final, split.reasoning, split.unfinished)
    counted = _counted_turns(response, turns)
    if not counted:
        return Reading("", "", "", unfinished=False)
    texts = [turn_text(turn, calls=calls) for turn in counted]
    splits = [split_reasoning(text, opened=opened and i == 0) for i, text in enumerate(texts)]
    reasoning = [
        part for turn, split in zip(counted, splits, strict=True) for part in (_told(turn), split.reasoning) if part
    ]
    last = splits[-1] if counted[-1] is response[-1] else None
    return Reading(
        "\n\n".join(texts),
        last.final if last is not None else "",
        "\n\n".join(reasoning),
        unfinished=last is not None and last.unfinished,
    )


def without_mark(text: str) -> str:
    """The text without a byte order mark before it."""
    return text.removeprefix("\ufeff")


def prompt_opens_reasoning(prompt: Text | None) -> bool:
    """Whether a prompt ends in the opening tag of a block of reasoning."""
    if not prompt:
        return False
    return opens_reasoning(prompt if isinstance(prompt, str) else turn_text(prompt[-1]))


def _counted_turns(response: Sequence[Message], turns: Turns) -> Sequence[Message]:
    own = response if turns == "all" else own_turns(response)
    return [] if isinstance(own, str) else own


def _told(turn: Message) -> str:
    told: Any = turn.get("reasoning_content")
    return told.strip() if isinstance(told, str) else ""
