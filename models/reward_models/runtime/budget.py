"""Batching by token budget: texts of similar length go together, and no batch exceeds a number of padded tokens.

A batch costs its longest text times its rows, and what a run costs beside them: it reads all weights. Sorted by length
and cut where both together cost least there is little padding, and memory is bounded for any input.
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

RUN_TOKENS_PER_THREAD = 12
"""Tokens that take a CPU as long as a run costs beside its own, for each thread of a session. It depends little on the
model, whose weights are both read and multiplied: 2.7 ms and 0.23 ms a token for MiniLM on one thread, 1.9 and 0.13 ms
on two."""


def choose_budget(threads: int, *, on_gpu: bool) -> int:
    """Padded tokens of a batch where a card names none.

    Args:
        threads: of one session.
    """
    return GPU_TOKENS if on_gpu else min(TOKENS_PER_THREAD * threads, MOST_TOKENS)


def choose_run_tokens(threads: int, *, on_gpu: bool) -> int:
    """Padded tokens that are worth a run less; on a GPU no padding within the budget is worth a further run.

    Args:
        threads: of one session.
    """
    return GPU_TOKENS if on_gpu else RUN_TOKENS_PER_THREAD * threads


def batch_by_tokens(lengths: Sequence[int], budget: int, run_tokens: int) -> list[NDArray[np.intp]]:
    """Split rows into batches of similar length, those that cost least in padded tokens and runs.

    The least cost of the shortest rows is found for ever more of them, each time over all that the last batch may hold.

    Args:
        lengths: tokens of each row.
        budget: maximum tokens per batch, padded to its longest row; a longer row is a batch of its own.
        run_tokens: tokens that cost as much as a run beside its own; with as many as the budget, batches are as few as
            may be.

    Returns:
        Row numbers per batch, shortest rows first; each row occurs once.
    """
    order = np.argsort(np.asarray(lengths, np.intp), kind="stable")
    least = np.zeros(len(order) + 1)
    begins = np.zeros(len(order) + 1, np.intp)  # of the last batch, where a batch ends at each row
    for stop in range(1, len(order) + 1):
        longest = lengths[order[stop - 1]]
        first = max(0, stop - max(1, budget // longest)) if longest else 0
        costs = least[first:stop] + run_tokens + longest * np.arange(stop - first, 0, -1)
        begins[stop] = first + np.argmin(costs)
        least[stop] = costs.min()
    batches, stop = [], len(order)
    while stop:
        batches.append(order[begins[stop] : stop])
        stop = begins[stop]
    return batches[::-1]


def pad_rows(rows: Sequence[Sequence[int]], pad: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids [n, longest] padded with ``pad``, and the attention mask: 1 on tokens, 0 on padding."""
    lengths = np.fromiter(map(len, rows), np.intp, len(rows))
    mask = np.arange(int(lengths.max()))[None, :] < lengths[:, None]
    ids = np.full(mask.shape, pad, np.int64)
    ids[mask] = np.concatenate([np.asarray(row, np.int64) for row in rows])
    return ids, mask.astype(np.int64)
