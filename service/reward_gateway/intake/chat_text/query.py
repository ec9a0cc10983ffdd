"""Where the response begins in a text that holds prompt and response, when the prompt is known.

A trainer's tokeniser may have changed the prompt in that text: marks of the beginning and padding before it, image
placeholders repeated for every patch, and its left part cut off.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from .marks import skip_leading, strip_leading
from .reader import PROMPT_TRUNCATED, ChatText, read_response, read_whole
from .recognition import AUTO, NONE, recognise

SHORTEST_REST = 8
"""Characters of the end of a prompt that are enough to tell that its beginning was cut off."""

_TRIES = 64
_PLACEHOLDERS = re.compile(
    r"(<\|image_pad\|>|<\|video_pad\|>|<image_soft_token>|<image>|<\|image\|>|<IMG_CONTEXT>|<\|media_pad\|>|"
    r"<\|image_1\|>|<\|placeholder\|>|<img_patch>|\[IMG\]|\[IMG_BREAK\]|<image_pad>)(?:(?:\s?\1)|\[IMG_(?:BREAK|END)\])+"
)
_ODD = np.uint64(0x9E3779B97F4A7C15)


def read_query(query: str, prompt: str | None, choice: str = AUTO, answered: int = 0) -> ChatText:
    """The response of a text that begins with its prompt; the prompt is the one that was given.

    Args:
        prompt: rendered or plain; None where it was given as messages.
        answered: how many turns of the assistant the messages have.
    """
    if prompt == "" and recognise(strip_leading(query), choice) is not None:
        return read_whole(query, choice)
    place, cut = _find_response(query, prompt) if prompt else (None, False)
    if place is not None:
        found = read_response(prompt, query[place:], choice)
        return _add_flag(found) if cut else found
    whole = _read_by_turns(query, prompt, choice, answered) if choice != NONE else None
    return whole or read_response(prompt, query, choice)


def _find_response(query: str, prompt: str) -> tuple[int | None, bool]:
    """Where the response begins, and whether the prompt before it was cut; None if the prompt is not there."""
    if query.startswith(prompt):
        return len(prompt), False
    skipped = skip_leading(query)
    asked, places = _collapse(query[skipped:])
    known, _ = _collapse(prompt[skip_leading(prompt) :])
    if known and asked.startswith(known):
        return skipped + _restore(places, len(known)), False
    overlap = find_overlap(_collapse(prompt)[0], asked)  # its first marks may be cut, too
    if overlap >= min(SHORTEST_REST, len(known)) and overlap > 0:
        return skipped + _restore(places, overlap), True
    return None, False


def find_overlap(prompt: str, query: str) -> int:
    """The length of the longest end of the prompt with which the query begins.

    Hashes of all ends and beginnings are compared at once; equal ones are checked, the longest first.
    """
    n = min(len(prompt), len(query))
    if n == 0:
        return 0
    ends, begins = _codes(prompt[len(prompt) - n :]), _codes(query[:n])
    powers = np.cumprod(np.full(n, _ODD), dtype=np.uint64)
    begun = np.cumsum(begins * powers, dtype=np.uint64)
    summed = np.cumsum(ends * powers, dtype=np.uint64)
    ended = (summed[-1] - np.concatenate([np.zeros(1, np.uint64), summed[:-1]]))[::-1]
    shifts = np.concatenate([np.ones(1, np.uint64), powers])[:n][::-1]  # an end of length k begins n - k places later
    lengths = np.flatnonzero(begun * shifts == ended)[::-1][:_TRIES] + 1
    return next((length for length in lengths.tolist() if prompt.endswith(query[:length])), 0)


def _read_by_turns(query: str, prompt: str | None, choice: str, answered: int) -> ChatText | None:
    """A rendered text whose prompt is written otherwise: the response follows as many answers as the prompt has."""
    body = strip_leading(query)
    found = recognise(body, choice)
    if found is None:
        return None
    headers = found.format.find_headers(body)
    answers = [header for header in headers if header.role == "assistant"]
    if prompt is not None:
        known = strip_leading(prompt)
        given = recognise(known, choice)
        roles = [header.role for header in given.format.find_headers(known)] if given else []
        answered = max(0, roles.count("assistant") - (roles[-1:] == ["assistant"]))
    if not answers:
        return None
    opened = answers[answered] if answered < len(answers) else answers[0]
    begin = len(body) - len(found.format.remove_added(body[opened.end :]))
    read = read_response(body[:begin], body[begin:], choice)
    if prompt is None or recognise(strip_leading(prompt), choice) is not None:
        given_turns = read_response(prompt, "", choice).turns if prompt is not None else None
        read = replace(read, turns=given_turns)
    return _add_flag(read) if found.cut else read


def _add_flag(text: ChatText) -> ChatText:
    return replace(text, flags=tuple(dict.fromkeys((PROMPT_TRUNCATED, *text.flags))))


def _codes(text: str) -> NDArray[np.uint64]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64) + np.uint64(1)


def _collapse(text: str) -> tuple[str, list[tuple[int, int]]]:
    """A text with one image placeholder for each row of them; after which places how much was left out."""
    pieces, places, begin, removed = [], [], 0, 0
    for match in _PLACEHOLDERS.finditer(text):
        pieces.append(text[begin : match.end(1)])
        begin = match.end()
        removed += match.end() - match.end(1)
        places.append((match.end(1) - removed + match.end() - match.end(1), removed))
    if not places:
        return text, places
    return "".join([*pieces, text[begin:]]), places


def _restore(places: Sequence[tuple[int, int]], place: int) -> int:
    """The place in the original text of a place in the collapsed one."""
    return place + max(chain([0], (removed for at, removed in places if at <= place)))
