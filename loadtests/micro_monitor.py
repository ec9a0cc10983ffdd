"""Microseconds per sample for monitoring live rewards: recording batches, summarising them, and a scrape.

    python loadtests/micro_monitor.py

One thread; a recipe of five components, of which two are transformed. The recording cost includes everything on the
scoring path and the summarising of what was recorded. Reports the best of several rounds.
"""

from time import perf_counter

import numpy as np
from reward_gateway.sample import Batch, ComponentScores, Scored, response_lengths
from reward_gateway.telemetry.metrics import Metrics
from reward_gateway.telemetry.window import LENGTH, REWARD, Column
from reward_gateway.telemetry.window_parts import part_of

SIZES = (1, 32, 1024, 4096)
ROUNDS = 15
SAMPLES_PER_ROUND = 8192
COMPONENTS = ("helpful", "harmless", "brevity", "format", "correct")


def scored_of(size: int) -> Scored:
    """An answer of five components; every hundredth sample is flagged."""
    draw = np.random.default_rng(size)
    parts = {}
    for k, name in enumerate(COMPONENTS):
        raw = draw.normal(size=size)
        parts[name] = ComponentScores(raw, np.tanh(raw) if k < 2 else raw)
    flags: dict[int, tuple[str, ...]] = dict.fromkeys(range(0, size, 100), ("truncated",)) if size > 1 else {}
    return Scored("watched", "b3:0", draw.normal(size=size), parts, flags=flags)


def best(metrics: Metrics, size: int) -> tuple[float, float]:
    """Microseconds per sample for recording and summarising, and for counting lengths; the best of the rounds."""
    scored, times = scored_of(size), SAMPLES_PER_ROUND // size
    batch = Batch([""] * size, [""] * size, ["x" * (100 + i % 50) for i in range(size)])
    lengths = response_lengths(batch)
    noting, counting = [], []
    for _ in range(ROUNDS):
        started = perf_counter()
        for _ in range(times):
            metrics.health.note_batch(None, scored, lengths)
        metrics.health.monitor.read_noted()
        noted = perf_counter()
        for _ in range(times):
            response_lengths(batch)
        noting.append(noted - started)
        counting.append(perf_counter() - noted)
    return min(noting) / (times * size) * 1e6, min(counting) / (times * size) * 1e6


def sharing(size: int) -> float:
    """Microseconds per sample for the summary that workers share, made in a thread; the best of the rounds."""
    draw = np.random.default_rng(size)
    columns = {REWARD: draw.normal(size=size), LENGTH: np.arange(float(size))}
    for k, name in enumerate(COMPONENTS):
        columns |= {
            Column(stage, name): draw.normal(size=size) for stage in (("raw", "value") if k < 2 else ("value",))
        }
    times = []
    for _ in range(ROUNDS):
        started = perf_counter()
        part_of(columns, (), draw)
        times.append(perf_counter() - started)
    return min(times) / size * 1e6


def main() -> None:
    metrics = Metrics()
    metrics.rewards.register(["watched"])
    metrics.components.register(COMPONENTS)
    print(f"{'batch':>6} {'watch µs/sample':>16} {'lengths µs/sample':>18} {'share (background) µs/sample':>29}")
    for size in SIZES:
        watch, lengths = best(metrics, size)
        print(f"{size:>6} {watch:>16.3f} {lengths:>18.3f} {sharing(size):>29.3f}")
    started = perf_counter()
    metrics.health.refresh_gauges()
    print(f"gauges of one recipe per scrape: {(perf_counter() - started) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
