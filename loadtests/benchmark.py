"""The benchmark: everything in one run on one machine, each line a ratio to a baseline of the same run.

    python loadtests/benchmark.py            # everything, takes some minutes
    python loadtests/benchmark.py --quick    # smaller, as a smoke test

Absolute times of a shared machine mean little; the ratio of two medians measured alternately is meaningful.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

import numpy as np
from bench_stack import REAL, TRIVIAL, Bench, running
from generator import Answers, closed_loop, open_loop, request
from rich.console import Console
from rich.table import Table
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient

SENTENCE = "seven wizards boil an egg in deep blue water while the quick brown fox jumps over"
PARTS = ("against_triton", "cached_against_cold", "storm", "cpu", "growth", "latency")
_serial = count()


def texts(n: int, words: int) -> list[tuple[str, str]]:
    """n prompts and responses, none of which was ever sent before, so that no cache has them."""
    rng = np.random.default_rng(7)
    bodies = [" ".join(rng.choice(SENTENCE.split(), words)) for _ in range(min(n, 512))]
    return [(f"question {(k := next(_serial))}", f"{k} {bodies[i % len(bodies)]}") for i in range(n)]


def body(rows: list[tuple[str, str]], reward: str, cache: str = "use") -> bytes:
    samples = [{"prompt": prompt, "response": response} for prompt, response in rows]
    return json.dumps({"reward": reward, "samples": samples, "options": {"cache": cache}}).encode()


class Benchmark:
    """The measurements and their table of results."""

    def __init__(self, bench: Bench, quick: bool) -> None:
        self.bench, self.quick = bench, quick
        self.url = f"{bench.http}/v1/score"
        self.rows: list[tuple[str, str, str, str]] = []
        self.console = Console()

    def add(self, what: str, figure: str, baseline: str, target: str = "") -> None:
        self.rows.append((what, figure, baseline, target))
        self.console.print(f"{what}: [bold]{figure}[/] ({baseline}) {target}")

    async def gateway(self, batches: list[list[tuple[str, str]]], reward: str, concurrency: int) -> float:
        """Rows per second through the gateway, without the cache."""
        prepared = [request(self.url, body(rows, reward, "off")) for rows in batches]
        answers = await closed_loop(self.url, prepared, concurrency)
        assert answers.ok == len(batches), answers.statuses
        return sum(map(len, batches)) / answers.seconds

    async def triton(self, batches: list[list[tuple[str, str]]], model: str, concurrency: int) -> float:
        """Rows per second through Triton's own client."""
        waiting = list(batches)
        async with InferenceServerClient(self.bench.triton) as client:

            async def work() -> None:
                while waiting:
                    rows = waiting.pop()
                    inputs = []
                    for name, column in (("prompt", 0), ("response", 1)):
                        tensor = InferInput(name, [len(rows), 1], "BYTES")
                        tensor.set_data_from_numpy(np.array([[row[column].encode()] for row in rows], dtype=object))
                        inputs.append(tensor)
                    outputs = [InferRequestedOutput(name) for name in ("score", "flags", "error")]
                    answer = await client.infer(model, inputs, outputs=outputs)
                    assert answer.as_numpy("score").shape == (len(rows), 1)

            started = time.perf_counter()
            await asyncio.gather(*(work() for _ in range(concurrency)))
            return sum(map(len, batches)) / (time.perf_counter() - started)

    async def pairs(
        self, first: Callable[[], Awaitable[float]], second: Callable[[], Awaitable[float]]
    ) -> tuple[float, float, float]:
        """Medians of both and of their ratio, measured alternately after one warm-up."""
        await first(), await second()
        pairs = [(await first(), await second()) for _ in range(3 if self.quick else 7)]
        ratio = statistics.median(a / b for a, b in pairs)
        return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio

    async def against_triton(self) -> None:
        for model, words, sizes, target in (
            (REAL, 30, (32, 128), "≥ 0.95"),
            (TRIVIAL, 170, (256, 1024), "≥ 0.8"),
        ):
            for size in sizes:
                n = 2 if model == REAL else 64  # long enough that the first and the last calls do not count

                def fresh(count: int = n, size: int = size, words: int = words) -> list[list[tuple[str, str]]]:
                    return [texts(size, words) for _ in range(count)]

                ours, raw, ratio = await self.pairs(
                    lambda m=model, f=fresh: self.gateway(f(), m, 4),  # type: ignore[misc]
                    lambda m=model, f=fresh: self.triton(f(), m, 4),  # type: ignore[misc]
                )
                what = f"gateway / raw Triton client, {model}, batch {size}"
                self.add(what, f"{ratio:.2f}", f"{ours:,.0f} / {raw:,.0f} rows/s", target)

    async def cached_against_cold(self) -> None:
        rows = texts(256, 30)
        prepared = [request(self.url, body(rows, REAL))]
        cold = await closed_loop(self.url, prepared, 1)
        await asyncio.sleep(0.5)
        warm = statistics.median([(await closed_loop(self.url, prepared, 1)).seconds for _ in range(9)])
        self.add("cold / cached, real model, batch 256", f"{cold.seconds / warm:.0f}×", f"{warm * 1e3:.1f} ms cached")

    async def storm(self) -> None:
        n = 500 if self.quick else 2000
        rows = texts(n, 30)
        before = self.bench.counter("reward_gateway_model_calls_total")
        singles = [request(self.url, body([row], TRIVIAL)) for row in rows]
        storm = await closed_loop(self.url, singles, 256)
        calls = self.bench.counter("reward_gateway_model_calls_total") - before
        assert storm.ok == n, storm.statuses
        batch = await closed_loop(self.url, [request(self.url, body(texts(n, 30), TRIVIAL))], 1)
        self.add(f"posts / infer calls, {n} one-sample posts at once", f"{n / calls:.1f}", f"{n} / {calls:.0f}", "> 4")
        self.add(
            "one-sample storm / one batch, time",
            f"{storm.seconds / batch.seconds:.1f}×",
            f"{n / storm.seconds:,.0f} posts/s",
        )

    async def cpu(self) -> None:
        for size in (1, 32, 1024):
            n = 4096 if size > 1 else 512
            for cached in (True, False):
                batches = [texts(size, 170) for _ in range(max(2, n // size))]
                prepared = [request(self.url, body(rows, TRIVIAL)) for rows in batches]
                if cached:
                    await closed_loop(self.url, prepared, 4)
                    await asyncio.sleep(1.0)
                figures = []
                for _ in range(3 if cached else 1):
                    before = self.bench.cpu_seconds()
                    answers = await closed_loop(self.url, prepared, 4)
                    figures.append((self.bench.cpu_seconds() - before) / (size * len(batches)) * 1e6)
                    assert answers.ok == len(prepared)
                state = "cached" if cached else "cold"
                target = "≤ 12 µs" if cached and size == 1024 else ""
                self.add(
                    f"gateway CPU per {state} sample, batch {size}",
                    f"{statistics.median(figures):.1f} µs",
                    "1.1 kB per sample",
                    target,
                )

    async def growth(self) -> None:
        costs: dict[int, float] = {}
        for size in (1, 10, 100, 1_000, 10_000, 100_000):
            repeat = max(4, min(400, 200_000 // size))
            prepared = [request(self.url, body(texts(size, 20), "rule"))] * repeat
            await closed_loop(self.url, prepared[:1], 1)
            before = self.bench.cpu_seconds()
            await closed_loop(self.url, prepared, 1)
            costs[size] = (self.bench.cpu_seconds() - before) / (size * repeat) * 1e6
        line = ", ".join(f"{size:,}: {cost:.1f}" for size, cost in costs.items())
        self.add(
            "gateway CPU per sample, 100,000 / 1,000 samples per request",
            f"{costs[100_000] / costs[1_000]:.2f}",
            f"µs per sample: {line}",
            "≤ 1.2",
        )

    async def latency(self) -> None:
        rows = texts(64, 30)
        prepared = [request(self.url, body([row], TRIVIAL)) for row in rows]
        await closed_loop(self.url, prepared, 4)
        capacity = await closed_loop(self.url, prepared * 20, 64)
        peak = capacity.count / capacity.seconds
        for share in (0.25, 0.5):
            rate = peak * share
            seconds = 4 if self.quick else 10
            answers: Answers = await open_loop(self.url, (prepared * 1000)[: int(rate * seconds)], rate)
            ms = [answers.quantile(q) * 1e3 for q in (0.5, 0.9, 0.99)]
            self.add(
                f"open-loop latency of a cached sample at {share:.0%} of peak, p99 / p50",
                f"{ms[2] / ms[0]:.1f}",
                f"{rate:,.0f} posts/s: p50 {ms[0]:.1f}, p90 {ms[1]:.1f}, p99 {ms[2]:.1f} ms",
            )

    async def run(self, parts: Sequence[str]) -> None:
        for part in parts:
            await getattr(self, part)()
        table = Table("measured", "figure", "from", "target", title="reward-gateway")
        for row in self.rows:
            table.add_row(*row)
        self.console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="only these measurements")
    parser.add_argument("--workers", type=int, default=1, help="processes of the gateway (cpu and growth want one)")
    asked = parser.parse_args()
    with running(more={"workers": asked.workers}) as bench:
        asyncio.run(Benchmark(bench, asked.quick).run(asked.parts))


if __name__ == "__main__":
    main()
