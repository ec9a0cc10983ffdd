"""Group arithmetic compared with bare numpy: each way on 4,096 rewards in groups of 8.

    python loadtests/bench_groups.py

Bare numpy is given the group of each row as a number and knows nothing of rows without a value, of equal members
whose mean is rounded, of large offsets or of groups of one. Reading names of groups is measured apart.
Target: at most 3 times.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from reward_gateway.operations import groups
from reward_gateway.operations.groups import Baseline, Groups, Scale
from reward_gateway.sample import FloatArray
from rich.console import Console
from rich.table import Table

SAMPLES, SIZE, ROUNDS, CALLS = 4096, 8, 9, 100
DRAW = np.random.default_rng(0)
REWARDS = DRAW.random(SAMPLES)
OTHERS = DRAW.random(SAMPLES)
LENGTHS = DRAW.integers(1, 500, SAMPLES).astype(np.float64)
NAMES = [f"prompt {i // SIZE}" for i in range(SAMPLES)]
INDEX = np.arange(SAMPLES) // SIZE
GROUPS = Groups.of(NAMES)


def centre(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """[n] from the mean of the group, and [groups] sizes."""
    sizes = np.bincount(INDEX).astype(np.float64)
    return values - (np.bincount(INDEX, values) / sizes)[INDEX], sizes


def zscore(values: FloatArray) -> FloatArray:
    centred, sizes = centre(values)
    std = np.sqrt(np.bincount(INDEX, centred * centred) / (sizes - 1))
    return centred / (std + groups.EPS)[INDEX]


def rloo(values: FloatArray) -> FloatArray:
    sizes, sums = np.bincount(INDEX), np.bincount(INDEX, values)
    found: FloatArray = values - (sums[INDEX] - values) / (sizes - 1)[INDEX]
    return found


def opo(values: FloatArray) -> FloatArray:
    found: FloatArray = values - (np.bincount(INDEX, values * LENGTHS) / np.bincount(INDEX, LENGTHS))[INDEX]
    return found


def batch_std(values: FloatArray) -> FloatArray:
    found: FloatArray = centre(values)[0] / (values.std(ddof=1) + groups.EPS)
    return found


def whiten(values: FloatArray) -> FloatArray:
    centred, _ = centre(values)
    found: FloatArray = (centred - centred.mean()) / (centred.std(ddof=1) + groups.EPS)
    return found


def minmax(values: FloatArray) -> FloatArray:
    low, high = np.full(GROUPS.count, np.inf), np.full(GROUPS.count, -np.inf)
    np.minimum.at(low, INDEX, values)
    np.maximum.at(high, INDEX, values)
    found: FloatArray = (values - low[INDEX]) / (high - low)[INDEX]
    return found


def rank(values: FloatArray) -> FloatArray:
    """Without ties."""
    order = np.lexsort((values, INDEX))
    ranks = np.empty(SAMPLES)
    ranks[order] = np.arange(SAMPLES) % SIZE / (SIZE - 1)
    return ranks


def gdpo(values: FloatArray) -> FloatArray:
    total = zscore(values) + zscore(OTHERS)
    found: FloatArray = (total - total.mean()) / total.std(ddof=1)
    return found


def measure(values: FloatArray) -> FloatArray:
    centred, sizes = centre(values)
    means, std = np.bincount(INDEX, values) / sizes, np.sqrt(np.bincount(INDEX, centred * centred) / (sizes - 1))
    return np.stack([means, std, np.bincount(INDEX, values > 0.5) / sizes])


def ours(baseline: Baseline, scale: Scale) -> Callable[[FloatArray], FloatArray]:
    return lambda values: groups.advantages(values, GROUPS, baseline, scale, lengths=LENGTHS)


def measure_ours(values: FloatArray) -> FloatArray:
    found = groups.measure(values, GROUPS)
    return np.stack([found.mean, found.std, found.accuracy])


WAYS: dict[str, tuple[Callable[[FloatArray], FloatArray], Callable[[FloatArray], FloatArray]]] = {
    "mean (Dr. GRPO)": (ours("mean", "none"), lambda values: centre(values)[0]),
    "zscore (GRPO)": (ours("mean", "group_std"), zscore),
    "rloo": (ours("rloo", "none"), rloo),
    "opo": (ours("opo", "none"), opo),
    "batch_std (TRL)": (ours("mean", "batch_std"), batch_std),
    "whiten (REINFORCE++)": (ours("mean", "whiten"), whiten),
    "gdpo, two components": (lambda values: groups.gdpo({"a": values, "b": OTHERS}, {}, GROUPS), gdpo),
    "rank": (lambda values: groups.rank(values, GROUPS), rank),
    "minmax": (lambda values: groups.minmax(values, GROUPS), minmax),
    "statistics of groups": (measure_ours, measure),
}


def time_us(call: Callable[[FloatArray], object], values: FloatArray) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call(values)
    return (time.perf_counter() - began) / CALLS * 1e6


def main() -> None:
    table = Table("way", "ours, us", "bare numpy, us", "ratio", title=f"{SAMPLES:,} rewards in groups of {SIZE}")
    for name, (way, bare) in WAYS.items():
        np.testing.assert_allclose(way(REWARDS), bare(REWARDS), rtol=1e-4, atol=1e-4)
        turns = [(time_us(way, REWARDS), time_us(bare, REWARDS)) for _ in range(ROUNDS)]
        own, other = (statistics.median(column) for column in zip(*turns, strict=True))
        ratio = statistics.median(mine / theirs for mine, theirs in turns)
        table.add_row(name, f"{own:.0f}", f"{other:.0f}", f"{ratio:.2f}")
    names = statistics.median(time_us(lambda _: Groups.of(NAMES), REWARDS) for _ in range(ROUNDS))
    unique = statistics.median(time_us(lambda _: np.unique(NAMES, return_inverse=True), REWARDS) for _ in range(ROUNDS))
    table.add_row("reading the names", f"{names:.0f}", f"{unique:.0f}", f"{names / unique:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
