"""Clients that time out, vanish and retry, over two gateway processes and a real store: every sample counts once."""

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Stack, start_stack, stop_stack

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

COHORT = 4
RECIPES = f"""
default: counted
rewards:
  counted:
    description: The caller's number, on the running scale of a stream.
    components:
      mine: {{score: given, inputs: {{value: {{feature: mine}}}}, transforms: [{{running_scale: {{stream: retries}}}}]}}
  compared:
    description: The caller's number, centred among the samples of its prompt.
    components: {{mine: {{score: given, inputs: {{value: {{feature: mine}}}}}}}}
    group: {{normalize: mean, cohort: {{size: {COHORT}, timeout_s: 110}}}}
"""


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("retries")
    (folder / "rewards.yaml").write_text(RECIPES)
    flags = ("--workers", "2", "--rewards-file", str(folder / "rewards.yaml"), "--models", "text_preference")
    stack = start_stack(folder / "serve.log", *flags)
    yield stack
    assert stop_stack(stack) == 0


def write_request(reward: str, numbers: list[float], prompt: str, key: str) -> bytes:
    """A whole HTTP/1.1 request."""
    samples = [{"prompt": prompt, "response": "x", "features": {"mine": number}} for number in numbers]
    body = json.dumps({"reward": reward, "samples": samples}).encode()
    head = (
        "POST /v1/score HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Idempotency-Key: {key}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body


async def send(stack: Stack, request: bytes, patience_s: float | None) -> list[float]:
    """Rewards over a connection of its own, which the kernel gives to either process.

    Raises:
        TimeoutError: the client lost its patience and broke the connection.
    """
    url = httpx.URL(stack.http)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(request)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), patience_s)
    finally:
        writer.transport.abort()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    return [result["reward"] for result in json.loads(body)["results"]]


async def insist(stack: Stack, request: bytes, draw: random.Random) -> list[float]:
    """Send a request in up to four attempts that are broken off, some while the one before is still at work; then once
    more with all patience."""
    under_way = []
    for _ in range(draw.randrange(5)):
        patience_s = draw.choice((0.0, 0.001, 0.003, 0.01, 0.05))
        attempt = asyncio.ensure_future(send(stack, request, patience_s))
        under_way.append(attempt)
        if draw.random() < 0.5:
            await asyncio.wait([attempt])
    heard = [answer for answer in await asyncio.gather(*under_way, return_exceptions=True) if isinstance(answer, list)]
    final = await send(stack, request, None)
    for answer in heard:
        assert answer == pytest.approx(final), "a retry was answered differently"
    return final


async def test_a_stream_counts_every_sample_of_impatient_clients_once(two_processes: Stack) -> None:
    draw = random.Random(10)
    batches = [[draw.gauss(0, 1) for _ in range(draw.randrange(1, 9))] for _ in range(40)]
    requests = [write_request("counted", batch, f"p{i}", f"counted-{i}") for i, batch in enumerate(batches)]
    await asyncio.gather(*(insist(two_processes, request, random.Random(i)) for i, request in enumerate(requests)))

    numbers = [number for batch in batches for number in batch]
    async with httpx.AsyncClient(timeout=60) as client:
        moments = (await client.get(f"{two_processes.http}/v1/state/moments/retries")).json()["value"]
    assert moments["count"] == len(numbers)
    assert moments["mean"] == pytest.approx(sum(numbers) / len(numbers))


async def test_a_cohort_seats_every_sample_of_impatient_clients_once(two_processes: Stack) -> None:
    draw = random.Random(11)
    prompts = [f"prompt {i}" for i in range(12)]
    numbers = {prompt: [draw.gauss(0, 1) for _ in range(COHORT)] for prompt in prompts}
    clients = [
        (
            prompt,
            k,
            insist(two_processes, write_request("compared", [number], prompt, f"{prompt}-{k}"), random.Random(k)),
        )
        for prompt in prompts
        for k, number in enumerate(numbers[prompt])
    ]
    answers = await asyncio.gather(*(client for *_, client in clients))
    for (prompt, k, _), rewards in zip(clients, answers, strict=True):
        expected = numbers[prompt][k] - sum(numbers[prompt]) / COHORT
        assert rewards == pytest.approx([expected]), prompt


async def test_a_client_that_vanished_counts_once_or_never(two_processes: Stack, tmp_path: Path) -> None:
    url = f"{two_processes.http}/v1/state/moments/retries"
    async with httpx.AsyncClient(timeout=60) as client:
        before = (await client.get(url)).json()["value"]["count"]
        gone = [
            send(two_processes, write_request("counted", [1.0], "p", f"gone-{i}"), 0.001 * (i % 4)) for i in range(40)
        ]
        await asyncio.gather(*gone, return_exceptions=True)
        last = await send(two_processes, write_request("counted", [1.0], "p", "last"), None)
        assert len(last) == 1
        after = (await client.get(url)).json()["value"]["count"]
    assert before + 1 <= after <= before + 41
