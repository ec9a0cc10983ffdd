"""Texts in random batch sizes, orders and cache states, over HTTP and gRPC: every score equals the one scored alone.

    python loadtests/invariance.py --url http://127.0.0.1:8080 --grpc 127.0.0.1:8081 --texts 10000

Exit status 1 where any score differs by more than 1e-5 (relative or absolute).
"""

import argparse
import asyncio
import random
import sys
import time

import grpc
import httpx
import numpy as np
from reward_gateway.grpc.generated import reward_pb2
from rich.progress import Progress

TOLERANCE = 1e-5
Row = tuple[str, str]


def make_texts(count: int) -> list[Row]:
    rng = random.Random(3)
    words = [f"{a}{b}" for a in ("ba", "co", "di", "fu", "ge") for b in ("ll", "rn", "st", "me", "x")]

    def pick(n: int) -> str:
        return " ".join(rng.choices(words, k=n))

    return [(pick(rng.randint(0, 12)), f"{i} {pick(rng.choice((0, 1, 4, 12, 40, 120)))}") for i in range(count)]


class Services:
    """The two ways to ask."""

    def __init__(self, url: str, address: str, reward: str) -> None:
        self.url, self.reward = url, reward
        self.http = httpx.AsyncClient(timeout=300, limits=httpx.Limits(max_connections=32))
        channel = grpc.aio.insecure_channel(address)
        self.score = channel.unary_unary(
            "/reward_gateway.v1.RewardService/Score",
            request_serializer=reward_pb2.ScoreRequest.SerializeToString,
            response_deserializer=reward_pb2.ScoreResponse.FromString,
        )

    async def over_http(self, rows: list[Row], cache: str) -> list[float]:
        samples = [{"prompt": prompt, "response": response} for prompt, response in rows]
        body = {"reward": self.reward, "samples": samples, "options": {"cache": cache, "deadline_ms": 300_000}}
        answer = await self.http.post(f"{self.url}/v1/score", json=body)
        answer.raise_for_status()
        return [result["reward"] for result in answer.json()["results"]]

    async def over_grpc(self, rows: list[Row]) -> list[float]:
        samples = [reward_pb2.Sample(prompt=prompt, response=response) for prompt, response in rows]
        answer = await self.score(reward_pb2.ScoreRequest(reward=self.reward, samples=samples), timeout=300)
        return [result.reward for result in answer.results]


async def run(url: str, address: str, reward: str, count: int) -> float:
    """The largest difference, relative or absolute, whichever is smaller."""
    services, texts, rng = Services(url, address, reward), make_texts(count), random.Random(9)
    worst = 0.0
    gate = asyncio.Semaphore(16)
    with Progress() as progress:
        alone_bar = progress.add_task("alone", total=count)
        together_bar = progress.add_task("together", total=2 * count)

        async def alone(row: Row) -> float:
            async with gate:
                score = (await services.over_http([row], "off"))[0]
                progress.advance(alone_bar)
                return score

        expected = np.array(await asyncio.gather(*(alone(row) for row in texts)))
        for _ in range(2):
            order = list(range(count))
            rng.shuffle(order)
            while order:
                size = rng.choice((1, 3, 17, 64, 250, 700))
                chosen, order = order[:size], order[size:]
                rows = [texts[i] for i in chosen]
                how = rng.choice(("use", "use", "refresh", "off", "grpc"))
                got = np.array(await (services.over_grpc(rows) if how == "grpc" else services.over_http(rows, how)))
                difference = np.abs(got - expected[chosen])
                worst = max(worst, float(np.min([difference, difference / np.abs(expected[chosen])], axis=0).max()))
                progress.advance(together_bar, len(chosen))
    await services.http.aclose()
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--grpc", default="127.0.0.1:8081")
    parser.add_argument("--reward", default="helpful")
    parser.add_argument("--texts", type=int, default=10_000)
    asked = parser.parse_args()
    began = time.monotonic()
    worst = asyncio.run(run(asked.url, asked.grpc, asked.reward, asked.texts))
    print(
        f"{asked.texts} texts, {time.monotonic() - began:.0f} s, largest difference {worst:.2e} (allowed {TOLERANCE})"
    )
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
