"""Batches by tokens: texts of like length go together, and no batch holds more tokens, padding included, than a budget.

A batch by rows costs what its longest text costs times its rows; sorted by length and cut by tokens, padding is
nearly nothing and memory is bounded whatever the caller sends.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def batch_by_tokens(lengths: Sequence[int], budget: int) -> list[NDArray[np.intp]]:
    """Cut rows into batches of like length.

    Args:
        lengths: tokens of each row.
        budget: the most tokens a batch may hold once padded to its longest row; a row longer than that goes alone.

    Returns:
        Row numbers of each batch, shortest rows first; every row once.
    """
    order = np.argsort(np.asarray(lengths, np.intp), kind="stable")
    batches, start = [], 0
    for stop in range(1, len(order) + 1):
        # Rows come in rising length: the row at ``stop`` would be the longest of a batch that took it.
        if stop == len(order) or lengths[order[stop]] * (stop + 1 - start) > budget:
            batches.append(order[start:stop])
            start = stop
    return batches


def pad_rows(rows: Sequence[Sequence[int]], pad: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids [n, longest] filled up with ``pad``, and the mask that is 1 on each row's own tokens."""
    lengths = np.fromiter(map(len, rows), np.intp, len(rows))
    mask = np.arange(int(lengths.max()))[None, :] < lengths[:, None]
    ids = np.full(mask.shape, pad, np.int64)
    ids[mask] = np.concatenate([np.asarray(row, np.int64) for row in rows])
    return ids, mask.astype(np.int64)
