"""Runs a program's tests in processes that it watches, and says how each went. Standard library only.

Three processes beside this one: the spawner, which starts those of programs and knows no test; the program's; and that
of the tests, which uses the program's names from afar. The two that run foreign code are locked down.
"""

import json
import math
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

from .examiner import run_tests
from .languages import (
    COMPILE_MEMORY,
    COMPILE_S,
    LANGUAGES,
    LARGEST_BUILT,
    PROCESSES,
    describe_refusal,
    is_compiler_fault,
    write_command,
)
from .library import load_modules
from .outputs import same_output
from .spawner import Spawner

LOOK_S = 0.05
MOST_TIMES = 20.0
MOST_WRITTEN = 16 << 20
"""Bytes that a program may write for one test."""
MOST_KEPT = 2 << 20
"""Bytes of all outputs together that are handed on to a checker."""
START_S = 30.0

Verdict = tuple[bool, str | None]


class Fault(Exception):
    """The sandbox failed, through no fault of the program."""


class Unrun(Exception):
    """A program could not be run, and could not be another time: no fault of its own, and none that passes."""


class Process:
    """A process that is watched, and how much it has computed."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._clock = (~pid << 3) | 2  # CPUCLOCK_SCHED of a process, as clock_getcpuclockid(3) gives it

    def cpu_s(self) -> float:
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            return 0.0

    def is_busy(self) -> bool:
        """Whether it runs, or waits for a CPU."""
        return self._state() in (b"R", b"D")

    def _state(self) -> bytes:
        """The letter of its state; empty if it has ended and is forgotten."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                return file.read().rpartition(b")")[2].split()[0]
        except (OSError, IndexError):
            return b""

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._state() not in (b"Z", b"X", b"")

    def kill(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class Group(Process):
    """A process that leads a group, and all that are in it."""

    def cpu_s(self) -> float:
        return sum(sum(map(int, stat[11:15])) for stat in self._stats()) / os.sysconf("SC_CLK_TCK")

    def is_busy(self) -> bool:
        return any(stat[0] in (b"R", b"D") for stat in self._stats())

    def _stats(self) -> Iterator[list[bytes]]:
        """What the kernel says of each: its state first, and the ticks that it and those it waited for computed."""
        for name in filter(str.isdecimal, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    stat = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if len(stat) > 15 and int(stat[2]) == self.pid:
                yield stat

    def kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # it leads none yet
            super().kill()


class Budget:
    """The time of one test: what its processes compute, or what passes while they sleep."""

    def __init__(self, processes: list[Process], seconds: float) -> None:
        self._processes, self._seconds = processes, seconds
        self._before, self._begun = 0.0, time.monotonic()

    def restart(self) -> None:
        self._before = self._total()
        self._begun = time.monotonic()

    def passed_s(self) -> float:
        """Seconds by the clock on the wall."""
        return time.monotonic() - self._begun

    def is_spent(self) -> bool:
        passed = self.passed_s()
        if passed < self._seconds:
            return False
        spent = self._total() - self._before >= self._seconds or passed >= MOST_TIMES * self._seconds
        return spent or not any(process.is_busy() for process in self._processes)

    def _total(self) -> float:
        return sum(process.cpu_s() for process in self._processes)


class Slowest:
    """The longest time of a program's tests, by the clock on the wall, so that a busy machine makes it longer only."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def note(self, seconds: float) -> None:
        """A test took so long."""
        self.seconds = max(self.seconds, seconds)


def examine_program(request: dict[str, Any], spawner: Spawner, slowest: Slowest) -> tuple[list[str], list[Verdict]]:
    """Run all tests of a request; the mechanisms in force, and a verdict per test.

    After ``most_timeouts`` tests that ended their process (out of time, or crashed) the others are not run, and fail.

    Raises:
        Fault: a process could not be started.
    """
    tests: list[str] = request["input"]["tests"]
    most = request["input"]["most_timeouts"]
    load_modules([request["program"], *tests])
    verdicts: list[Verdict] = []
    in_force: list[str] = []
    endings = 0
    while len(verdicts) < len(tests):
        in_force, new, error = _run_pair(request, spawner, len(verdicts), slowest)
        verdicts += new
        if error is None:
            continue
        if not error.startswith("!"):
            verdicts += [(False, error)] * (len(tests) - len(verdicts))
            break
        verdicts.append((False, error[1:]))
        endings += 1
        if endings >= most:
            verdicts += [(False, f"not run: {endings} tests before it had ended the program")] * (
                len(tests) - len(verdicts)
            )
    return in_force, verdicts


def _run_pair(
    request: dict[str, Any], spawner: Spawner, first: int, slowest: Slowest
) -> tuple[list[str], list[Verdict], str | None]:
    """Run tests from the first on, until one ends the processes.

    Returns:
        Mechanisms, verdicts, and how it ended: None (all have run), ``!error`` (of the test that follows the verdicts),
        or the error of the program itself, which all tests share.
    """
    tests: list[str] = request["input"]["tests"]
    timeout_s: float = request["timeout_s"]
    cpu_s = int(timeout_s * (len(tests) - first + 1)) + 2
    limits = {"mechanisms": request["mechanisms"], "memory": request["memory"], "cpu_s": cpu_s}
    ours, theirs = socket.socketpair()
    incoming, outgoing = os.pipe()
    call = {"kind": "serve", "program": request["program"], "texts": tests[:0], **limits}
    program = Process(spawner.start(call, [theirs.fileno()]))
    theirs.close()
    examiner = Process(os.fork())
    if examiner.pid == 0:
        for descriptor in (0, 1, incoming):
            os.close(descriptor)
        spawner.close()
        run_tests(tests, first, ours, lambda told: _write_line(outgoing, told), **limits)
    ours.close()
    os.close(outgoing)
    try:
        return _follow(incoming, len(tests) - first, Budget([program, examiner], timeout_s), slowest)
    finally:
        os.close(incoming)
        for process in (program, examiner):
            process.kill()
        os.waitpid(examiner.pid, 0)
        spawner.wait(program.pid)


def _follow(incoming: int, count: int, budget: Budget, slowest: Slowest) -> tuple[list[str], list[Verdict], str | None]:
    lines = Lines(incoming)
    in_force = lines.next(None)
    if not isinstance(in_force, list):
        raise Fault("a process could not be started")
    budget.restart()
    loaded = lines.next(budget)
    slowest.note(budget.passed_s())
    if loaded is None or loaded[1] is not None:
        return in_force, [], "timeout" if loaded is None else loaded[1]
    verdicts: list[Verdict] = []
    while len(verdicts) < count:
        budget.restart()
        told = lines.next(budget)
        slowest.note(budget.passed_s())
        if told is None:
            return in_force, verdicts, "!timeout" if not lines.ended else "!crashed"
        if told[0] == "loaded" or told[3]:
            return in_force, verdicts, f"!{told[1] if told[0] == 'loaded' else told[2]}"
        verdicts.append((told[1], told[2]))
    return in_force, verdicts, None


def examine_script(request: dict[str, Any], spawner: Spawner, slowest: Slowest) -> tuple[list[str], list[Verdict]]:
    """Run a program once for each input; the mechanisms in force, and a verdict per test.

    With ``keep`` (outputs are judged elsewhere) the verdict of a run that ended well has its output for an error.

    Raises:
        Fault: a process could not be started.
        Unrun: its compiler failed by itself.
    """
    tests = request["input"]
    verdicts: list[Verdict] = []
    in_force: list[str] = []
    endings = kept = 0
    start = _write_start(request)
    if "command" in start:
        in_force, error = _build_program(request, spawner)
        if error is not None:
            return in_force, [(False, error)] * len(tests["inputs"])
    for given, expected in zip(tests["inputs"], tests["outputs"], strict=True):
        if endings >= tests["most_timeouts"] or (tests["stop"] and verdicts and not verdicts[-1][0]):
            verdicts.append((False, "not run"))
            continue
        begun = time.monotonic()
        in_force, output, error = _run_once(start, given, spawner, request["timeout_s"])
        slowest.note(time.monotonic() - begun)
        if error is not None:
            endings += error in ("timeout", "crashed", "output")
            verdicts.append((False, error))
        elif tests["keep"]:
            kept += len(output)
            verdicts.append((True, output.decode(errors="replace")) if kept <= MOST_KEPT else (False, "output"))
        else:
            same = same_output(expected, output.decode(errors="replace"), tests["rel_tol"], tests["abs_tol"])
            verdicts.append((same, None if same else "wrong answer"))
    return in_force, verdicts


def _write_start(request: dict[str, Any]) -> dict[str, Any]:
    """What the spawner is told to start, once for each input. Writes the source of a program that is executed."""
    memory, cpu_s = request["memory"], math.ceil(request["timeout_s"]) + 1
    mechanisms = request["mechanisms"]
    language = LANGUAGES.get(request["input"].get("language", "python"))
    if language is None:
        limits = {"mechanisms": mechanisms, "memory": memory, "cpu_s": cpu_s}
        return {"kind": "script", "program": request["program"], **limits}
    source = language.name_source(request["program"])
    path = os.path.join(request["folder"], source)
    with open(path, "wb") as file:
        file.write(request["program"].encode(errors="replace"))
    os.chmod(path, 0o644)  # its user is another
    limits = {"memory": memory + language.reserved, "data": memory, "cpu_s": cpu_s, "stack": language.stack}
    return {
        "kind": "execute",
        "command": write_command(language.run, request["tool"], source, memory),
        "folder": request["folder"],
        "writes": False,
        "mechanisms": mechanisms,
        "limits": {**limits, "processes": PROCESSES},
    }


def _build_program(request: dict[str, Any], spawner: Spawner) -> tuple[list[str], str | None]:
    """Compile a program, where its language is compiled; the mechanisms in force, and what its compiler refused.

    Raises:
        Unrun: the compiler failed by itself: out of time or memory, or for a fault of its own.
    """
    language = LANGUAGES[request["input"]["language"]]
    if not language.build:
        return [], None
    memory = max(COMPILE_MEMORY, request["memory"])
    limits = {"memory": memory, "data": memory, "cpu_s": math.ceil(COMPILE_S) + 1, "stack": 64 << 20}
    start = {
        "kind": "execute",
        "command": write_command(language.build, request["tool"], language.source, memory),
        "folder": request["folder"],
        "writes": True,
        "mechanisms": request["mechanisms"],
        "limits": {**limits, "processes": PROCESSES, "file_size": LARGEST_BUILT},
    }
    in_force, output, error = _run_once(start, "", spawner, COMPILE_S)
    said = output.decode(errors="replace").replace(f"{request['folder']}/", "")
    if error in ("timeout", "crashed") or (error is not None and is_compiler_fault(said)):
        raise Unrun(f"the compiler {language.tool} failed by itself ({error}): out of time, memory or space")
    if error is not None:
        return in_force, describe_refusal(said)
    os.chmod(os.path.join(request["folder"], "program"), 0o755)  # noqa: S103 - in a private folder
    return in_force, None


def _run_once(
    start: dict[str, Any], given: str, spawner: Spawner, timeout_s: float
) -> tuple[list[str], bytes, str | None]:
    """Start a program with an input; mechanisms, output, and why it did not end well."""
    executed = start["kind"] == "execute"
    standard_input = os.memfd_create("input")
    with open(standard_input, "wb", closefd=False) as file:
        file.write(given.encode(errors="surrogatepass"))
    os.lseek(standard_input, 0, os.SEEK_SET)
    incoming, outgoing = os.pipe()
    reports, report = os.pipe()
    ends = [standard_input, outgoing, report]
    pid = spawner.start(start, ends)
    process = Group(pid) if executed else Process(pid)
    for descriptor in ends:
        os.close(descriptor)
    lines = Lines(reports)
    output, error = bytearray(), None
    try:
        in_force = lines.next(None)
        if not isinstance(in_force, list) or (executed and lines.next(None) is not None):
            raise Fault("a process could not be started")
        budget = Budget([process], timeout_s)
        if not executed:
            budget.restart()
        while error is None:
            if select.select([incoming], [], [], LOOK_S)[0]:
                piece = os.read(incoming, 1 << 16)
                if not piece:
                    break
                output += piece
                error = "output" if len(output) > MOST_WRITTEN else None
            if error is None and budget.is_spent():  # also of one that writes a little for ever
                error = "timeout"
        if error is None:
            error = _await_end(process, lines, budget)
    finally:
        process.kill()
        status = spawner.wait(process.pid)
        os.close(incoming)
        os.close(reports)
    if error is None and status != 0:
        error = "timeout" if status == -signal.SIGXCPU else "crashed"
        if executed and status > 0:
            error = f"exit status {status}"
    return in_force, bytes(output), error


def _await_end(process: Process, lines: "Lines", budget: Budget) -> str | None:
    """Wait until a program that has closed its output ends; the name of its exception, if it raised one."""
    raised = lines.next(budget)
    if raised is None and not lines.ended:
        return "timeout"
    if isinstance(raised, str):
        return raised if raised.isidentifier() else "Exception"
    while process.is_alive():
        if budget.is_spent():
            return "timeout"
        time.sleep(0.001)
    return None


class Lines:
    """Lines of JSON from a pipe, with a limit of time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._data, self.ended = descriptor, b"", False

    def next(self, budget: Budget | None) -> Any:
        """The next line; None at the end, or when the budget is spent (``ended`` tells)."""
        until = time.monotonic() + START_S
        while b"\n" not in self._data:
            if select.select([self._descriptor], [], [], LOOK_S)[0]:
                piece = os.read(self._descriptor, 1 << 16)
                if not piece:
                    self.ended = True
                    return None
                self._data += piece
            elif budget.is_spent() if budget is not None else time.monotonic() > until:
                return None
        line, _, self._data = self._data.partition(b"\n")
        return json.loads(line)


def _write_line(descriptor: int, value: Any) -> None:
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]
