"""What vLLM is told of a checkpoint. vLLM itself is asked by ``make test-upstreams``; here a stand-in is."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reward_models.convert.engines import vllm_engine
from reward_models.convert.engines.task import Task

PLAIN, SPACED = "/opt/site-packages/torch/__init__.py", "/opt/my models/site-packages/torch/__init__.py"


@pytest.mark.parametrize(
    ("torch", "device", "arguments", "eager"),
    [
        (PLAIN, "CPU", {}, False),
        (SPACED, "CPU", {}, True),
        (SPACED, "MODEL", {}, False),
        (PLAIN, "CPU", {"enforce_eager": True}, True),
        (SPACED, "CPU", {"enforce_eager": False}, False),
    ],
)
def test_the_network_is_not_compiled_on_a_cpu_where_torch_s_path_has_a_space_unless_the_card_says_so(
    monkeypatch: pytest.MonkeyPatch, torch: str, device: str, arguments: dict[str, Any], eager: bool
) -> None:
    told: dict[str, Any] = {}
    stand_in = SimpleNamespace(LLM=lambda **given: told.update(given), PoolingParams=lambda **_: None)
    monkeypatch.setitem(sys.modules, "vllm", stand_in)
    monkeypatch.setattr(vllm_engine, "find_spec", lambda name: ModuleSpec(name, None, origin=torch))
    network = {"dtype": "float32", "trust_remote_code": False, "options": {}}
    vllm_engine.VllmEngine(Task(Path("/checkpoint"), network, 0, False, 64, device, 0, 1, 1024, arguments))
    assert told["enforce_eager"] is eager
