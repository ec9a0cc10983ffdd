"""JSON in pieces: one call for a large value would hold the interpreter to its end, in whatever thread."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

_ENTRIES = 1000
"""Entries without entries of their own that one call encodes."""

_ENTRY_TYPES = frozenset((str, int, float, bool, type(None)))


def encode_json(value: Any) -> bytes:
    """A value as JSON, as :func:`json.dumps` writes it: for threads beside which others go on."""
    return "".join(_encode_pieces(value)).encode()


def _encode_pieces(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield "{"
        for place, (name, held) in enumerate(value.items()):
            yield f"{', ' if place else ''}{json.dumps(name)}: "
            yield from _encode_pieces(held)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        yield from _encode_entries(value)
        yield "]"
    else:
        yield json.dumps(value)


def _encode_entries(entries: Sequence[Any]) -> Iterator[str]:
    for start in range(0, len(entries), _ENTRIES):
        if start:
            yield ", "
        part = entries[start : start + _ENTRIES]
        if set(map(type, part)) <= _ENTRY_TYPES:
            yield json.dumps(part)[1:-1]
            continue
        for place, entry in enumerate(part):
            if place:
                yield ", "
            yield from _encode_pieces(entry)
