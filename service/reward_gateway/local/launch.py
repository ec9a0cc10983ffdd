"""Run a command that the kernel kills when its parent dies: ``launch.py PARENT_PID COMMAND...``.

A supervisor killed by SIGKILL cannot stop its children, so they ask the kernel in advance (PR_SET_PDEATHSIG, kept
over exec). This is a separate program rather than a function between fork and exec, where Python code may deadlock
in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Replace this process by ``argv[1:]``, unless the parent ``argv[0]`` has already ended."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux only
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == int(argv[0]):
        os.execvp(argv[1], argv[1:])  # noqa: S606 - the command is the supervisor's


if __name__ == "__main__":
    main(sys.argv[1:])
