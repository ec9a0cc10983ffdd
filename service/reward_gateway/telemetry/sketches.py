"""Mergeable summaries of a column of numbers: exact moments, and a quantile sketch (DDSketch) with relative accuracy.

A sketch counts numbers in bins whose bounds grow by a constant factor, as ``ddsketch`` defines them. Merging
sketches adds the counts of equal bins, in any order, so that windows of several processes can be combined. Here the
bins of a whole array are computed at once; the library's own ``add`` takes one number at a time.
"""

import math
import sys
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import msgspec
import numpy as np
from ddsketch.mapping import LogarithmicMapping
from numpy.typing import NDArray

from reward_gateway.sample import FloatArray, IntArray

from .statistics import MIN_OBSERVATIONS, QUANTILES, drift_of_counts, saturation_of_counts

ACCURACY = 0.01
"""Maximum relative error of a quantile."""

_MAPPING = LogarithmicMapping(ACCURACY)
_PER_LOG2 = 1 / np.log2(_MAPPING.gamma)
_SMALLEST, _LARGEST = 1e-9, 1e300
"""Smaller magnitudes count as 0, and larger ones as the largest."""
_SHIFT = 1 - int(np.ceil(np.log2(_SMALLEST) * _PER_LOG2))
"""Added to the library's keys so that all are positive; a negative number has the negative of its magnitude's bin."""

_MOST_BIN = int(np.ceil(np.log2(_LARGEST) * _PER_LOG2)) + _SHIFT
"""The bin of the largest magnitude."""


class Summary(msgspec.Struct, array_like=True):
    """Summary of a column's finite numbers.

    Attributes:
        count: number of values.
        mean, squares: their mean, and the sum of squared deviations from it.
        low, high, at_low, at_high: the minimum and the maximum, and how many values equal each.
        bins, counts: the sketch, arrays of int32 and uint32 as bytes: ascending bins, and how many numbers are in each.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = 0.0
    high: float = 0.0
    at_low: int = 0
    at_high: int = 0
    bins: bytes = b""
    counts: bytes = b""


def summarise_values(values: FloatArray) -> Summary:
    """Summarise the finite numbers of an array."""
    numbers = values[np.isfinite(values)]
    if not len(numbers):
        return Summary()
    low, high = float(numbers.min()), float(numbers.max())
    scale = max(1.0, abs(low), abs(high))  # so that sums of very large numbers stay finite
    mean = float(np.mean(numbers / scale) * scale)
    with np.errstate(over="ignore"):
        squares = float(np.sum((numbers - mean) ** 2))
    bins, counts = _count_bins(bins_of(numbers))
    return Summary(
        len(numbers),
        mean,
        squares if np.isfinite(squares) else sys.float_info.max,
        low,
        high,
        int(np.count_nonzero(numbers == low)),
        int(np.count_nonzero(numbers == high)),
        bins.astype(np.int32).tobytes(),
        counts.astype(np.uint32).tobytes(),
    )


def merge_summaries(summaries: Sequence[Summary]) -> Summary:
    """Merge summaries into one of all numbers; the order does not matter, except for rounding."""
    parts = [part for part in summaries if part.count]
    if len(parts) < 2:
        return parts[0] if parts else Summary()
    weights = np.array([part.count for part in parts], np.float64)
    means = np.array([part.mean for part in parts])
    total = int(weights.sum())
    mean = float((means * (weights / total)).sum())
    with np.errstate(over="ignore"):
        squares = float(sum(part.squares for part in parts) + (weights * (means - mean) ** 2).sum())
    low, high = min(part.low for part in parts), max(part.high for part in parts)
    bins, counts = _count_bins(
        np.concatenate([np.frombuffer(part.bins, np.int32) for part in parts]),
        np.concatenate([np.frombuffer(part.counts, np.uint32) for part in parts]),
    )
    return Summary(
        total,
        mean,
        squares if np.isfinite(squares) else sys.float_info.max,
        low,
        high,
        sum(part.at_low for part in parts if part.low == low),
        sum(part.at_high for part in parts if part.high == high),
        bins.astype(np.int32).tobytes(),
        counts.astype(np.uint32).tobytes(),
    )


def describe_summary(summary: Summary) -> dict[str, Any]:
    """Same as :func:`.statistics.describe_values` of the numbers; quantiles to :data:`ACCURACY`, the rest exact."""
    if not summary.count:
        return {"count": 0, "mean": None, "std": None, "min": None, "max": None, "quantiles": None, "saturated": None}
    return {
        "count": summary.count,
        "mean": summary.mean,
        "std": float(np.sqrt(summary.squares / summary.count)),
        "min": summary.low,
        "max": summary.high,
        "quantiles": quantiles_of_summary(summary),
        "saturated": saturation_of_counts(
            summary.count, summary.at_low, summary.at_high, is_constant=summary.low == summary.high
        ),
    }


def quantiles_of_summary(summary: Summary) -> dict[str, float]:
    """The quantiles of a summary with numbers, by name: between two numbers as :func:`numpy.quantile` has them."""
    bins = np.frombuffer(summary.bins, np.int32).tolist()
    below = list(accumulate(np.frombuffer(summary.counts, np.uint32).tolist()))

    def value_at(rank: int) -> float:
        code = bins[min(bisect_right(below, rank), len(bins) - 1)]
        return 0.0 if code == 0 else math.copysign(_MAPPING.value(abs(code) - _SHIFT), code)

    quantiles = {}
    for q in QUANTILES:  # in Python: a few dozen bins take numpy several times as long
        rank, share = divmod(q * (summary.count - 1), 1.0)
        low = value_at(int(rank))
        value = low if not share else low + (value_at(int(rank) + 1) - low) * share
        quantiles[f"{q:g}"] = min(max(value, summary.low), summary.high)
    return quantiles


def coarsen_summary(summary: Summary, most: int) -> Summary:
    """A summary with at most ``most`` bins: neighbours are joined, fewer towards the ends (as a t-digest does)."""
    bins, counts = np.frombuffer(summary.bins, np.int32), np.frombuffer(summary.counts, np.uint32)
    if len(bins) <= most:
        return summary
    middle = (np.cumsum(counts) - counts / 2) / summary.count
    places = np.minimum(most * (np.arcsin(2 * middle - 1) / np.pi + 0.5), most - 1).astype(np.int64)
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    joined = np.add.reduceat(counts.astype(np.int64), starts)
    centres = np.rint(np.add.reduceat(bins * counts.astype(np.int64), starts) / joined)
    return msgspec.structs.replace(
        summary, bins=centres.astype(np.int32).tobytes(), counts=joined.astype(np.uint32).tobytes()
    )


def pack_summary(summary: Summary) -> Summary:
    """The same with its arrays in as few bytes as they need, to be stored."""
    bins, counts = np.frombuffer(summary.bins, np.int32), np.frombuffer(summary.counts, np.uint32)
    if not len(bins):
        return summary
    steps: IntArray = np.diff(bins.astype(np.int64), prepend=np.int64(-_MOST_BIN)).astype(np.int64)
    return msgspec.structs.replace(summary, bins=_pack_array(steps), counts=_pack_array(counts.astype(np.int64)))


def unpack_summary(stored: Summary) -> Summary:
    """The summary that :func:`pack_summary` packed."""
    if not stored.bins:
        return stored
    bins = np.cumsum(_unpack_array(stored.bins)) - _MOST_BIN
    counts = _unpack_array(stored.counts)
    return msgspec.structs.replace(
        stored, bins=bins.astype(np.int32).tobytes(), counts=counts.astype(np.uint32).tobytes()
    )


def drift_of_summaries(reference: Summary, current: Summary) -> dict[str, float] | None:
    """Same as :func:`.statistics.measure_drift`, to the width of a bin; None if either side has too few numbers."""
    if min(reference.count, current.count) < MIN_OBSERVATIONS:
        return None
    return drift_of_counts(*_bin_values(reference), *_bin_values(current))


def bins_of(values: FloatArray) -> IntArray:
    """The bin of each finite number; bins increase with the numbers."""
    size = np.abs(values)
    keys = np.ceil(np.log2(np.clip(size, _SMALLEST, _LARGEST)) * _PER_LOG2).astype(np.int64) + _SHIFT
    return np.where(size < _SMALLEST, 0, np.where(values < 0, -keys, keys))


def _count_bins(bins: IntArray, counts: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """Distinct bins in ascending order with their counts, in time linear in their number and range."""
    first = int(bins.min())
    dense = np.bincount(bins - first, counts).astype(np.int64)
    places = np.flatnonzero(dense)
    return places + first, dense[places]


def _bin_values(summary: Summary) -> tuple[FloatArray, FloatArray]:
    """A representative value of each bin, ascending, and the counts."""
    bins = np.frombuffer(summary.bins, np.int32)
    return _values_of_bins(bins), np.frombuffer(summary.counts, np.uint32).astype(np.float64)


def _values_of_bins(bins: NDArray[np.signedinteger[Any]]) -> FloatArray:
    """A representative value of each bin."""
    keys = np.abs(bins) - _SHIFT
    sizes = np.array([_MAPPING.value(key) for key in keys.ravel().tolist()])
    return np.asarray(np.where(bins == 0, 0.0, np.sign(bins) * sizes.reshape(bins.shape)))


def _pack_array(numbers: IntArray) -> bytes:
    """The width of a number in bytes, and the numbers, which are not negative."""
    largest = int(numbers.max())
    width = 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4
    return bytes([width]) + numbers.astype(f"<u{width}").tobytes()


def _unpack_array(packed: bytes) -> IntArray:
    return np.frombuffer(packed, f"<u{packed[0]}", offset=1).astype(np.int64)
