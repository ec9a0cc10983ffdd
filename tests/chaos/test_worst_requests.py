"""Every operation gets its worst legal requests under a deadline of two seconds, while /livez is asked every 5 ms."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import numpy as np
import pytest
from reward_gateway.operations.registry import KINDS, Kind, catalog

from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import WITHOUT_TRITON, ChaosStack, Launch, wait_until
from tests.chaos.verdicts import at_most, exactly
from tests.chaos.worst_requests import ENTRIES, worst_requests

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1500)]  # there are 332 requests to scores alone

POLL_S = 0.005
DEADLINE_S = 2.0
PATIENT_S = 25.0
"""A deadline by which the largest bodies are decoded, scored and answered."""

LARGE_BODY = 60 << 20
LARGE: tuple[tuple[Kind, str], ...] = (
    ("transform", "aggregate"),
    ("credit", "return_to_go"),
    ("score", "vendi"),
    ("audit", "template_convergence"),
)
"""Operations whose largest bodies are tried: long vectors, matrices and texts."""

ANSWERS = {200, 413, 422, 503, 504}
"""422: a pattern or a schema that expands too far."""


@pytest.fixture(scope="module")
def stack(launch: Launch) -> ChaosStack:
    """One worker that scores rules, and whose processes for costly operations have started."""
    stack = launch("--workers", "1", *WITHOUT_TRITON)
    body = {"items": [{"reward": 1.0}] * 4096}
    wait_until(lambda: httpx.post(f"{stack.http}/v1/transform/affine", json=body, timeout=90).status_code == 200)
    return stack


@dataclass
class Polls:
    """What /livez took, in milliseconds, while requests were under way."""

    times_ms: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        return float(np.quantile(self.times_ms, 0.99))


@contextmanager
def polling(url: str) -> Iterator[Polls]:
    """Ask /livez every 5 ms, over one connection, in a thread."""
    polls, ended = Polls(), threading.Event()
    address = httpx.URL(url)

    def ask() -> None:
        connection = http.client.HTTPConnection(address.host, address.port, timeout=60)
        while not ended.is_set():
            began = time.perf_counter()
            connection.request("GET", "/livez")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            polls.times_ms.append((time.perf_counter() - began) * 1e3)
            time.sleep(max(0.0, POLL_S - (time.perf_counter() - began)))
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield polls
    finally:
        ended.set()
        thread.join()


@dataclass
class Worst:
    """The largest figure of all, and whose it is."""

    figure: float = 0.0
    name: str = "none"

    def add(self, figure: float, name: str) -> None:
        if figure > self.figure:
            self.figure, self.name = figure, name


def send(
    stack: ChaosStack,
    path: str,
    body: bytes,
    name: str,
    late: Worst,
    strange: list[str],
    deadline_s: float = DEADLINE_S,
) -> int:
    """Send a request and note how much later than its deadline it was answered, and with which status."""
    headers = {"content-type": "application/json", "x-request-deadline-ms": str(round(deadline_s * 1e3))}
    began = time.perf_counter()
    answer = httpx.post(f"{stack.http}{path}", content=body, headers=headers, timeout=90)
    late.add(time.perf_counter() - began - deadline_s, name)
    if answer.status_code not in ANSWERS:
        strange.append(f"{name}: {answer.status_code} {answer.text[:200]}")
    return answer.status_code


def try_operations(
    stack: ChaosStack, names: list[tuple[Kind, str]], limit: int, target_ms: float, verdict: GiveVerdict
) -> None:
    slowest, late, strange, requests = Worst(), Worst(), list[str](), 0
    for operation in catalog():
        if (operation.kind, operation.name) not in names:
            continue
        bodies = list(worst_requests(operation, limit))
        requests += len(bodies)
        with polling(stack.http) as polls:
            for request in bodies:
                send(stack, f"/v1/{request.kind}/{request.name}", request.body, str(request), late, strange)
        slowest.add(polls.p99_ms, f"{operation.kind}/{operation.name}")
    verdict(
        f"/livez p99 beside the worst of {len(names)} operations ({slowest.name})",
        slowest.figure,
        at_most(target_ms),
        "ms",
    )
    verdict(f"later than the deadline, worst of {requests} requests ({late.name})", late.figure, at_most(0.5), "s")
    verdict(f"statuses outside of the closed set {strange[:3] or ''}".strip(), len(strange), exactly(0), "")


@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_requests_to_every_operation(stack: ChaosStack, kind: Kind, verdict: GiveVerdict) -> None:
    names = [(operation.kind, operation.name) for operation in catalog() if operation.kind == kind]
    try_operations(stack, names, 4 << 20, 100.0, verdict)


def test_the_largest_bodies(stack: ChaosStack, verdict: GiveVerdict) -> None:
    try_operations(stack, list(LARGE), LARGE_BODY, 150.0, verdict)


@pytest.mark.parametrize("deadline_s", [DEADLINE_S, PATIENT_S])
def test_the_largest_bodies_to_recipes(stack: ChaosStack, deadline_s: float, verdict: GiveVerdict) -> None:
    slowest, late, strange = Worst(), Worst(), list[str]()
    for name, (path, piece) in ENTRIES.items():
        body = piece.fill(LARGE_BODY)
        with polling(stack.http) as polls:
            status = send(stack, path, body, name, late, strange, deadline_s)
            time.sleep(1)  # what is freed after the answer counts, too
        slowest.add(polls.p99_ms, name)
        longest = max(polls.times_ms)
        print(f"{name}: {status}, p99 {polls.p99_ms:.1f} ms, longest {longest:.0f} ms of {len(polls.times_ms)}")
    verdict(f"/livez p99 beside the largest bodies ({slowest.name})", slowest.figure, at_most(150.0), "ms")
    verdict(f"later than the deadline ({late.name})", late.figure, at_most(0.5), "s")
    verdict(f"statuses outside of the closed set {strange[:3] or ''}".strip(), len(strange), exactly(0), "")
