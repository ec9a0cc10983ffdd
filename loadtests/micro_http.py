"""Microseconds per sample to decode an HTTP request and to encode its answer, at several batch sizes.

    python loadtests/micro_http.py

One thread, one process; samples of about 1.1 kB as JSON, one component. Reports the best of several rounds,
since noise only adds time.
"""

import asyncio
import json
import random
import string
from collections.abc import Callable
from time import perf_counter

import numpy as np
from reward_gateway.http.encode import encode_scored, timing
from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.request import ScoreRequest
from reward_gateway.sample import Batch, ComponentScores, Scored
from reward_gateway.settings import Settings

SIZES = (1, 32, 1024)
ROUNDS = 15
SAMPLES_PER_ROUND = 4096


def body_of(size: int) -> bytes:
    """A request of ``size`` samples of about 1.1 kB."""
    draw = random.Random(size)
    letters = string.ascii_letters + " " * 10

    def text(chars: int) -> str:
        return "".join(draw.choices(letters, k=chars))

    samples = [{"id": f"s{i}", "prompt": text(300), "response": text(740)} for i in range(size)]
    return json.dumps({"samples": samples}).encode()


def scored_of(size: int) -> Scored:
    """An answer with one model's component."""
    values = np.random.default_rng(size).normal(size=size)
    component = ComponentScores(values, values * 2, "text_preference", "1", np.zeros(size, dtype=bool))
    return Scored("helpful", "b3:0", values, {"helpful": component})


def best(work: Callable[[], object], size: int) -> float:
    """Microseconds per sample, the best of the rounds."""
    times = max(1, SAMPLES_PER_ROUND // size)
    found = []
    for _ in range(ROUNDS):
        started = perf_counter()
        for _ in range(times):
            work()
        found.append((perf_counter() - started) / (times * size))
    return min(found) * 1e6


async def main() -> None:
    maker = BatchBuilder(Settings())
    print(f"{'batch':>6} {'decode µs/sample':>18} {'encode µs/sample':>18}")
    for size in SIZES:
        body, scored = body_of(size), scored_of(size)

        def read(body: bytes = body) -> Batch:
            asked = decode_as(ScoreRequest, 64, body)
            made = maker.make(asked.samples, len(body))
            try:
                made.send(None)  # nothing to wait for without media
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            raise RuntimeError("a batch of plain text had to wait")

        batch = read()

        def write(batch: Batch = batch, scored: Scored = scored) -> bytes:
            return encode_scored(batch, scored, timing(scored, 0.1, 0.2), explain=True)

        print(f"{size:>6} {best(read, size):>18.2f} {best(write, size):>18.2f}")


if __name__ == "__main__":
    asyncio.run(main())
