"""The process that becomes a program of the machine: an interpreter, a compiler, or what it compiled."""

import fcntl
import json
import os
from typing import Any

from .languages import ENVIRONMENT
from .lockdown import FIRST_USER, USERS, Limits, lock_executed

_REPORT = 3


def execute(request: dict[str, Any], descriptors: list[int]) -> None:
    """Lock this process down and execute the request's command in its folder. Returns never.

    It leads a group of its own, which what it starts cannot leave: the group can be killed at once.

    Args:
        descriptors: of the input, of the output, and of the report: a line with the mechanisms in force, and one with
            the reason where the command could not be executed.
    """
    os.setpgid(0, 0)
    copies = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 16) for descriptor in descriptors]
    nothing = os.open(os.devnull, os.O_WRONLY)
    errors = copies[1] if request["writes"] else nothing
    for number, descriptor in enumerate((copies[0], copies[1], errors)):
        os.dup2(descriptor, number)
    os.dup2(copies[2], _REPORT, inheritable=False)
    os.closerange(_REPORT + 1, os.sysconf("SC_OPEN_MAX"))
    folder, command = request["folder"], request["command"]
    if os.geteuid() == 0:
        os.chown(folder, FIRST_USER + os.getpid() % USERS, -1)
    os.chdir(folder)
    limits = Limits(**request["limits"])
    _report(lock_executed(request["mechanisms"], limits, folder, writes=request["writes"]))
    try:
        os.execve(command[0], command, {**ENVIRONMENT, "TMPDIR": folder})  # noqa: S606 - its purpose
    except OSError as error:
        _report(type(error).__name__)


def _report(value: Any) -> None:
    os.write(_REPORT, json.dumps(value).encode() + b"\n")
