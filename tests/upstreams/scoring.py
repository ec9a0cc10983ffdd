"""What the tests ask for, and how they ask: samples, upstreams of one entry, and what their answers are."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.backends.upstreams.file import load_upstreams
from reward_gateway.backends.upstreams.server import UpstreamServer
from reward_gateway.cli.worker import make_replica_breaker
from reward_gateway.sample import Batch, FloatArray

NAME = "rm"

PAIRS = (
    ("What is 2 + 2?", "2 + 2 is 4."),
    ("What is 2 + 2?", "No idea - 5, I think."),
    ("Name the capital of France.", "Paris"),
    ("Say <|nothing|> in Greek.", "τίποτα 🙂\n\n  with space around \t"),
    ("x" * 60, "yes"),
    ("", "an answer without a question"),
)
"""Prompts and responses, short enough for every checkpoint."""

CLOSE = 1e-4
"""Largest difference from torch."""


def conversation(prompt: str, response: str) -> list[dict[str, str]]:
    """The messages of a sample."""
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


def batch_of(pairs: Sequence[tuple[str, str]]) -> Batch:
    """Samples."""
    return Batch([str(k) for k in range(len(pairs))], [p for p, _ in pairs], [r for _, r in pairs])


@asynccontextmanager
async def upstream(folder: Path, **entry: Any) -> AsyncIterator[UpstreamServer]:
    """A server of one entry, as its file says."""
    file = folder / "upstreams.yaml"
    file.write_text(yaml.safe_dump({"upstreams": {NAME: entry}}))
    server = UpstreamServer(load_upstreams(file), make_replica_breaker)
    try:
        yield server
    finally:
        await server.close()


async def ask(server: UpstreamServer, pairs: Sequence[tuple[str, str]], seconds: float = 60) -> ModelAnswer:
    """The answer about samples, in one request."""
    return await ask_batch(server, batch_of(pairs), seconds)


async def ask_batch(server: UpstreamServer, batch: Batch, seconds: float = 60) -> ModelAnswer:
    """The answer about a whole batch."""
    await wait_until_known(server)
    deadline = asyncio.get_running_loop().time() + seconds
    return await server.score(NAME, batch, list(range(batch.size)), deadline)


async def wait_until_known(server: UpstreamServer) -> None:
    """Until the upstream is ready, or says why it is not."""
    info = await server.info(NAME)
    while not info.ready and "has not answered yet" in info.fault:
        await asyncio.sleep(0.05)
        info = await server.info(NAME)


async def score(server: UpstreamServer, pairs: Sequence[tuple[str, str]] = PAIRS) -> FloatArray:
    """[n, K] scores of samples that all have one."""
    answer = await ask(server, pairs)
    assert answer.invalid == {}
    return answer.values


def vectors(answer: ModelAnswer) -> list[list[float]]:
    """The numbers of each row's parts."""
    assert answer.invalid == {}
    return [np.frombuffer(answer.vectors[row], "<f4").tolist() for row in range(len(answer.values))]
