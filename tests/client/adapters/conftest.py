"""A real service with recipes that trainers' tests can tell apart, and an environment that names it."""

import socket
from collections.abc import Iterator

import pytest

from tests.client.conftest import Service, serving

RECIPES = """
rewards:
  brief:
    components:
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}
  right:
    components:
      equal: {score: exact_match}
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}
    combine: {weighted_sum: {over: [equal, brevity]}}
default: brief
"""


@pytest.fixture(scope="package")
def running_trainers() -> Iterator[Service]:
    yield from serving(RECIPES)


@pytest.fixture
def service(running_trainers: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, named by the environment, with a clean record."""
    running_trainers.requests.clear()
    running_trainers.keys.clear()
    running_trainers.refusals.clear()
    monkeypatch.setenv("REWARD_GATEWAY_URL", running_trainers.url)
    monkeypatch.delenv("REWARD_GATEWAY_REWARD", raising=False)
    monkeypatch.setenv("REWARD_GATEWAY_TIMEOUT_S", "5")
    return running_trainers


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a service that is down; callers wait a moment for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("REWARD_GATEWAY_URL", url)
    monkeypatch.setenv("REWARD_GATEWAY_TIMEOUT_S", "0.5")
    return url
