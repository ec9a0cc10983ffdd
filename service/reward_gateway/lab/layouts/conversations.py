"""Whole conversations, split into the prompt and the response: transcripts of HH, and lists of messages."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from reward_gateway.sample import Message, Text

from .values import RowError

_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


class Turns(NamedTuple):
    """A conversation as a prompt and the response to it."""

    prompt: Text
    response: Text


def split_dialogue(whole: Text, column: str) -> Turns:
    r"""The prompt and the response of a whole dialogue: a transcript ``\n\nHuman: … \n\nAssistant: …``, or messages.

    The response of a transcript is what follows the last ``Assistant:``.

    Raises:
        RowError: no assistant speaks last, or nobody before it.
    """
    if not isinstance(whole, str):
        return _split_messages(whole, column)
    marks = list(_TURN.finditer(whole))
    if not marks or marks[-1][1] != "Assistant":
        raise RowError(f"{column} must be a dialogue that ends with an Assistant: turn, as those of HH do")
    turns: list[Message] = [
        {"role": _ROLES[mark[1]], "content": whole[mark.end() : following.start()].strip()}
        for mark, following in pairwise(marks)
    ]
    if not turns:
        raise RowError(f"{column} has no Human: turn before the last Assistant: turn")
    return Turns(words_alone(turns, "user"), whole[marks[-1].end() :].strip())


def split_response(prompt: Text, response: Text, column: str) -> Turns:
    """The prompt and the response, where data sets give the response as the whole conversation or as its last turns.

    Raises:
        RowError: nobody answers the user.
    """
    if isinstance(response, str):
        return Turns(words_alone(prompt, "user"), response)
    if any(turn.get("role") == "user" for turn in response):
        return _split_messages(response, column)
    return Turns(words_alone(prompt, "user"), words_alone(response, "assistant"))


def words_alone(text: Text, role: str) -> Text:
    """One message of a role as its text, so that it equals one that was given as a text; everything else as it is."""
    if isinstance(text, str) or len(text) != 1 or text[0].get("role") != role or set(text[0]) - {"role", "content"}:
        return text
    content = text[0].get("content")
    return content if isinstance(content, str) else text


def _split_messages(messages: Sequence[Message], column: str) -> Turns:
    last = max((i for i, turn in enumerate(messages) if turn.get("role") == "user"), default=-1)
    if last < 0 or last + 1 == len(messages):
        raise RowError(f"{column} must hold a conversation that ends with the response to a user's turn")
    return Turns(words_alone(messages[: last + 1], "user"), words_alone(messages[last + 1 :], "assistant"))
