"""The way to an upstream, compared with a bare client of the same server.

    python loadtests/bench_upstreams.py --url http://127.0.0.1:8000 --model rm

The server is a vLLM that scores texts (`vllm serve DIR --runner pooling --convert classify --served-model-name rm`).
What `make test-upstreams` installs has one for CPUs, and `tests/upstreams/checkpoints.py` makes a small checkpoint.
Both sides send the same number of texts, which no one has sent before, in turn, the first of a pair being the second of
the next; each line is the median of the pairs' ratios, the medians of both rates, and the processor time that this
process took for a thousand samples, which other work on the machine changes little.

- A request of many samples against a client that posts batches of the same size, as many at a time. Target: 0.95.
- A storm of requests of one sample against a client that posts one after the other. Target: 3.
"""

import argparse
import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
from reward_gateway.backends.upstreams.config import UpstreamConfig
from reward_gateway.backends.upstreams.server import UpstreamServer
from reward_gateway.cli.worker import make_replica_breaker
from reward_gateway.sample import Batch

BATCHES = (32, 64)
SAMPLES = 512
STORM = 512
IN_FLIGHT = 4
NAME = "rm"

_numbers = itertools.count()


def new_texts(samples: int) -> list[str]:
    """Texts of some forty tokens."""
    numbers = itertools.islice(_numbers, samples)
    return [f"{n} is what the answer comes to, as {n % 7} friends of mine have told me." for n in numbers]


class Bare:
    """A client that knows the one server, and checks nothing."""

    def __init__(self, url: str, model: str) -> None:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        self._client = httpx.AsyncClient(base_url=url, timeout=600, limits=limits, trust_env=False)
        self._model = model

    async def post(self, texts: list[str]) -> list[float]:
        answer = await self._client.post(
            "/classify", json={"model": self._model, "input": texts, "use_activation": False}
        )
        answer.raise_for_status()
        return [entry["probs"][0] for entry in answer.json()["data"]]

    async def post_batches(self, texts: list[str], batch: int) -> None:
        free = asyncio.Semaphore(IN_FLIGHT)

        async def post_one(part: list[str]) -> None:
            async with free:
                await self.post(part)

        await asyncio.gather(*(post_one(texts[k : k + batch]) for k in range(0, len(texts), batch)))

    async def post_one_by_one(self, texts: list[str]) -> None:
        for text in texts:
            await self.post([text])


def open_upstream(url: str, model: str, batch: int) -> UpstreamServer:
    limits = {"in_flight": IN_FLIGHT, "batch": batch}
    entry = {"protocol": "vllm_classify", "urls": [url], "model": model, "input": "response", "limits": limits}
    return UpstreamServer({NAME: UpstreamConfig.model_validate(entry)}, make_replica_breaker)


async def score(server: UpstreamServer, texts: list[str]) -> None:
    n = len(texts)
    deadline = asyncio.get_running_loop().time() + 600
    answer = await server.score(NAME, Batch([""] * n, [""] * n, list(texts)), list(range(n)), deadline)
    assert not answer.invalid, answer.invalid


@dataclass(frozen=True, slots=True)
class Run:
    """Samples per second, and milliseconds of this process's processor time per thousand samples."""

    rate: float
    cost_ms: float


async def run(send: Callable[[list[str]], Awaitable[None]], samples: int) -> Run:
    """Send new texts, and wait for all of them."""
    texts = new_texts(samples)
    began, used = time.perf_counter(), time.process_time()
    await send(texts)
    return Run(samples / (time.perf_counter() - began), 1e6 * (time.process_time() - used) / samples)


async def compare(
    ours: Callable[[list[str]], Awaitable[None]],
    theirs: Callable[[list[str]], Awaitable[None]],
    samples: int,
    pairs: int,
) -> str:
    """The median ratio of rates measured in turn, and the medians of both sides."""
    found: list[tuple[Run, Run]] = []
    for sides in (ours, theirs):
        await run(sides, samples // 2)
    for k in range(pairs):
        if k % 2:
            other, mine = await run(theirs, samples), await run(ours, samples)
        else:
            mine, other = await run(ours, samples), await run(theirs, samples)
        found.append((mine, other))
    ratio = statistics.median(mine.rate / other.rate for mine, other in found)
    rates = [statistics.median(side.rate for side in sides) for sides in zip(*found, strict=True)]
    costs = [statistics.median(side.cost_ms for side in sides) for sides in zip(*found, strict=True)]
    return (
        f"{ratio:.2f} ({rates[0]:.0f} / {rates[1]:.0f} samples/s, {costs[0]:.0f} / {costs[1]:.0f} ms of this process)"
    )


async def measure(url: str, model: str, pairs: int) -> None:
    bare = Bare(url, model)
    for batch in BATCHES:
        server = open_upstream(url, model, batch)
        await server.models()

        async def post_batches(texts: list[str], size: int = batch) -> None:
            await bare.post_batches(texts, size)

        async def at_once(texts: list[str], to: UpstreamServer = server) -> None:
            await score(to, texts)

        async def storm(texts: list[str], to: UpstreamServer = server) -> None:
            await asyncio.gather(*(score(to, [text]) for text in texts))

        print(f"batches of {batch}: {await compare(at_once, post_batches, SAMPLES, pairs)}, target 0.95", flush=True)
        if batch == BATCHES[-1]:
            print(f"one by one: {await compare(storm, bare.post_one_by_one, STORM, pairs)}, target 3", flush=True)
        await server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", default="rm")
    parser.add_argument("--pairs", type=int, default=15)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.url, arguments.model, arguments.pairs))
