"""Runs the sandbox as a container would hold it, and prints what is in force and how programs ended, as JSON.

A stand-in for the default profile of Docker and of Kubernetes (``RuntimeDefault``), for a container without
capabilities: system calls that the profile refuses such a container are refused here, with the same errors.
"""

import asyncio
import ctypes
import json
import os
import shutil
import struct
import sys
from pathlib import Path

from reward_gateway.backends.sandbox.lockdown import _prctl
from reward_gateway.backends.sandbox.sandbox import Sandbox

REFUSED = {
    "ptrace": 101, "syslog": 103, "personality": 135, "pivot_root": 155, "acct": 163, "mount": 165, "umount2": 166,
    "swapon": 167, "reboot": 169, "init_module": 175, "quotactl": 179, "add_key": 248, "request_key": 249,
    "keyctl": 250, "unshare": 272, "perf_event_open": 298, "name_to_handle_at": 303, "open_by_handle_at": 304,
    "setns": 308, "kcmp": 312, "finit_module": 313, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "fsopen": 430,
}  # fmt: skip
"""System calls of x86-64 that need a capability under the profile, or that it does not list."""
LANDLOCK = {"landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446}
"""Not listed before Docker 23.0."""
CLONE3 = 435
ENOSYS, EPERM = 38, 1

PROGRAMS = {
    "python": ("def main(value):\n    return value * 2", 21),
    "sql": ("SELECT n FROM t", {"database": {"schema": "CREATE TABLE t(n)", "rows": {"t": [[42]]}}}),
    "unit_tests": ("def f():\n    return 42", {"tests": ["assert f() == 42", "assert f() == 41"], "most_timeouts": 1}),
    "stdio": (
        "print(int(input()) * 2)",
        {
            "inputs": ["21\n"],
            "outputs": ["42\n"],
            "stop": True,
            "keep": False,
            "most_timeouts": 1,
            "rel_tol": 0.0,
            "abs_tol": 0.0,
        },
    ),
}


def refuse_calls(numbers: list[int]) -> None:
    """Have the kernel refuse system calls to this process and its children: EPERM, and ENOSYS for ``clone3``."""
    load, equal, give, allow = 0x20, 0x15, 0x06, 0x7FFF0000
    program = [(load, 0, 0, 0), (equal, 0, 1, CLONE3), (give, 0, 0, 0x00050000 | ENOSYS)]
    for number in numbers:
        program += [(equal, 0, 1, number), (give, 0, 0, 0x00050000 | EPERM)]
    program.append((give, 0, 0, allow))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    _prctl(22, 2, struct.pack("@HP", len(program), ctypes.addressof(code)))


def find_interpreter() -> Path | None:
    """An interpreter for programs, where this one stands in the home of another user; None: this one."""
    if os.access(sys.executable, os.X_OK):
        return None
    return Path(shutil.which("python3", path=os.defpath) or sys.executable)


async def try_programs() -> dict[str, object]:
    sandbox = Sandbox(processes=1, python=find_interpreter())
    in_force = await sandbox.start()
    ended = {
        kind: (await sandbox.run(kind, [program], [value], 10.0))[0] for kind, (program, value) in PROGRAMS.items()
    }
    await sandbox.close()
    return {"in_force": in_force, "ended": ended}


if __name__ == "__main__":
    _prctl(38, 1)
    refuse_calls([*REFUSED.values(), *(LANDLOCK.values() if "without-landlock" in sys.argv else ())])
    print(json.dumps(asyncio.run(try_programs())))
