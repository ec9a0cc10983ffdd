"""Gives an operation the part of each response that its parameters ask for."""

import numpy as np

from ..columns import Columns
from ..outcome import Outcome
from .params import TextParams
from .response import Reading, read_response, without_mark

RESPONSE = "response"
OPENED = "reasoning_opened"
"""Column beside an operation's fields: the response begins inside reasoning that its prompt opened."""
UNFINISHED = "unfinished_reasoning"
"""The detail of an item that has no answer because its reasoning does not end."""


def view_texts(columns: Columns, params: TextParams, *, calls: bool = False) -> tuple[Columns, list[int]]:
    """Columns whose responses are the part of the text that ``params`` ask for.

    Args:
        columns: responses are texts, or chat messages.
        calls: tool calls are part of a text, as JSON.

    Returns:
        The columns, and the rows without an answer because their reasoning does not end. The response of such a row is
        an empty text, so that the operation still checks the rest of its item.
    """
    responses = columns.objects(RESPONSE)
    opened = columns.objects(OPENED, False)
    forced = params.reasoning == "opened"
    texts: list[str | None] = []
    unfinished: list[int] = []
    for i, response in enumerate(responses):
        if response is None:  # it may be left out
            texts.append(None)
            continue
        if params.text == "whole" and isinstance(response, str):
            texts.append(without_mark(response))
            continue
        reading = read_response(response, opened=forced or bool(opened[i]), turns=params.turns, calls=calls)
        if reading.unfinished and params.text == "final":
            if params.unfinished == "wrong":
                unfinished.append(i)
                texts.append("")
            else:
                texts.append(_read_unfinished(reading))
        else:
            texts.append(reading.part(params.text))
    return columns.replaced(RESPONSE, texts), unfinished


def _read_unfinished(reading: Reading) -> str:
    return "\n\n".join(part for part in (reading.final, reading.reasoning) if part)


def mark_unfinished(outcome: Outcome, rows: list[int], size: int) -> Outcome:
    """The outcome with 0 for responses whose reasoning does not end, unless their item is invalid for another cause."""
    if not rows:
        return outcome
    ended = set(rows)
    if outcome.reward is not None:
        outcome.reward = np.array(
            [0.0 if i in ended and i not in outcome.invalid else value for i, value in enumerate(outcome.reward)]
        )
    outcome.details = {**outcome.details, UNFINISHED: [i in ended or None for i in range(size)]}
    return outcome
