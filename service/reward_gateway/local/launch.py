"""Run a command as a child of the stack: ``launch.py PARENT_PID private|shared COMMAND...``.

The kernel ends it when its parent dies: a supervisor killed by SIGKILL cannot stop its children, so they ask the kernel
in advance (PR_SET_PDEATHSIG, kept over exec). A ``private`` one is a server, which is asked to end; the files, sockets
and shared memory that it makes are for this user alone. A ``shared`` one is killed. This is a separate program rather
than a function between fork and exec, where Python code may deadlock in a process with threads.
"""

import ctypes
import os
import signal
import struct
import sys

PRIVATE, SHARED = "private", "shared"

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # instructions of the Berkeley Packet Filter
_ARCH_X86_64, _FCHMOD = 0xC000003E, 91
_ALLOW, _ANSWER_0 = 0x7FFF0000, 0x00050000
# If the architecture is x86-64 and the call is fchmod, answer 0 without making it.
_IGNORE_FCHMOD = (
    (_LOAD, 0, 0, 4),
    (_JUMP_IF_EQUAL, 0, 3, _ARCH_X86_64),
    (_LOAD, 0, 0, 0),
    (_JUMP_IF_EQUAL, 0, 1, _FCHMOD),
    (_RETURN, 0, 0, _ANSWER_0),
    (_RETURN, 0, 0, _ALLOW),
)


def main(argv: list[str]) -> None:
    """Replace this process by ``argv[2:]``, unless the parent ``argv[0]`` has already ended."""
    parent, kind, *command = argv
    # A gateway that is still starting must not end by the signal to read its files again, which it will read anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux only
    if kind == PRIVATE:
        os.umask(0o077)
        if prctl is not None and os.uname().machine == "x86_64":
            keep_shared_memory_private(prctl)
    if prctl is not None:
        # Triton, killed in the midst of a call, leaves its Python backend waiting for a lock. Asked to end,
        # it ends that first, within its own time limit.
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM if kind == PRIVATE else signal.SIGKILL, 0, 0, 0)
    if os.getppid() == int(parent):
        os.execvp(command[0], command)  # noqa: S606 - the command is the supervisor's


def keep_shared_memory_private(prctl: "ctypes._NamedFuncPointer") -> None:
    """Let the umask hold for shared memory, too: Triton's Python backend, which keeps prompts there, opens it to all.

    It does so by ``fchmod`` right after creating it, which is therefore ignored, in this process and its children. On a
    kernel without filters nothing changes.
    """
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in _IGNORE_FCHMOD))
    program = struct.pack("HP", len(_IGNORE_FCHMOD), ctypes.addressof(code))
    if prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0):  # only root may, as it is
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
