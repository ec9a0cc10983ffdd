"""A child process: start it, wait until it is ready, and stop it with everything it started."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from reward_gateway.local import launch
from reward_gateway.local.errors import StackError

_POLL_S = 0.05
_CHECK_S = 1.0
_TAIL_LINES = 12
_TAIL_BYTES = 64 << 10
_FAULT_LINE = re.compile(r"error|fail|fatal|cannot|Z E |\d # ", re.IGNORECASE)  # ` E ` marks Triton's, ` # ` Valkey's


@dataclass(slots=True)
class Child:
    """A process of the stack, which can be restarted.

    Args:
        name: name in progress messages.
        argv: the command.
        ready: called until it returns True; an ``OSError`` counts as False.
        env: the whole environment; None for that of this process.
        log: file for its output; None for this terminal.
        ready_s: timeout for becoming ready.
        stop_s: time between SIGTERM and SIGKILL.
        pass_fds: file descriptors that it inherits.
        clean_up: called after it has ended, with its pid and whether it was ever ready, to remove what a killed
            process leaves behind.
        find_fault: called with its pid every second; returns a fault, as the end of a sentence, or an empty string. A
            process with a fault twice in a row is killed, because it runs without working.
        late_arguments: further arguments of the command, computed at each start.
        private: whether only this user may open the files, sockets and shared memory that it makes.
        reloads: True if it reads its files again on SIGHUP.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] | None = None
    log: Path | None = None
    ready_s: float = 30.0
    stop_s: float = 5.0
    pass_fds: Sequence[int] = ()
    clean_up: Callable[[int, bool], None] = lambda pid, was_ready: None
    find_fault: Callable[[int], str] = lambda pid: ""
    late_arguments: Callable[[], Sequence[str]] = tuple
    private: bool = False
    reloads: bool = False
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _fault: str = field(default="", init=False)
    _was_ready: bool = field(default=False, init=False)
    _gone: bool = field(default=True, init=False)  # ended and cleaned up: its pid may be reused by now

    @property
    def running(self) -> bool:
        return not self._gone

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            StackError: it ended or was not ready in time; then it is stopped.
        """
        with self._open_output() as output:
            # A separate session: Ctrl-C at the terminal reaches only the supervisor, which stops in order.
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
                launch.PRIVATE if self.private else launch.SHARED,
                *self.argv,
                *self.late_arguments(),
                env=self.env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=self.pass_fds,
            )
        self._gone, self._fault, self._was_ready = False, "", False
        try:
            await self._become_ready()
            self._was_ready = True
        except BaseException:
            self.kill()
            await self.wait_exited()
            raise

    async def wait_exited(self) -> None:
        """Wait until the process has ended, and clean up after it."""
        if self._process is not None and not self._gone:
            await self._wait_or_kill(self._process)
            self.kill()
            self._gone = True
            self.clean_up(self._process.pid, self._was_ready)

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after ``stop_s``; returns when all its processes are gone."""
        if self._process is None or self._gone:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.stop_s):
                await self._process.wait()
        except TimeoutError:
            self.kill()
        await self.wait_exited()

    def reload(self) -> None:
        """Let it read its files again, if it can; one that is not ready yet reads them anyway."""
        if self.reloads and self._was_ready and not self._gone and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Send SIGKILL to the process and to everything in its process group."""
        if self._process is not None and not self._gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def describe_end(self) -> str:
        """How the process ended, as the end of a sentence."""
        if self._fault:
            return self._fault
        code = self._process.returncode if self._process is not None else None
        if code is None:
            return "has not ended"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def read_log_excerpt(self) -> str:
        """The lines at the end of its log about errors, to append to a message; empty if it writes to the terminal."""
        if self.log is None or not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            begin = max(log.seek(0, os.SEEK_END) - _TAIL_BYTES, 0)
            log.seek(begin)
            read = log.read(_TAIL_BYTES).decode(errors="replace").splitlines()
        lines = [line for line in read[1 if begin and len(read) > 1 else 0 :] if line.strip()]  # not half of a line
        if not lines:
            return ""
        telling = [line for line in lines if _FAULT_LINE.search(line)] or lines
        return "\n".join([f". From {self.log}:", *("  " + line[:240] for line in telling[-_TAIL_LINES:])])

    async def _wait_or_kill(self, process: asyncio.subprocess.Process) -> None:
        waiting = asyncio.ensure_future(process.wait())
        before = ""
        try:
            while not (await asyncio.wait({waiting}, timeout=_CHECK_S))[0]:
                now = self.find_fault(process.pid)
                if now and before:
                    self._fault = now
                    self.kill()
                before = now
        finally:
            waiting.cancel()

    async def _become_ready(self) -> None:
        try:
            async with asyncio.timeout(self.ready_s):
                while not await self._is_ready():
                    if self._process is None or self._process.returncode is not None:
                        raise StackError(
                            f"{self.name} {self.describe_end()} before it was ready{self.read_log_excerpt()}"
                        )
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise StackError(f"{self.name} was not ready within {self.ready_s:g} s{self.read_log_excerpt()}") from None

    async def _is_ready(self) -> bool:
        try:
            return await self.ready()
        except OSError:
            return False

    def _open_output(self) -> contextlib.AbstractContextManager[IO[bytes] | None]:
        if self.log is None:
            return contextlib.nullcontext()
        return open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
