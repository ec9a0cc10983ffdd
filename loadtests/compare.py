"""Compare the gateway of two source trees: the same requests to both, in turn, each line a ratio.

    python loadtests/compare.py ../before . --pairs 7

Both stacks run at the same time, and while one is measured the other is idle. Each line is the median over the pairs of
(second tree / first tree), so below 1 means that the second tree is better. Both trees need their models built.
"""

import argparse
import asyncio
import json
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench_stack import TRIVIAL, Bench, running
from generator import closed_loop, request
from rich.console import Console
from rich.table import Table

WORDS = (
    "seven",
    "wizards",
    "boil",
    "an",
    "egg",
    "in",
    "deep",
    "blue",
    "water",
    "while",
    "the",
    "quick",
    "brown",
    "fox",
)
_serial = count()

Measure = Callable[[Bench], Awaitable[float]]


def write_body(reward: str, samples: int, words: int = 170, *, group: int = 0) -> bytes:
    """The body of a request whose samples were never sent before."""
    rows = []
    for _ in range(samples):
        number = next(_serial)
        text = " ".join(WORDS[(number + k) % len(WORDS)] for k in range(words))
        row = {"prompt": f"question {number}", "response": f"{number} {text}"}
        rows.append({**row, "group": f"g{number // group}"} if group else row)
    return json.dumps({"reward": reward, "samples": rows}).encode()


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement: its name, its unit, and how it is taken."""

    name: str
    unit: str
    measure: Measure


def cpu_per_sample(reward: str, size: int, *, cached: bool, group: int = 0) -> Measure:
    """CPU of the gateway's process in microseconds per sample."""
    requests = max(8, 8192 // size) if size > 1 else 512

    async def measure(bench: Bench) -> float:
        url = f"{bench.http}/v1/score"
        prepared = [request(url, write_body(reward, size, group=group)) for _ in range(requests)]
        if cached:
            await closed_loop(url, prepared, 4)
            await asyncio.sleep(0.5)
        repeated = prepared * 3 if cached else prepared
        before = bench.cpu_seconds()
        answers = await closed_loop(url, repeated, 4)
        assert answers.ok == len(repeated), answers.statuses
        return (bench.cpu_seconds() - before) / (size * len(repeated)) * 1e6

    return measure


def median_latency(reward: str, size: int) -> Measure:
    """Median latency in milliseconds of cached requests, one at a time."""

    async def measure(bench: Bench) -> float:
        url = f"{bench.http}/v1/score"
        prepared = [request(url, write_body(reward, size))] * (200 if size == 1 else 40)
        await closed_loop(url, prepared[:2], 1)
        await asyncio.sleep(0.3)
        answers = await closed_loop(url, prepared, 1)
        return answers.quantile(0.5) * 1e3

    return measure


def storm(posts: int) -> Measure:
    """Milliseconds per post of one-sample posts over 256 connections."""

    async def measure(bench: Bench) -> float:
        url = f"{bench.http}/v1/score"
        prepared = [request(url, write_body(TRIVIAL, 1, 30)) for _ in range(posts)]
        answers = await closed_loop(url, prepared, 256)
        assert answers.ok == posts, answers.statuses
        return answers.seconds / posts * 1e3

    return measure


LINES = (
    *(
        Line(f"CPU per {state} sample, batch {size:,}", "µs", cpu_per_sample(TRIVIAL, size, cached=state == "cached"))
        for size in (1, 32, 1024)
        for state in ("cached", "cold")
    ),
    *(
        Line(f"CPU per sample, a rule, batch {size:,}", "µs", cpu_per_sample("rule", size, cached=False))
        for size in (1, 1024)
    ),
    Line(
        "CPU per cached sample, grouped recipe, batch 1,024",
        "µs",
        cpu_per_sample("grouped", 1024, cached=True, group=8),
    ),
    Line("CPU per cached sample, stateful recipe, batch 1,024", "µs", cpu_per_sample("stateful", 1024, cached=True)),
    Line("CPU per cached sample, stateful recipe, batch 1", "µs", cpu_per_sample("stateful", 1, cached=True)),
    Line("median latency, cached, batch 1", "ms", median_latency(TRIVIAL, 1)),
    Line("median latency, cached, batch 256", "ms", median_latency(TRIVIAL, 256)),
    Line("one-sample posts, 1,000 over 256 connections, per post", "ms", storm(1000)),
)


async def compare(first: Bench, second: Bench, pairs: int, chosen: str, console: Console) -> None:
    table = Table("measurement", "first", "second", "ratio", "pairs from … to")
    for line in (line for line in LINES if chosen in line.name):
        for bench in (first, second):
            await line.measure(bench)  # warm up
        taken = []
        for k in range(pairs):
            order = (first, second) if k % 2 == 0 else (second, first)
            found = {id(bench): await line.measure(bench) for bench in order}
            taken.append((found[id(first)], found[id(second)]))
        ratios = sorted(b / a for a, b in taken)
        before, after = (statistics.median(column) for column in zip(*taken, strict=True))
        row = (
            line.name,
            f"{before:.3g} {line.unit}",
            f"{after:.3g} {line.unit}",
            f"{statistics.median(ratios):.3f}",
            f"{ratios[0]:.2f} … {ratios[-1]:.2f}",
        )
        console.print(*row, sep="  ")
        table.add_row(*row)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="source tree to compare with")
    parser.add_argument("second", type=Path, help="source tree to measure")
    parser.add_argument("--pairs", type=int, default=5, help="measurements of each tree per line")
    parser.add_argument("--only", default="", help="only lines whose name contains this text")
    options = parser.parse_args()
    first_root, second_root = options.first.resolve(), options.second.resolve()
    with running(18480, 18481, first_root) as first, running(18490, 18491, second_root) as second:
        asyncio.run(compare(first, second, options.pairs, options.only, Console(width=140)))


if __name__ == "__main__":
    main()
