"""Packs: contexts and their continuations as one row of tokens for a causal language model.

A continuation sees its context and itself, and nothing else of the row; positions go on from the context's end. So a
context is read once however many continuations it has, nothing is padded, and a continuation's numbers do not depend
on what stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Tokens = tuple[int, ...]


@dataclass(slots=True)
class Pack:
    """One row of tokens, and where each continuation lies in it.

    Attributes:
        rows: which of the given pairs each continuation is.
        spans: first place and end of each continuation.
        last: the place of its context's last token.
    """

    rows: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    _ids: list[int] = field(default_factory=list)
    _positions: list[int] = field(default_factory=list)
    _segments: list[int] = field(default_factory=list)
    _contexts: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._ids)

    def add_context(self, tokens: Tokens) -> int:
        """Add a context; its first place."""
        start = len(self)
        self._add_segment(tokens, 0, context=start)
        return start

    def add_continuation(self, row: int, tokens: Tokens, context: int, end: int) -> None:
        """Add a continuation of the context that lies from ``context`` to ``end``."""
        start = len(self)
        self._add_segment(tokens, end - context, context=context)
        self.rows.append(row)
        self.spans.append((start, len(self)))
        self.last.append(end - 1)

    def _add_segment(self, tokens: Tokens, position: int, context: int) -> None:
        # A segment is named by its first place: no two have the same.
        start = len(self)
        self._ids += tokens
        self._positions += range(position, position + len(tokens))
        self._segments += [start] * len(tokens)
        self._contexts += [context] * len(tokens)

    def graph_inputs(self) -> dict[str, IntArray]:
        """What every graph over packs reads: ``ids``, ``positions``, ``segments``, ``contexts``, each [t]."""
        columns = {"ids": self._ids, "positions": self._positions}
        columns |= {"segments": self._segments, "contexts": self._contexts}
        return {name: np.array(values, np.int64) for name, values in columns.items()}

    def prediction_steps(self) -> tuple[IntArray, IntArray]:
        """For every token of every continuation the place before it, and its own id, [m] each."""
        sources = [
            place
            for (start, end), last in zip(self.spans, self.last, strict=True)
            for place in (last, *range(start, end - 1))
        ]
        targets = [token for start, end in self.spans for token in self._ids[start:end]]
        return np.array(sources, np.int64), np.array(targets, np.int64)


def build_packs(pairs: Sequence[tuple[Tokens, Tokens]], budget: int) -> list[Pack]:
    """Lay pairs of context and continuation into packs.

    Args:
        pairs: token ids; neither side may be empty.
        budget: tokens of a pack. A long context is not counted against its own continuations, of which a pack then
            holds up to ``budget`` tokens: what it costs to read it again is bounded.

    Returns:
        Packs in which every pair lies once; pairs of one context lie together, short ones first.
    """
    by_context: dict[Tokens, list[int]] = {}
    for row, (context, _) in enumerate(pairs):
        by_context.setdefault(context, []).append(row)
    packs = [Pack()]
    for context in sorted(by_context, key=len):
        rows = sorted(by_context[context], key=lambda row: len(pairs[row][1]))
        whole = len(context) + sum(len(pairs[row][1]) for row in rows)
        if packs[-1].rows and len(packs[-1]) + whole > budget:
            packs.append(Pack())
        start = packs[-1].add_context(context)
        for row in rows:
            tokens = pairs[row][1]
            if start == 0 and packs[-1].rows and len(packs[-1]) + len(tokens) > len(context) + budget:
                packs.append(Pack())
                packs[-1].add_context(context)
            packs[-1].add_continuation(row, tokens, start, start + len(context))
    return packs if pairs else []
