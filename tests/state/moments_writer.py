"""A process that merges batches into a stream: ``moments_writer.py URL STREAM NUMBER BATCHES``."""

import asyncio
import statistics
import sys

from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites


async def main(url: str, stream: str, number: int, batches: int) -> None:
    store = StateStore.connect(url, timeout_s=60.0)
    for i in range(batches):
        values = [1000.0 * number + ((i * 7919 + k * 104729) % 2003) / 10.0 - 100.0 for k in range(1 + i % 5)]
        mean = statistics.fmean(values)
        batch = float(len(values)), mean, sum((v - mean) ** 2 for v in values)
        await store.commit(StateWrites().merge_moments(stream, *batch))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
