"""Servers die and hang under load: no wrong score, clear errors, and recovery without a restart of the gateway."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import start_stack, stop_stack
from tests.families import find_one, has_in_command
from tests.load import Load

if TYPE_CHECKING:
    from tests.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROWS = [(f"question {i}", "an answer with some words " * (1 + i % 4)) for i in range(12)]
ALLOWED = {200, 503, 504}


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Stack"]:
    """A stack of our own, whose servers may be killed."""
    running = start_stack(
        tmp_path_factory.mktemp("mortal") / "serve.log", "--models", "text_preference", "--cache-memory-entries", "0"
    )
    yield running
    stop_stack(running)


def pid_of(stack: "Stack", name: str) -> int:
    return find_one(stack.process.pid, lambda process: name in process.name())


def cache_pid(stack: "Stack") -> int:
    """The Valkey that caches scores: its title ends in its address."""
    return find_one(stack.process.pid, has_in_command(stack.redis.removeprefix("unix://")))


def post(stack: "Stack", rows: list[tuple[str, str]], cache: str = "use") -> httpx.Response:
    samples = [{"prompt": prompt, "response": response} for prompt, response in rows]
    body = {"reward": "helpful", "samples": samples, "options": {"cache": cache, "deadline_ms": 100_000}}
    return httpx.post(f"{stack.http}/v1/score", json=body, timeout=120)


class FaultsSought(Load):
    """Scores all the time, and keeps what was wrong with any answer."""

    def __init__(self, stack: "Stack", cache: str) -> None:
        super().__init__()
        self.expected = [result["reward"] for result in post(stack, ROWS).json()["results"]]
        self.stack, self.cache = stack, cache
        self.statuses: dict[int, int] = {}
        self.wrong: list[Any] = []
        self.slowest = 0.0

    def ask(self, turn: int) -> None:
        start = turn % len(ROWS)
        chosen = [(start + k) % len(ROWS) for k in range(1 + turn % 5)]
        began = time.monotonic()
        answer = post(self.stack, [ROWS[i] for i in chosen], self.cache)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        if answer.status_code == 200:
            for i, result in zip(chosen, answer.json()["results"], strict=True):
                if result["valid"] and abs(result["reward"] - self.expected[i]) > 1e-5:
                    self.wrong.append((i, result["reward"], self.expected[i]))
                if not result["valid"] and result["reward"] is not None:
                    self.wrong.append((i, "a number without a score"))
        elif answer.status_code not in ALLOWED or "retry-after" not in answer.headers:
            self.wrong.append((answer.status_code, answer.text))


def until(true: Callable[[], object], timeout_s: float = 120.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it did not come back"
        time.sleep(0.3)


def test_triton_is_killed_under_load(mortal: "Stack") -> None:
    with FaultsSought(mortal, "off") as load:
        until(lambda: load.statuses.get(200))
        os.kill(pid_of(mortal, "tritonserver"), signal.SIGKILL)
        time.sleep(0.3)
        until(lambda: post(mortal, ROWS[:2], "off").status_code == 200)
    assert not load.wrong
    assert load.statuses.get(200, 0) > 0


def test_valkey_is_killed_under_load(mortal: "Stack") -> None:
    with FaultsSought(mortal, "use") as load:
        time.sleep(0.5)
        os.kill(cache_pid(mortal), signal.SIGKILL)
        time.sleep(4.0)
    assert not load.wrong
    assert set(load.statuses) == {200}, "a dead cache costs no answer"
    until(lambda: post(mortal, ROWS).json()["usage"]["cache_hits"] == len(ROWS))


def test_a_valkey_that_accepts_and_never_answers_costs_next_to_nothing(mortal: "Stack") -> None:
    frozen = cache_pid(mortal)
    until(lambda: post(mortal, ROWS).json()["usage"]["cache_hits"] == len(ROWS))
    with FaultsSought(mortal, "use") as load:
        os.kill(frozen, signal.SIGSTOP)
        try:
            time.sleep(4.0)
        finally:
            os.kill(frozen, signal.SIGCONT)
    assert not load.wrong
    assert set(load.statuses) == {200}
    assert "reward_gateway_cache" in httpx.get(f"{mortal.http}/metrics", timeout=60).text
    until(lambda: post(mortal, ROWS).json()["usage"]["cache_hits"] == len(ROWS))


def test_nothing_of_what_was_scored_stands_in_logs_or_metrics(mortal: "Stack") -> None:
    canary = "xyzzy-canary-4711"
    post(mortal, [(canary, canary)])
    httpx.post(f"{mortal.http}/v1/score", json={"samples": [{"prompt": canary, "response": 3}]}, timeout=60)
    assert canary not in httpx.get(f"{mortal.http}/metrics", timeout=60).text
    assert canary not in mortal.log.read_text()
    logs = Path(__file__).parents[2] / ".local" / "run" / mortal.http.rsplit(":", 1)[1]
    assert all(canary not in log.read_text(errors="replace") for log in logs.glob("*.log"))
