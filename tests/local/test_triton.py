"""local/triton.py: what a stack that was killed outright leaves behind is removed by the next one."""

import os
import subprocess
import sys
import time
from pathlib import Path

from reward_gateway.local.triton import kill_orphaned_stubs

NO_PROCESS = 2**22 + 1
"""More than the kernel ever gives."""


def stub_of(supervisor: int) -> "subprocess.Popen[bytes]":
    """A process that looks like a model's, started by the stack of a supervisor."""
    arguments = [
        "/x/triton_python_backend_stub",
        "-c",
        "import time; time.sleep(60)",
        f"reward_gateway_{supervisor}_1_a",
    ]
    process = subprocess.Popen(arguments, executable=sys.executable)
    while not Path(f"/proc/{process.pid}/cmdline").read_text().startswith(arguments[0]):
        time.sleep(0.01)
    return process


def test_processes_of_models_are_ended_where_their_supervisor_is_gone_and_only_there() -> None:
    orphan, kept = stub_of(NO_PROCESS), stub_of(os.getpid())
    try:
        kill_orphaned_stubs()
        assert orphan.wait(10) == -9
        assert kept.poll() is None
    finally:
        for process in (orphan, kept):
            process.kill()
            process.wait()
