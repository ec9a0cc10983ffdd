"""One child process: start it, know when it is ready, stop it with everything it started."""

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
_TELLING = re.compile(r"error|fail|fatal|cannot|Z E ", re.IGNORECASE)


@dataclass(slots=True)
class Child:
    """A process of the stack, with what it takes to run it again.

    Args:
        name: how progress lines call it.
        argv: the command.
        ready: asked until it says yes; an ``OSError`` counts as no.
        env: the whole environment; None: ours.
        log: file that takes its output; None: our own terminal.
        ready_s: longest time to become ready.
        stop_s: longest time to stop after SIGTERM, before SIGKILL.
        pass_fds: file descriptors that it inherits.
        swept: called with its pid when it is gone, to remove what a killed process leaves behind.
        ails: asked with its pid now and then, and answers what is wrong, as the end of a sentence, or nothing;
            a process that ails twice in a row is killed, as one that only looks alive.
        more: the end of the command, asked for at each start.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] | None = None
    log: Path | None = None
    ready_s: float = 30.0
    stop_s: float = 5.0
    pass_fds: Sequence[int] = ()
    swept: Callable[[int], None] = lambda pid: None
    ails: Callable[[int], str] = lambda pid: ""
    more: Callable[[], Sequence[str]] = tuple
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _ailment: str = field(default="", init=False)
    _gone: bool = field(default=True, init=False)  # ended and swept: its pid may be somebody else's by now

    @property
    def running(self) -> bool:
        return not self._gone

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            StackError: it ended, or was not ready in time; it is stopped then.
        """
        with self._output() as output:
            # A session of its own: a Ctrl-C at the terminal reaches the supervisor alone, which stops in order.
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
                *self.argv,
                *self.more(),
                env=self.env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=self.pass_fds,
            )
        self._gone, self._ailment = False, ""
        try:
            await self._become_ready()
        except BaseException:
            self.kill()
            await self.exited()
            raise

    async def exited(self) -> None:
        """Wait until the process has ended, by itself or not, and remove what it left."""
        if self._process is not None and not self._gone:
            await self._ended(self._process)
            self.kill()
            self._gone = True
            self.swept(self._process.pid)

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after ``stop_s``; returns when nothing of it is left."""
        if self._process is None or self._gone:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.stop_s):
                await self._process.wait()
        except TimeoutError:
            self.kill()
        await self.exited()

    def kill(self) -> None:
        """SIGKILL for the process and for all that it started and left in its group."""
        if self._process is not None and not self._gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def ending(self) -> str:
        """How the process ended, as the end of a sentence."""
        if self._ailment:
            return self._ailment
        code = self._process.returncode if self._process is not None else None
        if code is None:
            return "has not ended"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def last_words(self) -> str:
        """What its log says went wrong, to stand behind a sentence; empty where it wrote to the terminal."""
        if self.log is None or not self.log.exists():
            return ""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if _TELLING.search(line)] or lines
        return "\n".join([f". From {self.log}:", *("  " + line[:240] for line in telling[-_TAIL_LINES:])])

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        waiting = asyncio.ensure_future(process.wait())
        before = ""
        try:
            while not (await asyncio.wait({waiting}, timeout=_CHECK_S))[0]:
                now = self.ails(process.pid)
                if now and before:
                    self._ailment = now
                    self.kill()
                before = now
        finally:
            waiting.cancel()

    async def _become_ready(self) -> None:
        try:
            async with asyncio.timeout(self.ready_s):
                while not await self._is_ready():
                    if self._process is None or self._process.returncode is not None:
                        raise StackError(f"{self.name} {self.ending()} before it was ready{self.last_words()}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise StackError(f"{self.name} was not ready within {self.ready_s:g} s{self.last_words()}") from None

    async def _is_ready(self) -> bool:
        try:
            return await self.ready()
        except OSError:
            return False

    def _output(self) -> contextlib.AbstractContextManager[IO[bytes] | None]:
        return contextlib.nullcontext() if self.log is None else self.log.open("ab")
