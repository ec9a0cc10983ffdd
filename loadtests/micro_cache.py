"""The cost of a cached sample inside the gateway, step by step: key pass, MGET, unpacking. Prints µs of CPU per sample.

    python -m loadtests.micro_cache [redis://127.0.0.1:6379]

Without an address it starts its own Valkey. It measures CPU time of this process, which excludes the server's time and
waiting for it.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import numpy as np
import uvloop
from reward_gateway.backends.port import ModelInfo
from reward_gateway.cache.entries import pack_entries, unpack_entries
from reward_gateway.cache.keys import SampleDigests
from reward_gateway.cache.redis import RedisCache
from reward_gateway.local.valkey import find_server as binary
from reward_gateway.sample import Batch

CHARACTERS = 1_100
SAMPLES = 32_768
INFO = ModelInfo("text_preference", "1-abc", True, ("prompt", "response"), ("score",), 1024)


@contextmanager
def valkey() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        options = ("--port", "0", "--unixsocket", f"{folder}/valkey", "--save", "", "--dir", folder)
        server = subprocess.Popen([str(binary()), *options], stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            yield f"unix://{folder}/valkey"
        finally:
            server.terminate()
            server.wait()


def batches(size: int) -> list[Batch]:
    word = "reward "
    texts = [f"{i} " + word * (CHARACTERS // 2 // len(word)) for i in range(size)]
    ids = [str(i) for i in range(size)]
    return [Batch(ids, [f"{b} {text}" for text in texts], list(texts)) for b in range(max(1, SAMPLES // 8 // size))]


async def cpu_us(samples: int, work: Callable[[], Awaitable[object]]) -> float:
    await work()
    rounds, started = 0, time.process_time()
    while time.process_time() - started < 1.0:
        await work()
        rounds += 1
    return (time.process_time() - started) / rounds / samples * 1e6


async def cost(url: str, size: int) -> list[float]:
    """Key pass, MGET and unpacking of batches of ``size``."""
    cache = RedisCache(url, ttl_s=600, timeout_s=5.0)
    groups = batches(size)
    all_keys = [SampleDigests(batch).make_keys(INFO) for batch in groups]
    for keys in all_keys:
        cache.put_later(list(zip(keys, pack_entries(np.random.default_rng(0).normal(size=(size, 1))), strict=True)))
    await asyncio.sleep(0.5)
    found = [await cache.get_many(keys) for keys in all_keys]
    if any(None in entries for entries in found):
        raise SystemExit("the cache lost what was written")

    async def key_pass() -> None:
        for batch in groups:
            SampleDigests(batch).make_keys(INFO)

    async def mget() -> None:
        for keys in all_keys:
            await cache.get_many(keys)

    async def unpacking() -> None:
        for entries in found:
            unpack_entries(entries, 1)

    costs = [await cpu_us(size * len(groups), work) for work in (key_pass, mget, unpacking)]
    await cache.close()
    return costs


async def measure(url: str) -> None:
    print(f"µs of CPU per sample of {CHARACTERS} characters")
    print(f"{'batch':>6} {'key pass':>9} {'MGET':>7} {'unpack':>7} {'sum':>7}")
    for size in (1, 32, 1024):
        costs = await cost(url, size)
        print(f"{size:>6} {costs[0]:>9.2f} {costs[1]:>7.2f} {costs[2]:>7.2f} {sum(costs):>7.2f}")


def main() -> None:
    if len(sys.argv) > 1:
        uvloop.run(measure(sys.argv[1]))
    else:
        with valkey() as url:
            uvloop.run(measure(url))


if __name__ == "__main__":
    main()
