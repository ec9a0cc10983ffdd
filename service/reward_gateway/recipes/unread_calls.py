"""Samples whose messages call tools where nothing in the recipe sees calls: they are flagged, not passed over."""

from typing import Any

from reward_gateway.sample import Batch
from reward_gateway.sample.fields import of_form

from .plan import Plan

_PLAIN = frozenset((str, type(None)))
_CHAT = tuple(field.name for field in of_form("chat"))


def find_unread_calls(plan: Plan, batch: Batch) -> list[int]:
    """Rows of the samples with tool calls that no component of the recipe sees."""
    if plan.shows_calls:
        return []
    columns = [column for name in _CHAT if (column := batch.column(name)) and not _PLAIN.issuperset(map(type, column))]
    return sorted({i for column in columns for i, text in enumerate(column) if _has_calls(text)})


def _has_calls(text: Any) -> bool:
    return type(text) not in _PLAIN and any(message.get("tool_calls") for message in text)
