"""Samples in random batch sizes, orders and cache states, over HTTP and gRPC: every score equals the one scored alone.

    python loadtests/invariance.py --url http://127.0.0.1:8080 --grpc 127.0.0.1:8081 --samples 10000
    python loadtests/invariance.py --samples 200 --rewards image_alignment text_in_image popularity

The samples are made for what the models of a recipe read. Exit status 1 where any score differs by more than 1e-5
(relative or absolute).
"""

import argparse
import asyncio
import random
import sys
import time

import numpy as np
from reward_gateway.client import AsyncRewardClient
from reward_gateway.sample import FloatArray
from reward_models.evaluate.inputs import Sample, make_samples
from rich.progress import Progress

TOLERANCE = 1e-5
SIZES = (1, 3, 17, 64, 250, 700)


async def inputs_of(client: AsyncRewardClient, reward: str) -> list[str]:
    """What a recipe reads of a sample. Raises KeyError for a name that is no recipe."""
    return {row["name"]: list(row["inputs"]) for row in await client.rewards()}[reward]


async def run(http: AsyncRewardClient, over_grpc: AsyncRewardClient, reward: str, count: int) -> float:
    """The largest difference, relative or absolute, whichever is smaller."""
    given, rng, worst = make_samples(await inputs_of(http, reward), count), random.Random(9), 0.0
    gate = asyncio.Semaphore(16)
    with Progress() as progress:
        alone_bar = progress.add_task(f"{reward}, alone", total=count)
        together_bar = progress.add_task(f"{reward}, together", total=2 * count)

        async def alone(sample: Sample) -> float:
            async with gate:
                scored = await http.score_samples([sample], reward=reward, cache="off")
                progress.advance(alone_bar)
                return float(whole(scored.rewards)[0])

        expected = np.array(await asyncio.gather(*(alone(sample) for sample in given)))
        for _ in range(2):
            order = list(range(count))
            rng.shuffle(order)
            while order:
                size = rng.choice(SIZES)
                chosen, order = order[:size], order[size:]
                together = [given[index] for index in chosen]
                client = over_grpc if rng.random() < 0.2 else http
                scored = await client.score_samples(
                    together, reward=reward, cache=rng.choice(("use", "use", "refresh", "off"))
                )
                difference = np.abs(whole(scored.rewards) - expected[chosen])
                relative = difference / np.maximum(np.abs(expected[chosen]), 1e-12)
                worst = max(worst, float(np.minimum(difference, relative).max()))
                progress.advance(together_bar, len(chosen))
    return worst


def whole(rewards: FloatArray) -> FloatArray:
    """Rewards, every one of them a number: NaN would differ from nothing."""
    if np.isnan(rewards).any():
        raise SystemExit("A sample was not scored.")
    return rewards


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--grpc", default="127.0.0.1:8081")
    parser.add_argument("--rewards", nargs="+", default=["helpful"])
    parser.add_argument("--samples", type=int, default=10_000)
    asked = parser.parse_args()
    failed = False
    http, over_grpc = (AsyncRewardClient(url, timeout_s=300) for url in (asked.url, f"grpc://{asked.grpc}"))
    async with http, over_grpc:
        for reward in asked.rewards:
            began = time.monotonic()
            worst = await run(http, over_grpc, reward, asked.samples)
            failed |= worst > TOLERANCE
            print(
                f"{reward}: {asked.samples} samples, {time.monotonic() - began:.0f} s, "
                f"largest difference {worst:.2e} (allowed {TOLERANCE})"
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
