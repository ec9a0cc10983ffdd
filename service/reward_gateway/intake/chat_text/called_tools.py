"""Calls of tools in an assistant's turn: read where a tool's turn follows, as what was answered was a call.

A response stays as it was written.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from reward_gateway.sample.written_calls import find_calls

from .chat_format import Turn


def read_answered_calls(turns: Sequence[Turn]) -> list[Turn]:
    """The turns; assistants' that tools answer with their calls apart from their words."""
    read = list(turns)
    for k, (turn, after) in enumerate(pairwise(turns)):
        if turn.role == "assistant" and after.role == "tool" and not turn.tool_calls:
            found = find_calls(turn.content)
            if found is not None:
                words, calls = found
                read[k] = turn._replace(content=words, tool_calls=tuple((name, _as_json(held)) for name, held in calls))
    return read


def _as_json(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
