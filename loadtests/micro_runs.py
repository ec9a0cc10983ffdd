"""What the history of runs costs: CPU of a request of 256 samples with and without it, over 100 runs at once.

    python loadtests/micro_runs.py

In one process, without the network: a request from its body to its answer, by a recipe of three components whose scores
are cached, and after each round one flush to a Valkey of our own, as every five seconds. Rounds with and without take
turns; CPU is user and system time of the process, with the thread that summarises. The ratio is the median of the
rounds', the least and greatest beside it. 100 requests per flush are 20 in a second, one of each run.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import process_time

import uvloop
from micro_score import body_of, make_score
from reward_gateway.runs.history import RunHistory
from reward_gateway.runs.redis_store import RedisRunStore
from reward_gateway.scoring.request_scope import RequestScope

from tests.valkey import Valkey

SAMPLES, RUNS, ROUNDS = 256, 100, 15
REWARD = "helpful_harmless"


async def cpu_of(
    score: Callable[..., Awaitable[bytes]], body: bytes, requests: int, step: int, history: RunHistory | None = None
) -> float:
    """Milliseconds of CPU per request of a round, which is one step of every run."""
    started = process_time()
    for k in range(requests):
        await score(body, RequestScope("anonymous", f"run-{k % RUNS}", None, step))
    if history is not None:
        await history.flush()
    return (process_time() - started) / requests * 1e3


async def measure(url: str) -> None:
    history = RunHistory(RedisRunStore(url, 1 << 28))
    plain, _ = await make_score()
    recorded, _ = await make_score(history)
    body = body_of(SAMPLES, REWARD)
    for requests in (RUNS, 5 * RUNS):
        pairs = []
        for step in range(ROUNDS + 1):
            before = await cpu_of(plain, body, requests, step)
            pairs.append((before, await cpu_of(recorded, body, requests, step, history)))
        ratios = [after / before for before, after in pairs[1:]]  # the first one warms up
        print(
            f"{requests} requests per flush: {statistics.median(before for before, _ in pairs):.2f} ms without, "
            f"{statistics.median(after for _, after in pairs):.2f} ms with, ratio {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f})"
        )
    page = await history.list_page("anonymous", None, 1000)
    print(f"{len(page[0])} runs")
    await history.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(Path(folder))
        server.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(measure(server.url))
        finally:
            server.kill()


if __name__ == "__main__":
    main()
