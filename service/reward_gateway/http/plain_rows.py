"""The results of a batch of which every row is as plain as most: written from columns, without an object per row.

A row is the same everywhere but for its name and its numbers. These are encoded column by column, taken apart at what
stands between two of them, and joined with what is the same: half the time of a dictionary for each.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Any

import orjson

from reward_gateway.sample import ComponentScores, FloatArray, Scored

FEWEST = 16
"""Rows from which it is worth it."""

_FALSE, _TRUE = b"false", b"true"
_COMPUTED = b',"skipped":null'


def are_plain(scored: Scored) -> bool:
    """Whether every row has its numbers and nothing else to tell."""
    if scored.rewards is not None or scored.reward_raw is not None or scored.flags or scored.versions:
        return False
    return not any(part.differs_by_row for part in scored.components.values())


def write_plain_rows(
    names: Sequence[str], reward: FloatArray, components: dict[str, ComponentScores], chosen: slice | None
) -> bytes:
    """The JSON of plain rows, without the brackets around them.

    Args:
        names: [n] of the rows.
        reward: [n] likewise.
        components: of the whole batch; empty where they are not explained.
        chosen: which rows of the components; None: all.
    """
    pieces: list[Iterable[bytes]] = []
    constant = b'{"id":"'

    def add(column: Iterable[bytes], before: bytes) -> None:
        pieces.extend((repeat(before), column))

    add(_encode_texts(names), constant)
    add(_encode_numbers(reward), b'","reward":')
    before = b',"rewards":null,"valid":true,"components":{'
    for name, part in components.items():
        raw = _encode_numbers(_cut(part.raw, chosen))
        value = raw if part.value is part.raw else _encode_numbers(_cut(part.value, chosen))
        cached = repeat(_FALSE) if part.cached is None else _encode_flags(_cut(part.cached, chosen).tolist())
        add(raw, b'%b%b:{"raw":' % (before, orjson.dumps(name)))
        add(value, b',"value":')
        of_model = orjson.dumps(part.model), orjson.dumps(part.model_version)
        add(cached, b',"model":%b,"model_version":%b,"cached":' % of_model)
        before = _COMPUTED + b"},"
    end = b'%b},"flags":[],"error":null},' % (_COMPUTED + b"}" if components else before)
    return b"".join(chain.from_iterable(zip(*pieces, repeat(end))))[:-1]


def _cut(column: Any, chosen: slice | None) -> Any:
    return column if chosen is None else column[chosen]


def _encode_texts(texts: Sequence[str]) -> list[bytes]:
    """Texts in JSON, without the quotes around them."""
    together = orjson.dumps(list(texts))
    if b"\\" in together:  # perhaps a quote within one
        return [orjson.dumps(text)[1:-1] for text in texts]
    return together[2:-2].split(b'","')


def _encode_numbers(values: FloatArray) -> list[bytes]:
    return orjson.dumps(values.tolist())[1:-1].split(b",")


def _encode_flags(flags: Sequence[bool]) -> Iterable[bytes]:
    if all(flags):
        return repeat(_TRUE)
    return (_TRUE if flag else _FALSE for flag in flags) if any(flags) else repeat(_FALSE)
