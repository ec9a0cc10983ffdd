"""One worker process, seen from the gateway."""

import asyncio
import contextlib
import os
import signal
import sys
from typing import Any

from ..process_exit import await_exit
from .frames import LARGE, LENGTHS, TooLong, decode_message, encode_frame

GRACE_S = 1.0
"""Seconds that a process may go on after its time, before it is killed: starting another costs about as much."""

END_S = 5.0
"""Seconds that a process whose pipe has closed may take to end, which it is about to."""

_PIECE = 1 << 20
"""Bytes that are written or read without a turn of the event loop."""

_SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Reply = tuple[Any, bytes]
"""A message and its attachment."""


class ProcessLost(Exception):
    """The process has ended, or what it says cannot be read."""


class WorkerProcess:
    """A process that takes one piece of work at a time.

    Attributes:
        reply: what it owes, or the last that it said within a piece of work; None while it has no work.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.reply: asyncio.Task[Reply] | None = None
        self._exit: asyncio.Task[int] | None = None

    @classmethod
    async def start(cls, memory: int) -> "WorkerProcess":
        """Start a process whose work may allocate ``memory`` bytes, beyond what its first work needs."""
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{__package__}.child", str(memory)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_plain_environment(),
                limit=_PIECE,
            )
        )

    @property
    def has_ended(self) -> bool:
        return self.process.returncode is not None

    def ask(self, frame: list[bytes | memoryview]) -> "asyncio.Task[Reply]":
        """Send a frame; returns the reply that is awaited. The task raises ProcessLost."""
        self.reply = asyncio.create_task(self._exchange(frame))
        return self.reply

    async def finishes_soon(self) -> bool:
        """Whether its work ends by itself, as it does where its own time passes; then the process is free."""
        now = asyncio.get_running_loop().time
        until = now() + GRACE_S
        reply = self.reply
        while reply is not None:
            await asyncio.wait({reply}, timeout=max(0.0, until - now()))
            match self._reply_kind(reply):
                case "effect":
                    reply = self.ask([])  # it waits for an answer that does not come
                case "done" | "failed" | "time":
                    reply = self.reply = None
                case _:
                    return False
        return True

    @staticmethod
    def _reply_kind(reply: "asyncio.Task[Reply]") -> str | None:
        """What a reply is; None if none has come, or it could not be read."""
        if not reply.done() or reply.cancelled() or reply.exception() is not None:
            return None
        kind: str = reply.result()[0][0]
        return kind

    async def _exchange(self, frame: list[bytes | memoryview]) -> Reply:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            for piece in frame:
                view = memoryview(piece)
                for start in range(0, len(view), _PIECE):
                    stdin.write(view[start : start + _PIECE])
                    await stdin.drain()
            content, attachment = LENGTHS.unpack(await stdout.readexactly(LENGTHS.size))
            pieces = await _read_pieces(stdout, content)
            message = decode_message(pieces) if content <= LARGE else await asyncio.to_thread(decode_message, pieces)
            return message, b"".join(await _read_pieces(stdout, attachment))
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ProcessLost from error

    async def has_spent_its_time(self) -> bool:
        """Whether the kernel ended it, for its work computed for too long; of a process that is lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):  # no kill, which would take its status from who waits for it
                await self._await_exit()
        return self.process.returncode in (-signal.SIGVTALRM, -signal.SIGXCPU)

    async def end(self) -> None:
        """Kill the process and wait for its end."""
        if self.reply is not None:
            self.reply.cancel()
            await asyncio.gather(self.reply, return_exceptions=True)
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self._await_exit()

    async def _await_exit(self) -> None:
        """Wait for its end, as several may at once."""
        if self._exit is None:
            self._exit = asyncio.create_task(await_exit(self.process))
        await asyncio.shield(self._exit)


async def encode_in_steps(message: Any, attachment: bytes = b"") -> list[bytes | memoryview]:
    """A frame, as :func:`.frames.encode_frame` makes it, in a thread if it is large. Raises what pickling raises."""
    try:
        return encode_frame(message, attachment, LARGE)
    except TooLong:
        return await asyncio.to_thread(encode_frame, message, attachment)


async def _read_pieces(stream: asyncio.StreamReader, size: int) -> list[bytes]:
    """The next bytes of a stream. Raises IncompleteReadError if it ends before."""
    pieces: list[bytes] = []
    while size:
        piece = await stream.read(min(size, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        pieces.append(piece)
        size -= len(piece)
    return pieces


def _plain_environment() -> dict[str, str]:
    """The environment of a worker: no setting of the gateway, which may be a secret, and one thread for arithmetic."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REWARD_GATEWAY_")}
    return {**inherited, **dict.fromkeys(_SINGLE_THREADED, "1")}
