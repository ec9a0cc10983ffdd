"""Locks a process down before it runs untrusted code. Standard library only; see the package's docstring.

Each mechanism is set up by one function and reported by name, so that the parent knows exactly which are in force.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Callable, Collection

from .syscalls import ALLOWED, ARCHITECTURES, CAPSET, LANDLOCK_CREATE, LANDLOCK_RESTRICT

NOBODY = 65534

_libc = ctypes.CDLL(None, use_errno=True)


def lock_process(wanted: Collection[str], memory: int, cpu_s: int) -> list[str]:
    """Apply the wanted mechanisms; returns the names of those that this kernel supports and that are now in force.

    Args:
        memory: bytes of address space.
        cpu_s: seconds of CPU time; the kernel kills the process one second after the warning signal.
    """
    _set_limits(memory, cpu_s)
    _prctl(38, 1)  # PR_SET_NO_NEW_PRIVS: also lets an unprivileged process use landlock and seccomp
    in_force = [name for name in ("namespaces", "landlock", "privileges") if name in wanted and _try_step(_STEPS[name])]
    for limit in (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
        resource.setrlimit(limit, (0, 0))
    _prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: set last, because a change of user resets it
    _prctl(4, 0)  # PR_SET_DUMPABLE
    if "seccomp" in wanted and _try_step(_apply_seccomp):
        in_force.append("seccomp")
    return in_force if _has_children() else [*in_force, "childless"]


def _has_children() -> bool:
    """Whether this process can still fork: tried out, because the kernel's process limit does not apply to root."""
    try:
        child = os.fork()
    except OSError:
        return False
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def _set_limits(memory: int, cpu_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _try_step(step: Callable[[], None]) -> bool:
    try:
        step()
    except (OSError, KeyError):
        return False
    return True


def _enter_namespaces() -> None:
    """Enter separate network (even loopback is down), IPC and host name namespaces."""
    new_namespaces = 0x40000000 | 0x08000000 | 0x04000000  # CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    if os.geteuid() != 0 or _libc.unshare(new_namespaces) != 0:
        _check_result(_libc.unshare(new_namespaces | 0x10000000))  # CLONE_NEWUSER: for an unprivileged process


def _apply_landlock() -> None:
    """Restrict this process by a ruleset that handles every right and grants none."""
    abi = _check_result(_libc.syscall(LANDLOCK_CREATE, None, 0, 1))
    files = 0x1FFF | (0x2000 if abi >= 2 else 0) | (0x4000 if abi >= 3 else 0) | (0x8000 if abi >= 5 else 0)
    fields = [files] + ([0b11] if abi >= 4 else []) + ([0b11] if abi >= 6 else [])
    rules = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _check_result(_libc.syscall(LANDLOCK_CREATE, rules, len(rules), 0))
    try:
        _check_result(_libc.syscall(LANDLOCK_RESTRICT, ruleset, 0))
    finally:
        os.close(ruleset)


def _drop_privileges() -> None:
    """Drop root, groups and capabilities. A root user that cannot change its user loses its capabilities too."""
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
    header, none = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", *[0] * 6)
    _check_result(_libc.syscall(CAPSET[platform.machine()], header, none))
    if os.geteuid() == 0:
        raise PermissionError("still root")


def _apply_seccomp() -> None:
    """Install a filter: a foreign architecture kills the process, an unlisted call fails with EPERM."""
    machine = platform.machine()
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    refuse, kill, allow = 0x00050001, 0x80000000, 0x7FFF0000
    program = [(load, 0, 0, 4), (equal, 1, 0, ARCHITECTURES[machine]), (give, 0, 0, kill), (load, 0, 0, 0)]
    if machine == "x86_64":
        program += [(at_least, 0, 1, 0x40000000), (give, 0, 0, refuse)]  # x32 calls have separate numbers
    for number in ALLOWED[machine]:
        program += [(equal, 0, 1, number), (give, 0, 0, allow)]
    program.append((give, 0, 0, refuse))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    filter_ = struct.pack("@HP", len(program), ctypes.addressof(code))
    _prctl(22, 2, filter_)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def _prctl(option: int, *arguments: int | bytes) -> None:
    values = [ctypes.c_ulong(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    _check_result(_libc.prctl(option, *values, *[ctypes.c_ulong(0)] * (4 - len(values))))


def _check_result(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses")
    return result


_STEPS: dict[str, Callable[[], None]] = {
    "namespaces": _enter_namespaces,
    "landlock": _apply_landlock,
    "privileges": _drop_privileges,
}
MECHANISMS = (*_STEPS, "seccomp")
