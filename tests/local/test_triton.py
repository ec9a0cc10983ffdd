"""local/triton.py: what a stack that was killed outright leaves behind is removed by the next one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reward_gateway.admin.loaded_models import LoadedModels
from reward_gateway.local.triton import kill_orphans, triton_child
from reward_gateway.settings import Settings

NO_PROCESS = 2**22 + 1
"""More than the kernel ever gives."""


def process_of(supervisor: int, program: str, option: str) -> "subprocess.Popen[bytes]":
    """A process that looks like one that was started by the stack of a supervisor."""
    arguments = [f"/x/{program}", "-c", "import time; time.sleep(3600)", f"{option}reward_gateway_{supervisor}_1_"]
    process = subprocess.Popen(arguments, executable=sys.executable)
    while not Path(f"/proc/{process.pid}/cmdline").read_text().startswith(arguments[0]):
        time.sleep(0.01)
    return process


@pytest.mark.parametrize(
    ("program", "option"),
    [
        ("triton_python_backend_stub", ""),
        ("tritonserver", "--backend-config=python,shm-region-prefix-name="),
    ],
)
def test_servers_and_models_are_ended_where_their_supervisor_is_gone_and_only_there(program: str, option: str) -> None:
    orphan, kept = process_of(NO_PROCESS, program, option), process_of(os.getpid(), program, option)
    try:
        kill_orphans()
        assert orphan.wait(120) == -9
        assert kept.poll() is None
    finally:
        for process in (orphan, kept):
            process.kill()
            process.wait()


@pytest.mark.stack
@pytest.mark.parametrize(("keys", "said", "remembers"), [(False, None, True), (True, None, False), (True, True, True)])
def test_models_keep_nothing_between_calls_where_keys_tell_callers_apart(
    tmp_path: Path, keys: bool, said: bool | None, remembers: bool
) -> None:
    built = Settings().triton_env
    settings = Settings(
        triton_env=built if built.exists() else Path(sys.prefix),
        state_dir=tmp_path,
        api_keys_file=tmp_path / "keys.yaml" if keys else None,
        remember_inputs=said,
    )
    child, _ = triton_child(settings, [], tmp_path, tmp_path, LoadedModels(tmp_path))
    assert child.env is not None
    assert child.env.get("REWARD_MODELS_REMEMBER", "1") == ("1" if remembers else "0")
