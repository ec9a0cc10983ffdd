"""Packs: contexts and their continuations as one row of tokens for a causal language model.

A continuation attends to its context and itself only; its positions continue from the context's end. So a context is
read once for all its continuations, nothing is padded, and a continuation's result does not depend on other
continuations in the row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Tokens = tuple[int, ...]


@dataclass(slots=True)
class Pack:
    """One row of tokens, and the positions of the continuations in it.

    Attributes:
        rows: index of the pair of each continuation.
        spans: start and end of each continuation.
        last: index of the last token of its context.
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
        """Add a context; returns its start."""
        start = len(self)
        self._add_segment(tokens, 0, context=start)
        return start

    def add_continuation(self, row: int, tokens: Tokens, context: int, end: int) -> None:
        """Add a continuation of the context from ``context`` to ``end``."""
        start = len(self)
        self._add_segment(tokens, end - context, context=context)
        self.rows.append(row)
        self.spans.append((start, len(self)))
        self.last.append(end - 1)

    def _add_segment(self, tokens: Tokens, position: int, context: int) -> None:
        # A segment's id is its start, which is unique.
        start = len(self)
        self._ids += tokens
        self._positions += range(position, position + len(tokens))
        self._segments += [start] * len(tokens)
        self._contexts += [context] * len(tokens)

    def graph_inputs(self) -> dict[str, IntArray]:
        """The inputs of every graph over packs: ``ids``, ``positions``, ``segments``, ``contexts``, each [t]."""
        columns = {"ids": self._ids, "positions": self._positions}
        columns |= {"segments": self._segments, "contexts": self._contexts}
        return {name: np.array(values, np.int64) for name, values in columns.items()}

    def prediction_steps(self) -> tuple[IntArray, IntArray]:
        """For every token of every continuation the index of the token that predicts it, and its id, [m] each."""
        sources = [
            place
            for (start, end), last in zip(self.spans, self.last, strict=True)
            for place in (last, *range(start, end - 1))
        ]
        targets = [token for start, end in self.spans for token in self._ids[start:end]]
        return np.array(sources, np.int64), np.array(targets, np.int64)


def build_packs(pairs: Sequence[tuple[Tokens, Tokens]], budget: int) -> list[Pack]:
    """Arrange pairs of context and continuation in packs.

    Args:
        pairs: token ids; neither side may be empty.
        budget: tokens per pack. A pack that begins with a long context still holds up to ``budget`` tokens of its
            continuations, which bounds how often the context is read again.

    Returns:
        Packs with every pair once; pairs with the same context are adjacent, short ones first.
    """
    by_context: dict[Tokens, list[int]] = {}
    for row, (context, _) in enumerate(pairs):
        by_context.setdefault(context, []).append(row)
    packs = [Pack()]
    for context in sorted(by_context, key=len):
        rows = sorted(by_context[context], key=lambda row: len(pairs[row][1]))
        total = len(context) + sum(len(pairs[row][1]) for row in rows)
        if packs[-1].rows and len(packs[-1]) + total > budget:
            packs.append(Pack())
        start = packs[-1].add_context(context)
        for row in rows:
            tokens = pairs[row][1]
            if start == 0 and packs[-1].rows and len(packs[-1]) + len(tokens) > len(context) + budget:
                packs.append(Pack())
                packs[-1].add_context(context)
            packs[-1].add_continuation(row, tokens, start, start + len(context))
    return packs if pairs else []
