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
from dataclasses import dataclass

from .syscalls import (
    ALLOWED,
    ALLOWED_EXECUTED,
    ARCHITECTURES,
    CAPSET,
    CLONE,
    CLONE3,
    FCNTL,
    LANDLOCK_ADD_RULE,
    LANDLOCK_CREATE,
    LANDLOCK_RESTRICT,
    NAMES,
    NAMESPACE_FLAGS,
    OWNERS,
    PRCTL,
    PRLIMIT,
)

NOBODY = 65534

FIRST_USER, USERS = 61184, 4336
"""Users that nobody has, as systemd sets them aside for processes that pass."""

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/etc/ld.so.cache", "/dev/urandom", "/dev/zero")
"""What a program that is executed may read and execute: the programs and libraries of the machine."""

_READ, _WRITE, _TRUNCATE = 0b0101, 0b0010, 1 << 14
_READ_FOLDER = _READ | 0b1000
_CHANGE_FOLDER = 0b1_1011_0000  # remove and make files and folders in it: no device, pipe, socket or link

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program that is executed may use.

    Attributes:
        memory: bytes of address space, and of ``data``: memory of its own that can be written to.
        cpu_s: seconds of CPU time of each of its processes.
        processes: processes and threads at the same time.
        file_size: bytes of a file that it writes.
    """

    memory: int
    data: int
    cpu_s: int
    stack: int
    processes: int
    descriptors: int = 256
    file_size: int = 0


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


def lock_executed(wanted: Collection[str], limits: Limits, folder: str, *, writes: bool) -> list[str]:
    """Lock this process down before it executes a program of the machine; returns the mechanisms in force.

    What it executes may start programs and threads, up to a number, and read what is of the machine, and its folder.

    Args:
        folder: the one folder that it may read beside those of the machine; ``writes``: and write to.
    """
    _set_limits(limits.memory, limits.cpu_s, limits.file_size)
    resource.setrlimit(resource.RLIMIT_DATA, (limits.data, limits.data))
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = limits.stack if hard == resource.RLIM_INFINITY else min(limits.stack, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
    _prctl(38, 1)
    steps: dict[str, Callable[[], None]] = {
        "namespaces": _enter_namespaces,
        "landlock": lambda: _apply_landlock(_open_folders(folder, writes=writes)),
        "privileges": lambda: _drop_privileges(FIRST_USER + os.getpid() % USERS),
    }
    in_force = [name for name, step in steps.items() if name in wanted and _try_step(step)]
    resource.setrlimit(resource.RLIMIT_NPROC, (limits.processes, limits.processes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.descriptors, limits.descriptors))
    _prctl(1, signal.SIGKILL)
    if "seccomp" in wanted and _try_step(lambda: _apply_seccomp(_filter_executed())):
        in_force.append("seccomp")
    return in_force


def adopt_orphans() -> None:
    """Make this process the parent of the processes below it whose own has ended (PR_SET_CHILD_SUBREAPER)."""
    _prctl(36, 1)


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


def _set_limits(memory: int, cpu_s: int, file_size: int = 0) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
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


def _open_folders(folder: str, *, writes: bool) -> list[tuple[str, int]]:
    """Paths and the rights under them, of which those that do not exist are left out."""
    own = _READ_FOLDER | (_WRITE | _TRUNCATE | _CHANGE_FOLDER if writes else 0)
    system = [(path, _READ_FOLDER if os.path.isdir(path) else _READ) for path in SYSTEM if os.path.exists(path)]
    return [*system, ("/dev/null", _READ | _WRITE | _TRUNCATE), (folder, own)]


def _apply_landlock(granted: Collection[tuple[str, int]] = ()) -> None:
    """Restrict this process by a ruleset that handles every right, and grants those of the paths."""
    abi = _check_result(_libc.syscall(LANDLOCK_CREATE, None, 0, 1))
    files = 0x1FFF | (0x2000 if abi >= 2 else 0) | (0x4000 if abi >= 3 else 0) | (0x8000 if abi >= 5 else 0)
    fields = [files] + ([0b11] if abi >= 4 else []) + ([0b11] if abi >= 6 else [])
    rules = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _check_result(_libc.syscall(LANDLOCK_CREATE, rules, len(rules), 0))
    try:
        for path, rights in granted:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            _check_result(_libc.syscall(LANDLOCK_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights & files, place), 0))
            os.close(place)
        _check_result(_libc.syscall(LANDLOCK_RESTRICT, ruleset, 0))
    finally:
        os.close(ruleset)


def _drop_privileges(user: int = NOBODY) -> None:
    """Drop root, groups and capabilities. A root user that cannot change its user loses its capabilities too."""
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
    header, none = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", *[0] * 6)
    _check_result(_libc.syscall(CAPSET[platform.machine()], header, none))
    if os.geteuid() == 0:
        raise PermissionError("still root")


_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _GIVE = 0x20, 0x15, 0x35, 0x45, 0x06
_REFUSE, _MISSING, _KILL, _ALLOW = 0x00050001, 0x00050026, 0x80000000, 0x7FFF0000
_NUMBER, _MACHINE, _FIRST, _SECOND = 0, 4, 16, 24
"""Where a call's number, its architecture, and the lower halves of two arguments stand in a filter's data."""

Filter = list[tuple[int, int, int, int]]


def _begin_filter(allowed: Collection[int]) -> Filter:
    """A foreign architecture kills the process; the calls listed are allowed."""
    machine = platform.machine()
    steps: Filter = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (_GIVE, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [(_AT_LEAST, 0, 1, 0x40000000), (_GIVE, 0, 0, _REFUSE)]  # x32 calls have separate numbers
    for number in allowed:
        steps += [(_EQUAL, 0, 1, number), (_GIVE, 0, 0, _ALLOW)]
    return steps


def _filter_executed() -> Filter:
    """What a program that is executed may call: no new namespace, and nothing that reaches another process."""
    machine = platform.machine()
    return [
        *_begin_filter(ALLOWED_EXECUTED[machine]),
        (_EQUAL, 0, 1, CLONE3),
        (_GIVE, 0, 0, _MISSING),
        (_EQUAL, 0, 4, CLONE[machine]),
        (_LOAD, 0, 0, _FIRST),
        (_ANY_BIT, 1, 0, NAMESPACE_FLAGS),
        (_GIVE, 0, 0, _ALLOW),
        (_GIVE, 0, 0, _REFUSE),
        *_check_argument(PRCTL[machine], _FIRST, NAMES, _ALLOW, _REFUSE),
        *_check_argument(PRLIMIT[machine], _FIRST, (0,), _ALLOW, _REFUSE),
        *_check_argument(FCNTL[machine], _SECOND, OWNERS, _REFUSE, _ALLOW),
    ]


def _check_argument(call: int, place: int, values: Collection[int], listed: int, other: int) -> Filter:
    """What a call is given by whether an argument is one of the values."""
    steps = [step for value in values for step in ((_EQUAL, 0, 1, value), (_GIVE, 0, 0, listed))]
    return [(_EQUAL, 0, len(steps) + 2, call), (_LOAD, 0, 0, place), *steps, (_GIVE, 0, 0, other)]


def _apply_seccomp(steps: Filter | None = None) -> None:
    """Install a filter, after whose steps every other call fails with EPERM."""
    program = [*(_begin_filter(ALLOWED[platform.machine()]) if steps is None else steps), (_GIVE, 0, 0, _REFUSE)]
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
