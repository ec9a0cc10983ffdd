"""A worker process: it takes work over a pipe, one piece at a time, and answers with the result.

Run as ``python -m reward_gateway.backends.workers.child MEMORY``. In: a frame with the work (a function) and the
seconds that it may take, by the clock and on a CPU; the function's argument is the frame's attachment, if it has one.
Work that computes for longer and cannot be interrupted ends the process with SIGVTALRM or SIGXCPU. Out: a frame with
``("done", result)`` (a result of bytes is attached), ``("failed", exception)``, ``("time", None)`` or
``("memory", None)``. Work that is a generator of effects is run to its end; for each effect a frame
``("effect", effect)`` goes out, and ``("send", answer)`` or ``("throw", exception)`` comes in.

The first piece of work prepares the process (imports); the memory limit holds from then on.
"""

import contextlib
import ctypes
import math
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from .frames import LENGTHS, decode_message, encode_frame

_PR_SET_PDEATHSIG = 1
_NICENESS = 5
"""The event loop goes before the workers where they share a core."""

_IMPORT_S = 0.02
"""Seconds after which the time limit is tried again while a module is imported."""


_UNHEEDED_S = 0.2
"""Seconds of computing in which work heeds the alarm, or never does: it is within one long operation on numbers."""


class OutOfTime(BaseException):
    """The time limit. Not an Exception, because libraries catch those."""


class Pipe:
    """The process's end of the conversation."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    def receive(self) -> tuple[Any, bytes]:
        """The next message and its attachment. Raises EOFError if the gateway has gone."""
        header = self._incoming.read(LENGTHS.size)
        if len(header) < LENGTHS.size:
            raise EOFError
        content, attachment = (self._incoming.read(length) for length in LENGTHS.unpack(header))
        return decode_message([content]), attachment

    def send(self, message: Any, attachment: bytes = b"") -> None:
        try:
            for piece in encode_frame(message, attachment):
                self._outgoing.write(piece)
            self._outgoing.flush()
        except OSError:
            raise EOFError from None


def main(memory: int) -> None:
    """Do work until the gateway closes the pipe."""
    pipe = _open_pipe()
    _end_with_parent()
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    for alarm in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(alarm, _raise_out_of_time)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the gateway, which ends its workers
    prepared = False
    with contextlib.suppress(EOFError):
        while True:
            (work, seconds, cpu_s), body = pipe.receive()
            with _limit_cpu(cpu_s):
                reply = _do(partial(work, body) if body else work, seconds, cpu_s, pipe)
            del work, body
            if not prepared:
                _limit_memory(memory)
                prepared = True
            _send_reply(pipe, reply)
            if reply[0] == "memory":
                return  # the rest of what it allocated may never be freed


def _do(work: Callable[[], Any], seconds: float | None, cpu_s: float | None, pipe: Pipe) -> tuple[str, Any]:
    try:
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3) if seconds is not None else 0)
        signal.setitimer(signal.ITIMER_PROF, cpu_s or 0)
        result = work()
        if isinstance(result, Generator):
            result = _run_steps(result, pipe)
        _stop_alarms()
    except OutOfTime:
        return "time", None
    except MemoryError:
        return "memory", None
    except EOFError:
        raise
    except Exception as error:
        return "failed", error
    finally:
        _stop_alarms()
    return "done", result


def _stop_alarms() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)


def _run_steps(steps: Generator[Any, Any, Any], pipe: Pipe) -> Any:
    """Run a generator to its end; the gateway answers its effects."""
    try:
        effect = next(steps)
        while True:
            pipe.send(("effect", effect))
            (kind, answer), _ = pipe.receive()
            effect = steps.throw(answer) if kind == "throw" else steps.send(answer)
    except StopIteration as stop:
        return stop.value


def _send_reply(pipe: Pipe, reply: tuple[str, Any]) -> None:
    if reply[0] == "failed" and not hasattr(reply[1], "status"):  # a fault of ours: the gateway's log should say where
        reply[1].add_note("in a worker process:\n" + "".join(traceback.format_tb(reply[1].__traceback__)))
    try:
        if isinstance(reply[1], bytes):
            pipe.send((reply[0], None), reply[1])
        else:
            pipe.send(reply)
    except MemoryError:
        pipe.send(("memory", None))
    except EOFError:
        raise
    except Exception as error:  # it cannot be pickled
        pipe.send(("failed", RuntimeError(f"a worker's {reply[0]} answer cannot be sent: {type(error).__name__}")))


def _open_pipe() -> Pipe:
    """The private pipe. What a library prints goes nowhere, so that it cannot be taken for an answer."""
    pipe = Pipe(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nothing, standard)
    return pipe


def _end_with_parent() -> None:
    """Have the kernel end this process with the gateway, even one that is killed."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def _limit_cpu(cpu_s: float | None) -> Iterator[None]:
    """Have the kernel end the process if it computes for longer than ``cpu_s`` and does not heed the alarm: soon after,
    or after one to two seconds where it computes in system calls, too."""
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if cpu_s is not None:
        signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s + _UNHEEDED_S)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + cpu_s) + 1, most))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def _limit_memory(memory: int) -> None:
    """Limit the address space to what the process has now and ``memory`` bytes more."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _raise_out_of_time(number: int, frame: FrameType | None) -> None:
    """End the work, unless it imports a module: one that is imported by half would fail all later work."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            signal.setitimer(signal.ITIMER_REAL, _IMPORT_S)
            return
        frame = frame.f_back
    raise OutOfTime


if __name__ == "__main__":
    main(int(sys.argv[1]))
