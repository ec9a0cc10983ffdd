"""Rates and monitoring windows hold over all gateway processes: the kernel gives each connection to any of them."""

from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.conftest import start_stack, stop_stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

RECIPE = """
rewards:
  short:
    components: {brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}}
"""
KEYS = """
keys:
  - {name: limited, key: the-limited-key, rights: [score], rate: 5/hour}
  - {name: free, key: the-free-key, rights: [score]}
"""


def test_three_processes_keep_one_rate_and_tell_one_window(tmp_path: Path) -> None:
    rewards, keys = tmp_path / "rewards.yaml", tmp_path / "keys.yaml"
    rewards.write_text(RECIPE)
    keys.write_text(KEYS)
    flags = ("--workers", "3", "--triton-url", "127.0.0.1:1", "--state-dir", str(tmp_path / "state"))
    files = ("--rewards-file", str(rewards), "--api-keys-file", str(keys))
    stack = start_stack(tmp_path / "serve.log", *flags, *files)
    try:
        assert stack.state != stack.redis

        told: dict[int, int] = {}

        def post(key: str) -> httpx.Response:
            body = {"samples": [{"prompt": "a", "response": "b c"}] * 10}
            return httpx.post(f"{stack.http}/v1/score", json=body, headers={"x-api-key": key}, timeout=60)

        def ask_monitor() -> None:
            answer = httpx.get(f"{stack.http}/v1/monitor", headers={"x-api-key": "the-free-key"}, timeout=60).json()
            assert answer["shared"] is True
            told[answer["worker"]] = answer["rewards"].get("short", {}).get("samples", 0)

        answers = [post("the-limited-key") for _ in range(24)]
        assert Counter(answer.status_code for answer in answers) == {200: 5, 429: 19}
        waits = {int(answer.headers["retry-after"]) for answer in answers if answer.status_code == 429}
        assert all(1 <= wait <= 3600 for wait in waits)
        assert {post("the-free-key").status_code for _ in range(15)} == {200}
        for _ in range(1000):  # each process writes its part before it answers
            ask_monitor()
            if len(told) == 3 and set(told.values()) == {200}:
                break
        assert set(told.values()) == {200}
    finally:
        assert stop_stack(stack) == 0
