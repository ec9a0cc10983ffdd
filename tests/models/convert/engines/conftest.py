"""A stand-in for an engine's environment: the real process and its pipes, with arithmetic in place of a network."""

import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import reward_models
from reward_models.runtime.engine import EngineProcess
from reward_models.runtime.instance import Instance
from reward_models.runtime.reading import TokenRow
from reward_models.runtime.session import Device

FAKE = Path(__file__).parent / "arithmetic_engine.py"

Start = Callable[..., EngineProcess]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts the engine, as the model of a card does; arguments are the card's ``engine``."""
    python = tmp_path / "python"
    models = Path(reward_models.__path__[0]).parent
    python.write_text(f"#!/bin/sh\nexport PYTHONPATH='{models}'\nexec '{sys.executable}' '{FAKE}' \"$@\"\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("REWARD_MODELS_TORCH_PYTHON", str(python))

    def make(network: dict[str, Any] | None = None, **how: Any) -> EngineProcess:
        settings = {"network": {"engine": "torch", **(network or {})}, "pad": 0, "types": False, "tokens": 64}
        card = {"settings": settings, "engine": how}
        return EngineProcess(Instance(tmp_path, ("reward",), ("truncated", "media_ignored"), card, Device()))

    return make


def row(*ids: int) -> TokenRow:
    return TokenRow(list(ids), [0] * len(ids))
