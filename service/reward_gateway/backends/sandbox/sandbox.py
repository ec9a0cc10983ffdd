"""Runs untrusted programs, each in a fresh locked-down process whose time and output are limited from outside."""

import asyncio
import contextlib
import itertools
import json
import math
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import psutil

from reward_gateway.fair_queue import charge_to, current_share
from reward_gateway.sample import Invalid
from reward_gateway.settings import Settings

from ..process_exit import await_exit
from .child import UNRUN
from .json_pieces import encode_json
from .languages import LANGUAGES, find_tool
from .lockdown import MECHANISMS
from .slots import FairSlots

START_S = 30.0
LOOK_S = 0.05
"""Seconds between looks at a program whose time is over by the clock on the wall, but not on a CPU."""

MOST_TIMES = 20.0
"""A program ends after this many times its time by the clock on the wall, whatever it does."""

_COMPUTES = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP, psutil.STATUS_ZOMBIE)
MEMORY = 512 << 20
LARGEST_RESULT = 4 << 20
PROCESSES = max(1, min(16, os.cpu_count() or 1))

_ROOT = str(Path(__file__).parents[3])
_BEGIN = (
    f"import sys; sys.path.insert(0, {_ROOT!r}); from {__package__}.child import main; "
    f"sys.path.remove({_ROOT!r}); main()"
)
_SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SUPERVISED = frozenset(("unit_tests", "stdio"))
"""Kinds of work that come with tests: a process watches those of the program and of the tests."""

LATE = Invalid("deadline_exceeded", "the deadline passed before this program had run")
UNSAFE = Invalid("worker_lost", "the sandbox could not be set up, so this program was not run; send it again")

Answer = dict[str, Any] | Invalid


class SandboxUnavailable(RuntimeError):
    """This machine cannot isolate a program."""


def is_sufficient(mechanisms: Collection[str]) -> bool:
    """Whether the mechanisms together block files, network, processes and signals."""
    return "childless" in mechanisms and ("seccomp" in mechanisms or {"landlock", "namespaces"} <= set(mechanisms))


def can_execute(mechanisms: Collection[str]) -> bool:
    """Whether programs of the machine can be executed: files and calls closed, and processes counted by themselves.

    They are counted by user: root gives each program one of its own, others by a user namespace.
    """
    return {"landlock", "seccomp", "privileges" if os.geteuid() == 0 else "namespaces"} <= set(mechanisms)


class Sandbox:
    """Runs programs. Call :meth:`start` first.

    Args:
        mechanisms: mechanisms to apply, as far as the kernel supports them.
        processes: maximum programs that run concurrently.
        memory: bytes of address space per program.
        python: interpreter for programs, whose environment they may import from; None: this one, without its packages.
    """

    def __init__(
        self,
        mechanisms: Collection[str] = MECHANISMS,
        processes: int = PROCESSES,
        memory: int = MEMORY,
        python: Path | None = None,
    ) -> None:
        self.in_force: tuple[str, ...] = ()
        self._wanted = tuple(mechanisms)
        self._memory = memory
        # -S: without the packages of the gateway's own environment.
        self._interpreter = (sys.executable, "-S") if python is None else (str(python),)
        self._tools = {language: find_tool(language) for language in LANGUAGES}
        self._slots = FairSlots(processes)
        self._numbers = itertools.count()
        self._running: set[asyncio.subprocess.Process] = set()

    @classmethod
    def of(cls, settings: Settings) -> "Sandbox":
        """As the operator has set it up."""
        return cls(
            processes=settings.sandbox_processes or PROCESSES,
            memory=settings.sandbox_memory,
            python=settings.sandbox_python,
        )

    async def start(self) -> tuple[str, ...]:
        """Find out which mechanisms this kernel supports; from then on every program must have all of them in force.

        Raises:
            SandboxUnavailable: they do not suffice.
        """
        program = "def main(value):\n    return value"
        answer = await self._run_program("python", program, "probe", START_S, None, self._wanted)
        in_force = answer.get("mechanisms", ()) if isinstance(answer, dict) and answer["ok"] else ()
        if not is_sufficient(in_force):
            raise SandboxUnavailable(
                "this machine cannot run untrusted code safely: it needs seccomp, or landlock with namespaces and a "
                f"limit of processes that holds (in force: {', '.join(in_force) or 'none'}), and an interpreter of "
                "Python 3.11 or later (REWARD_GATEWAY_SANDBOX_PYTHON); turn REWARD_GATEWAY_ALLOW_UNTRUSTED_CODE off"
            )
        self.in_force = self._wanted = tuple(in_force)
        return self.in_force

    async def run(
        self,
        language: str,
        programs: Sequence[str],
        inputs: Sequence[Any],
        timeout_s: float,
        deadline: float | None = None,
        limits: Sequence[float | None] | None = None,
    ) -> list[Answer]:
        """Run programs, each with its input. Equal queries on equal databases run once.

        Args:
            timeout_s: time per program, from its first line: computing, or asleep. Waiting for a CPU is not counted.
            deadline: time on the loop's clock.
            limits: of each program a time in place of ``timeout_s``; None: that.

        Returns:
            In order, mappings of ``ok``, ``value``, ``error`` (``timeout``, ``memory``, ``output``, ``crashed`` or the
            exception) and, of one that ended, ``slowest_s`` (seconds of its longest test, or its own), or the reason
            why a program did not run to its end through no fault of its own.
        """
        times = [timeout_s if limit_s is None else limit_s for limit_s in limits or [None] * len(programs)]
        runs = list(zip(programs, inputs, times, strict=True))
        share = current_share()
        with charge_to(share._replace(caller=f"{share.caller}#{next(self._numbers)}")):
            return await self._run_all(language, runs, deadline)

    async def _run_all(self, language: str, runs: list[tuple[str, Any, float]], deadline: float | None) -> list[Answer]:
        if language != "sql":
            return list(await asyncio.gather(*(self._run_program(language, *run, deadline) for run in runs)))
        keys = [await asyncio.to_thread(encode_json, run) for run in runs]
        distinct = dict(zip(keys, runs, strict=True))
        answers = await asyncio.gather(*(self._run_program(language, *run, deadline) for run in distinct.values()))
        answer_of = dict(zip(distinct, answers, strict=True))
        return [answer_of[key] for key in keys]

    async def _run_program(
        self,
        language: str,
        program: str,
        value: Any,
        timeout_s: float,
        deadline: float | None,
        probing: tuple[str, ...] | None = None,
    ) -> Answer:
        named = value.get("language") if language == "stdio" else None
        executed = named if named in LANGUAGES else None
        if executed is not None and (fault := self._explain_missing(executed)) is not None:
            return fault
        key = secrets.token_hex(16)
        request: dict[str, Any] = {
            "language": language,
            "program": program,
            "input": value,
            "memory": self._memory,
            "timeout_s": timeout_s,
            "cpu_s": math.ceil(timeout_s) + 1,
            "mechanisms": self._wanted,
            "key": key,
        }
        try:
            async with (
                asyncio.timeout_at(deadline),
                self._slots.hold(current_share()),
                _open_folder(needed=executed is not None) as folder,
                self._open_process(supervises=language in SUPERVISED) as process,
            ):
                if executed is not None:
                    request |= {"folder": folder, "tool": self._tools[executed]}
                if language in SUPERVISED:
                    return await self._await_verdicts(process, request)
                in_force = await _send_program(process, await asyncio.to_thread(encode_json, request))
                if in_force is None or (probing is None and set(in_force) != set(self.in_force)):
                    return UNSAFE
                began = asyncio.get_running_loop().time()
                ended = await _await_end(process, timeout_s)
                if ended is None:
                    return _failed_answer("timeout")
                output, status = ended
                seconds = asyncio.get_running_loop().time() - began
        except TimeoutError:
            return LATE
        except OSError:  # no process can be started now, or its interpreter is not there
            return UNSAFE
        answer = {**_parse_result(output, status, key), "slowest_s": seconds}
        return {**answer, "mechanisms": in_force} if probing is not None else answer

    def _explain_missing(self, language: str) -> Invalid | None:
        """Why no program in a language can be run here; None if it can."""
        if not can_execute(self.in_force):
            return Invalid(
                "operation_error",
                f"programs in {language} are not run on this machine: they need landlock and seccomp, and a user of "
                f"their own or namespaces (in force: {', '.join(self.in_force)})",
            )
        if self._tools[language] is None:
            tool = LANGUAGES[language].tool
            return Invalid(
                "operation_error",
                f"programs in {language} are not run on this machine: there is no {tool} in /usr/bin or "
                "/usr/local/bin; its operator may install it",
            )
        return None

    async def _await_verdicts(self, process: asyncio.subprocess.Process, request: dict[str, Any]) -> Answer:
        """What the tests' supervisor says, which limits their time itself."""
        assert process.stdin is not None
        data = await asyncio.to_thread(encode_json, request)
        try:
            process.stdin.write(data)
            process.stdin.close()
            output = await _read_output(process)
        except OSError:
            return UNSAFE
        answer = _parse_result(output, await await_exit(process), request["key"])
        if not answer["ok"]:
            error = str(answer["error"])
            return Invalid("operation_error", error.removeprefix(UNRUN)) if error.startswith(UNRUN) else UNSAFE
        value: dict[str, Any] = answer["value"]
        counted = {"childless"} if "folder" in request else set()  # such a program may have children, up to a number
        if set(value["mechanisms"]) != set(self.in_force) - counted:
            return UNSAFE
        return {"ok": True, "value": value["verdicts"], "error": None, "slowest_s": value["slowest_s"]}

    @contextlib.asynccontextmanager
    async def _open_process(self, *, supervises: bool = False) -> Any:
        """Start a process in its own group; the whole group is killed when the block ends."""
        process = await asyncio.create_subprocess_exec(
            *(*self._interpreter, "-I", "-B", "-X", "utf8", "-c", _BEGIN, *(["supervise"] if supervises else [])),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict.fromkeys(_SINGLE_THREADED, "1"),  # a locked process starts no thread
            cwd="/",
            start_new_session=True,
        )
        self._running.add(process)
        try:
            yield process
        finally:
            _kill_group(process)
            await asyncio.shield(await_exit(process))
            self._running.discard(process)

    async def close(self) -> None:
        """Kill the programs that still run."""
        for process in self._running:
            _kill_group(process)


@contextlib.asynccontextmanager
async def _open_folder(*, needed: bool) -> AsyncIterator[str | None]:
    """A private folder for a program that is executed; None for the others."""
    if not needed:
        yield None
        return
    folder = tempfile.mkdtemp(prefix="program-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a handful of files


async def _send_program(process: asyncio.subprocess.Process, request: bytes) -> list[str] | None:
    """Send the program; returns the mechanisms that its process has in force, or None if it failed before that."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            process.stdin.write(request)
            process.stdin.close()
            return cast("list[str]", json.loads(await process.stdout.readline()))
    except (TimeoutError, OSError, ValueError):
        return None


async def _await_end(process: asyncio.subprocess.Process, timeout_s: float) -> tuple[bytes | None, int] | None:
    """The output and the status of a process; None if it had its time without an end.

    It has had its time once it computed for so long, or if it is found asleep when so long has passed: whether a
    program is right must not depend on what else this machine has to do.
    """

    async def end() -> tuple[bytes | None, int]:
        return await _read_output(process), await await_exit(process)

    ending = asyncio.create_task(end())
    now = asyncio.get_running_loop().time
    last, before_s, left_s = now() + MOST_TIMES * timeout_s, _look_at(process.pid)[0], timeout_s
    try:
        while not (await asyncio.wait({ending}, timeout=left_s))[0]:
            seconds, status = _look_at(process.pid)
            left_s = max(LOOK_S, timeout_s - (seconds - before_s))
            if seconds - before_s >= timeout_s or status not in _COMPUTES or now() >= last:
                return None
        return ending.result()
    finally:
        ending.cancel()
        await asyncio.wait({ending})  # two may not read at once


def _look_at(pid: int) -> tuple[float, str]:
    """The seconds that a process has computed, and what it does now; one that is not seen has ended."""
    try:
        process = psutil.Process(pid)
        return sum(process.cpu_times()[:2]), process.status()
    except psutil.Error:
        return 0.0, psutil.STATUS_ZOMBIE


async def _read_output(process: asyncio.subprocess.Process) -> bytes | None:
    """Everything that the process writes; None if that exceeds the limit."""
    assert process.stdout is not None
    output = bytearray()
    while piece := await process.stdout.read(1 << 16):
        output += piece
        if len(output) > LARGEST_RESULT:
            _kill_group(process)
            return None
    return bytes(output)


def _parse_result(output: bytes | None, status: int, key: str) -> dict[str, Any]:
    if output is None:
        return _failed_answer("output")
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return _failed_answer("timeout")
    if status < 0:
        return _failed_answer("crashed")
    _, found, line = output.rpartition(key.encode())
    try:
        answer = json.loads(line) if found else None
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return _failed_answer("it ended without a result")
    return {"ok": answer.get("ok") is True, "value": answer.get("value"), "error": answer.get("error")}


def _failed_answer(error: str) -> dict[str, Any]:
    return {"ok": False, "value": None, "error": error}


def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill a process and those that it started, in its group or not: without seccomp a program may leave the group.

    Programs that are executed lead groups of their own, in the session of the process. A group is killed at once, so
    that one that starts others all the time has no moment to start one.
    """
    if process.returncode is None:
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
        _signal_group(process.pid)  # it and what starts others
        for group in set(_find_groups(process.pid)):
            _signal_group(group)


def _signal_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _find_groups(session: int) -> Iterator[int]:
    """The groups of processes in a session."""
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == session:
                yield os.getpgid(pid)
