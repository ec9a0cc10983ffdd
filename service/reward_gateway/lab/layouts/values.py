"""The values of a row: texts, messages, lists and numbers, or an error that names the column."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reward_gateway.sample import Text

Row = Mapping[str, Any]


class LayoutError(Exception):
    """A file has no layout that is known, or not the one that it is said to have; the message says what is missing."""


class RowError(Exception):
    """A row cannot be read; the message names the column."""


class LeftOut(Exception):
    """A row states no preference; the message says why."""


def is_text(value: Any) -> bool:
    """Whether a value is a text, or the messages of a conversation."""
    return isinstance(value, str) or is_messages(value)


def is_messages(value: Any) -> bool:
    """Whether a value is a list of messages."""
    return _is_list(value) and bool(value) and all(isinstance(turn, Mapping) and "role" in turn for turn in value)


def read_text(row: Row, column: str) -> Text:
    """A text or messages. Raises RowError."""
    value = row.get(column)
    if value is None:
        raise RowError(f"{column} is missing")
    if not is_text(value):
        raise RowError(f"{column} must be a text or a list of messages (role, content), not {_describe(value)}")
    text: Text = value
    return text


def read_texts(row: Row, column: str, *, least: int = 1) -> tuple[Text, ...]:
    """A list of texts; in a CSV file a JSON list. Raises RowError."""
    value = _read_list(row, column)
    if len(value) < least:
        raise RowError(f"{column} needs {'a response' if least == 1 else f'{least} responses'}, and has {len(value)}")
    for k, text in enumerate(value):
        if not is_text(text):
            raise RowError(f"{column}[{k}] must be a text or a list of messages, not {_describe(text)}")
    return tuple(value)


def read_numbers(row: Row, column: str) -> list[float]:
    """A list of numbers, true and false among them. Raises RowError."""
    value = _read_list(row, column)
    if not all(isinstance(number, bool | int | float) for number in value):
        raise RowError(f"{column} must be a list of numbers, or of true and false")
    return [float(number) for number in value]


def read_number(row: Row, column: str) -> float:
    """A number, in a CSV file its text. Raises RowError."""
    value = row.get(column)
    if value is None:
        raise RowError(f"{column} is missing")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise RowError(f"{column} must be a number, not {_describe(value)}") from None


def read_name(row: Row, column: str) -> str | None:
    """The text of a column that names something; None where it is missing."""
    value = row.get(column)
    return None if value is None else str(value)


def _read_list(row: Row, column: str) -> Sequence[Any]:
    value: Any = row.get(column)
    if value is None:
        raise RowError(f"{column} is missing")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not _is_list(value):
        raise RowError(f"{column} must be a list, not {_describe(row[column])}")
    items: Sequence[Any] = value
    return items


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _describe(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "such a value")
