"""Real gateways, without a model server, under load: signals reach them, and no client is left without an answer."""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.local.workers import MODULE

StartStack = Callable[..., Any]
RECIPES = "rewards: {short: {components: {a: {score: length_penalty}}}}\ndefault: short\n"
SCORE = {"samples": [{"prompt": "p", "response": "a few words"}]}


@pytest.fixture
def rewards(tmp_path: Path) -> Path:
    path = tmp_path / "rewards.yaml"
    path.write_text(RECIPES)
    return path


@dataclass
class Load:
    """Clients that post one after another, each on a new connection or on one that it keeps."""

    url: str
    outcomes: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def post_forever(self, keep: bool) -> None:
        client = httpx.Client(timeout=60, trust_env=False)
        while not self.over.is_set():
            try:
                answer = client.post(f"{self.url}/v1/score", json=SCORE)
                said = str(answer.status_code)
                if answer.status_code == 503 and "retry-after" not in answer.headers:
                    said = "503 without Retry-After"
            except httpx.ConnectError:
                said = "refused"
                self.over.wait(0.02)
            except httpx.HTTPError as error:
                said = type(error).__name__
            self.outcomes[said] += 1
            if not keep:
                client.close()
                client = httpx.Client(timeout=60, trust_env=False)
        client.close()


@contextmanager
def load_on(stack: Any) -> Iterator[Load]:
    load = Load(f"http://127.0.0.1:{stack.http_port}")
    clients = [threading.Thread(target=load.post_forever, args=(number % 2 == 0,)) for number in range(6)]
    for client in clients:
        client.start()
    try:
        assert stack.until(lambda: load.outcomes["200"] > 20)
        yield load
    finally:
        load.over.set()
        for client in clients:
            client.join(60)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_under_load_answers_or_refuses_every_client(
    start_stack: StartStack, rewards: Path, workers: str
) -> None:
    stack = start_stack(WORKER=MODULE, TRITON_URL="127.0.0.1:1", REWARDS_FILE=str(rewards), WORKERS=workers)
    with load_on(stack) as load:
        stack.process.send_signal(signal.SIGTERM)
        assert stack.process.wait(120) == 0
        assert stack.until(lambda: load.outcomes["refused"] > 6)
    # A kept connection may be closed just as its client sends: HTTP/1.1 has no word for it.
    assert load.outcomes.keys() <= {"200", "503", "refused", "RemoteProtocolError", "ReadError", "WriteError"}, load
    assert sum(load.outcomes[name] for name in ("RemoteProtocolError", "ReadError", "WriteError")) <= 3
    assert stack.left() == []


def test_a_hangup_under_load_reads_keys_and_recipes_again_and_fails_nobody(
    start_stack: StartStack, rewards: Path, tmp_path: Path
) -> None:
    stack = start_stack(WORKER=MODULE, TRITON_URL="127.0.0.1:1", REWARDS_FILE=str(rewards), WORKERS="2")
    with load_on(stack) as load:
        for _ in range(5):
            stack.process.send_signal(signal.SIGHUP)
            before = load.outcomes["200"]
            assert stack.until(lambda: load.outcomes["200"] > before + 10)  # noqa: B023
        assert stack.until(lambda: stack.said().count("rewards_reloaded") >= 2)
    assert load.outcomes.keys() == {"200"}
    assert stack.process.poll() is None


def test_keys_are_replaced_without_a_restart(start_stack: StartStack, rewards: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys: [{name: a, key: first secret}]")
    stack = start_stack(WORKER=MODULE, TRITON_URL="127.0.0.1:1", REWARDS_FILE=str(rewards), API_KEYS_FILE=str(keys))

    def status(key: str) -> int:
        url = f"http://127.0.0.1:{stack.http_port}/v1/score"
        return httpx.post(url, json=SCORE, headers={"x-api-key": key}, timeout=60, trust_env=False).status_code

    assert (status("first secret"), status("second secret")) == (200, 401)
    keys.write_text("keys: [{name: a, key: second secret}]")
    stack.process.send_signal(signal.SIGHUP)
    assert stack.until(lambda: status("second secret") == 200)
    assert status("first secret") == 401
    keys.write_text("keys: []")
    stack.process.send_signal(signal.SIGHUP)
    assert stack.until(lambda: "keys_kept" in stack.said())
    assert status("second secret") == 200
