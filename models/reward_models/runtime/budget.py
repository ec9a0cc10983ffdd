"""Batching by token budget: texts of similar length go together, and no batch exceeds a number of padded tokens.

A batch costs its longest text times its rows. Sorted by length and cut by tokens there is little padding, and memory
is bounded for any input.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TOKENS_PER_THREAD = 512
"""Padded tokens of a batch on a CPU, for each thread of a session: what a core's cache holds."""

MOST_TOKENS = 4096
"""Padded tokens of a batch on a CPU at most."""

GPU_TOKENS = 32768
"""Padded tokens of a batch on a GPU."""


def choose_budget(threads: int, *, on_gpu: bool) -> int:
    """Padded tokens of a batch where a card names none.

    Args:
        threads: of one session.
    """
    return GPU_TOKENS if on_gpu else min(TOKENS_PER_THREAD * threads, MOST_TOKENS)


def batch_by_tokens(lengths: Sequence[int], budget: int) -> list[NDArray[np.intp]]:
    """Split rows into batches of similar length.

    Args:
        lengths: tokens of each row.
        budget: maximum tokens per batch, padded to its longest row; a longer row is a batch of its own.

    Returns:
        Row numbers per batch, shortest rows first; each row occurs once.
    """
    order = np.argsort(np.asarray(lengths, np.intp), kind="stable")
    batches, start = [], 0
    for stop in range(1, len(order) + 1):
        # Rows are sorted by length: the row at ``stop`` would be the longest of this batch.
        if stop == len(order) or lengths[order[stop]] * (stop + 1 - start) > budget:
            batches.append(order[start:stop])
            start = stop
    return batches


def pad_rows(rows: Sequence[Sequence[int]], pad: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids [n, longest] padded with ``pad``, and the attention mask: 1 on tokens, 0 on padding."""
    lengths = np.fromiter(map(len, rows), np.intp, len(rows))
    mask = np.arange(int(lengths.max()))[None, :] < lengths[:, None]
    ids = np.full(mask.shape, pad, np.int64)
    ids[mask] = np.concatenate([np.asarray(row, np.int64) for row in rows])
    return ids, mask.astype(np.int64)
