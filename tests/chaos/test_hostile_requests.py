"""Requests that are broken, too large, given up or too many at once: closed sets of statuses, exact limits, counts."""

import asyncio
import gzip
import itertools
import json
import random
import re
import time
from typing import Any

import httpx
import pytest

from tests.chaos.callers import Caller, GrpcCaller, HttpCaller, Ledger, load
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import SLOW, WITHOUT_TRITON, ChaosStack, Launch, wait_until
from tests.chaos.verdicts import at_least, at_most, exactly

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

REQUESTS, BAD = 10_000, 0.3
"""Requests of eight clients, and the share of those that are broken."""

PATIENCE_S = 0.33
"""The longest that a client waits before it leaves."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

REFUSALS = frozenset({400, 404, 405, 413, 415, 422, 431})
"""What a broken request may be answered, beside the statuses of those that are well formed."""

SIZES = {"max-samples": 16, "max-text-chars": 1000, "max-nesting": 16, "max-body-bytes": 100_000, "max-name-chars": 32}


@pytest.fixture(scope="module")
def rules(launch: Launch) -> ChaosStack:
    """One worker that scores rules, with small limits."""
    return launch(*(part for name, size in SIZES.items() for part in (f"--{name}", str(size))), *WITHOUT_TRITON)


GOOD = json.dumps({"reward": "rule", "samples": [{"response": "a b"}]}).encode()
BOMB = gzip.compress(bytes(50_000_000), 9)
JSON, GZIP = {"content-type": "application/json"}, {"content-type": "application/json", "content-encoding": "gzip"}

BROKEN: tuple[tuple[str, bytes, dict[str, str]], ...] = (
    ("/v1/score", random.Random(0).randbytes(300), JSON),
    *(("/v1/score", GOOD[:size], JSON) for size in range(0, len(GOOD), 10)),
    ("/v1/score", GOOD, GZIP),
    ("/v1/score", gzip.compress(GOOD)[:-5], GZIP),
    ("/v1/score", BOMB, GZIP),
    ("/v1/score", GOOD, {**JSON, "content-encoding": "unknown"}),
    ("/v1/score", b"[" * 5000, JSON),
    ("/v1/score", json.dumps({"reward": "none", "samples": [{"response": "a"}]}).encode(), JSON),
    ("/v1/score", json.dumps({"reward": "rule", "samples": [{"response": 3}]}).encode(), JSON),
    ("/v1/score", json.dumps({"reward": "rule", "samples": [{"response": "a"}] * 17}).encode(), JSON),
    ("/v1/score", json.dumps({"reward": "rule", "samples": [{"response": "a" * 1001}]}).encode(), JSON),
    ("/v1/transform/no_such", GOOD, JSON),
    ("/%00/..%2f", GOOD, JSON),
)
"""Paths, bodies and headers of requests that are wrong, each in its own way."""


async def test_broken_requests_and_impatient_clients(rules: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    answers: dict[int, int] = {}
    left = 0

    async def client(number: int) -> None:
        nonlocal left
        draw = random.Random(number)
        async with httpx.AsyncClient(base_url=rules.http, trust_env=False) as http:
            for _ in range(REQUESTS // 8):
                bad = draw.random() < BAD
                path, content, headers = draw.choice(BROKEN) if bad else ("/v1/score", GOOD, JSON)
                try:
                    async with asyncio.timeout(draw.uniform(0, PATIENCE_S)):
                        answer = await http.post(path, content=content, headers=headers)
                except (TimeoutError, httpx.TransportError):
                    left += 1
                    continue
                answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
                # 503: the queue is full, or a name may be a model's and there is no server of models to ask.
                if answer.status_code not in {503, *(REFUSALS if bad else {200})}:
                    ledger.strange.append(f"{path} {content[:40]!r}: {answer.status_code} {answer.text[:200]}")
                if not bad and answer.status_code == 200:
                    ledger.note_rewards([-2.0], [result["reward"] for result in answer.json()["results"]])

    await asyncio.gather(*map(client, range(8)))
    caller = HttpCaller(rules.http, ledger)
    good = await caller.score("rule", ["one two three"])
    await caller.close()
    verdict(f"requests answered, of {REQUESTS}", sum(answers.values()), at_least(REQUESTS / 4), "")
    verdict("clients that left", left, at_least(1), "")
    verdict("a good request afterwards, reward", float("nan") if not good or good[0] is None else good[0], exactly(-3))

    def is_idle() -> bool:
        return not rules.metric("reward_gateway_requests_in_flight") + rules.metric("reward_gateway_requests_queued")

    verdict("until nothing is in flight or queued", await asyncio.to_thread(wait_until, is_idle), at_most(5), "s")


async def test_every_path_with_every_method(rules: ChaosStack, verdict: GiveVerdict) -> None:
    draw = random.Random(1)
    faults, unanswered, sent = [], 0, 0
    async with httpx.AsyncClient(base_url=rules.http, trust_env=False, timeout=30) as http:
        paths = [re.sub(r"\{.*?\}", "any", path) for path in (await http.get("/openapi.json")).json()["paths"]]
        for path, method in itertools.product(paths, METHODS):
            body = draw.choice([b"", GOOD, draw.randbytes(200), b"null", b'{"a": 1e999}'])
            sent += 1
            try:
                answer = await http.request(method, path, content=body, headers=JSON)
            except httpx.TransportError:
                unanswered += 1
                continue
            if answer.status_code >= 500 and answer.status_code not in (503, 504):
                faults.append(f"{method} {path} {body[:30]!r}: {answer.status_code}")
        alive = (await http.post("/v1/score", content=GOOD, headers=JSON)).status_code
    assert not faults, faults[:3]
    verdict("requests", sent, at_least(len(METHODS) * 20), "")
    verdict("answers 500", len(faults), exactly(0), "")
    verdict("unanswered requests", unanswered, exactly(0), "")
    verdict("a good request afterwards, status", alive, exactly(200), "")


def nested(depth: int) -> dict[str, Any]:
    """A request that is so many levels deep."""
    value: Any = 1.0
    for _ in range(depth - 4):  # the request, its samples, a sample, its metadata
        value = [value]
    return {"reward": "rule", "samples": [{"response": "a b", "metadata": {"deep": value}}]}


def padded(size: int) -> bytes:
    """A request of so many bytes."""
    return GOOD + b" " * (size - len(GOOD))


async def test_limits_on_both_sides(rules: ChaosStack, verdict: GiveVerdict) -> None:
    def samples(count: int) -> dict[str, Any]:
        return {"reward": "rule", "samples": [{"response": "a b"}] * count}

    def text(size: int) -> dict[str, Any]:
        return {"reward": "rule", "samples": [{"response": "a" * size}]}

    async with httpx.AsyncClient(base_url=rules.http, trust_env=False, timeout=30) as http:

        async def send(content: bytes, **headers: str) -> int:
            headers = {**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}
            return (await http.post("/v1/score", content=content, headers=headers)).status_code

        async def differ(make: Any, limit: int, over: int, **headers: str) -> int:
            """How many of the two requests, at the limit and over it, are answered wrongly."""
            made = [make(size) for size in (limit, limit + 1)]
            bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in made]
            statuses = [await send(body, **headers) for body in bodies]
            return (statuses[0] != 200) + (statuses[1] != over)

        body_bytes = SIZES["max-body-bytes"]
        wrong = {
            "samples": await differ(samples, SIZES["max-samples"], 413),
            "characters of a text": await differ(text, SIZES["max-text-chars"], 413),
            "levels of nesting": await differ(nested, SIZES["max-nesting"], 422),
            "bytes of a body": await differ(padded, body_bytes, 413),
            "bytes of a body, decompressed": await differ(
                lambda size: gzip.compress(padded(size)), body_bytes, 413, content_encoding="gzip"
            ),
        }
        began = time.monotonic()
        bomb = await send(BOMB, content_encoding="gzip")
        seconds = time.monotonic() - began
    for name, count in wrong.items():
        verdict(f"{name}: wrong answers at the limit and one over it", count, exactly(0), "")
    verdict("a body that decompresses to 50 MB, status", bomb, exactly(413), "")
    verdict("the same, answered after", seconds, at_most(1), "s")


@pytest.mark.parametrize("entry", ["http", "grpc"])
async def test_200_at_once_for_16_places(launch: Launch, entry: str, ledger: Ledger, verdict: GiveVerdict) -> None:
    stack = await asyncio.to_thread(launch, "--max-in-flight", "8", "--max-queued", "8")
    callers: list[Caller] = [
        HttpCaller(stack.http, ledger) if entry == "http" else GrpcCaller(stack.grpc, ledger) for _ in range(200)
    ]
    health = Ledger()

    async def ask(caller: Caller, turn: int) -> None:
        assert isinstance(caller, HttpCaller)
        await caller.post("/livez", None, method="GET")

    await callers[0].score("model", ["the first one"])
    ledger.seconds.clear()
    before = stack.metric("reward_gateway_admission_rejected_total")
    async with load([HttpCaller(stack.http, health)], ask, 0.02):
        await asyncio.gather(*(c.score("model", [f"{SLOW} {k}"] * 10, cache="off") for k, c in enumerate(callers)))
    rejected = stack.metric("reward_gateway_admission_rejected_total") - before
    for caller in callers:
        await caller.close()
    in_flight = stack.metric("reward_gateway_requests_in_flight") + stack.metric("reward_gateway_requests_queued")
    verdict("rejected", ledger.statuses[503], at_least(100), "")
    verdict("rejections by the metric, less those", rejected - ledger.statuses[503], exactly(0), "")
    verdict("answers with scores", ledger.statuses[200], at_least(16), "")
    verdict("unanswered requests", ledger.unanswered, exactly(0), "")
    verdict("p99 of all answers", ledger.quantile(0.99), at_most(5), "s")
    verdict("health p95", health.quantile(0.95) * 1e3, at_most(500), "ms")
    verdict("left in flight or queued", in_flight, exactly(0), "")
