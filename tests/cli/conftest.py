"""The command line against the running service of the client's tests."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from reward_gateway.cli import catalog, live, main, models, rewards, state
from reward_gateway.cli import service as asked_service

from tests.client.conftest import running, service

__all__ = ["running", "service"]


PATIENT_S = 240.0
"""No machine is too slow for it."""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """``run("score", "f.jsonl")``: the console script in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REWARD_GATEWAY_URL", raising=False)
    monkeypatch.setattr(rewards, "CHECK_TIMEOUT_S", PATIENT_S)
    for module in (catalog, live, models, rewards, asked_service, state):
        monkeypatch.setattr(module, "TIMEOUT_S", PATIENT_S)

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["reward-gateway", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        said = capfd.readouterr()
        return Ended(code, said.out, said.err)

    return call
