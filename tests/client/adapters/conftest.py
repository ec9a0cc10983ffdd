"""A real service with recipes that trainers' tests can tell apart, and an environment that names it."""

import importlib.util
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.client.conftest import Service, serving

Module = Callable[..., ModuleType]

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
  equal: {components: {equal: {score: exact_match}}}
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


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Module:
    """Make a module importable for this test."""

    def install(name: str, **contents: Any) -> ModuleType:
        for end in range(1, name.count(".") + 2):
            part = ".".join(name.split(".")[:end])
            if part not in sys.modules or part == name:
                monkeypatch.setitem(sys.modules, part, ModuleType(part))
        vars(sys.modules[name]).update(contents)
        return sys.modules[name]

    return install


def fresh(path: Path) -> Any:
    """A module as a trainer loads it from a file."""
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
