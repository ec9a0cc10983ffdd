"""A single post each second beside back-to-back batches, with calls of the model as large as it takes them and with
calls bounded in time (``max_in_flight_ms``).

    python loadtests/fairness.py --pairs 3

Both stacks run at the same time, and while one is measured the other is idle. For a real model, a trivial one, and one
whose rows take the same time whatever this machine does: the latency of single posts alone and beside the batches (p50,
p95), and the rows per second of the batches. Each line is the median over the pairs. The targets: p95 beside the
batches at most 100 ms over that alone; the batches keep 0.9 of the rows per second that they reach without the bound.
"""

import argparse
import asyncio
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

from bench_stack import REAL, TIMED, TRIVIAL, Bench, running
from compare import write_body
from generator import Answers, Connection, open_loop, request
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent to a model: batches of so many samples with texts of so many words, for so long."""

    reward: str
    batch: int
    words: int
    seconds: float


UNBOUNDED_MS, BOUNDED_MS = 1e9, 50.0
"""Values of ``max_in_flight_ms``: calls are as large as the model takes them; what the service does by default."""

LOADS = (Load(TIMED, 1024, 30, 30.0), Load(TRIVIAL, 4096, 30, 20.0), Load(REAL, 1024, 12, 45.0))


@dataclass(slots=True)
class Measured:
    """One run: seconds, and rows per second."""

    alone: Answers
    beside: Answers
    rows_per_s: float


async def send_singles(bench: Bench, load: Load, count: int, rate: float) -> Answers:
    url = f"{bench.http}/v1/score"
    return await open_loop(url, [request(url, write_body(load.reward, 1, load.words)) for _ in range(count)], rate)


async def send_batches(bench: Bench, load: Load, done: asyncio.Event) -> float:
    """Rows per second of batches, one after another, until the last one that began in time is answered."""
    url = f"{bench.http}/v1/score"
    connection = Connection(url)
    rows, started = 0, time.perf_counter()
    while not done.is_set():
        status, _ = await connection.send(request(url, write_body(load.reward, load.batch, load.words)))
        assert status == 200
        rows += load.batch
    connection.close()
    return rows / (time.perf_counter() - started)


async def measure(bench: Bench, load: Load) -> Measured:
    alone = await send_singles(bench, load, 60, 10.0)
    done = asyncio.Event()
    batches = asyncio.create_task(send_batches(bench, load, done))
    await asyncio.sleep(1.0)
    beside = await send_singles(bench, load, round(load.seconds), 1.0)
    done.set()
    rows_per_s = await batches
    await asyncio.sleep(1.0)
    assert alone.ok == alone.count, alone.statuses
    assert beside.ok == beside.count, beside.statuses
    return Measured(alone, beside, rows_per_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--model", choices=[load.reward for load in LOADS])
    arguments = parser.parse_args()
    table = Table(title="A single post each second beside back-to-back batches (ms, rows/s)")
    for column in (
        "model",
        "max_in_flight_ms",
        "alone p50",
        "alone p95",
        "beside p50",
        "beside p95",
        "p95 - alone",
        "rows/s",
    ):
        table.add_column(column, justify="right")
    with ExitStack() as stack:
        limits = (UNBOUNDED_MS, BOUNDED_MS)
        benches = [
            stack.enter_context(running(18480 + 10 * i, 18481 + 10 * i, more={"max-in-flight-ms": limit}))
            for i, limit in enumerate(limits)
        ]
        for load in LOADS:
            if arguments.model not in (None, load.reward):
                continue
            runs: list[list[Measured]] = [[] for _ in benches]
            for pair in range(arguments.pairs):
                for i in range(len(benches)) if pair % 2 == 0 else reversed(range(len(benches))):
                    runs[i].append(asyncio.run(measure(benches[i], load)))
                    Console().print(describe(load, limits[i], runs[i][-1:]))
            for limit, measured in zip(limits, runs, strict=True):
                table.add_row(*describe(load, limit, measured))
            ratios = [bounded.rows_per_s / unbounded.rows_per_s for unbounded, bounded in zip(*runs, strict=True)]
            table.add_row(load.reward, "ratio", "", "", "", "", "", f"{statistics.median(ratios):.2f}")
    Console().print(table)


def describe(load: Load, limit: float, runs: list[Measured]) -> list[str]:
    """The cells of a line: medians over the runs."""

    def quantile(which: str, q: float) -> float:
        return statistics.median((run.alone if which == "alone" else run.beside).quantile(q) for run in runs) * 1e3

    cells = [quantile(which, q) for which in ("alone", "beside") for q in (0.5, 0.95)]
    rows = statistics.median(run.rows_per_s for run in runs)
    return [load.reward, f"{limit:g}", *(f"{cell:.0f}" for cell in cells), f"{cells[3] - cells[1]:.0f}", f"{rows:,.0f}"]


if __name__ == "__main__":
    main()
