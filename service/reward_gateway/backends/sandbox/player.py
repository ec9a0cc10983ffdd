"""The process that runs a program for tests that it cannot see. Standard library only."""

import atexit
import builtins
import gc
import io
import json
import os
import resource
import socket
import sys
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TextIO, cast

from .library import PRELUDE, hide_modules
from .lockdown import lock_process
from .peer import Peer, PeerLost, describe_exception

LONGEST_NUMBER = 50_000
"""Digits of a number that may be read or written, as LiveCodeBench's harness sets it."""
DEEPEST_CALLS = 120_000
"""More than two levels, one in C, for each of 50,000 calls of a cached function."""
STACK = 120 << 20
"""Bytes of the main thread's stack: what Linux keeps free below it, whatever its limit was when the program started."""

_FRAMES: dict[ModuleType, tuple[str, ...]] = {
    sys: ("_getframe", "_current_frames", "_current_exceptions", "settrace", "setprofile", "_debugmallocstats"),
    gc: ("get_objects", "get_referrers", "get_referents"),
    threading: ("settrace", "setprofile"),
}

START = "run the program"


class Silence:
    """A standard output that discards what is written."""

    encoding = "utf-8"
    errors = "strict"

    def write(self, text: str) -> int:
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        pass

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def prepare_interpreter() -> None:
    """Deep recursion, long numbers, and threads that run at once: a locked process can start none."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = STACK if hard == resource.RLIM_INFINITY else min(STACK, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, hard))
    sys.setrecursionlimit(DEEPEST_CALLS)
    sys.set_int_max_str_digits(LONGEST_NUMBER)
    hide_modules()
    thread: Any = threading.Thread
    thread.start, thread.join, thread.is_alive = _run_thread, _do_nothing, _do_nothing
    sys.path, sys.argv = [], [""]
    sys.path_importer_cache.clear()
    os.environ.clear()


def hide_frames() -> None:
    """Take away what only a search for the harness uses. The kernel and the process boundary hold without this."""
    for module, names in _FRAMES.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)


def _run_thread(thread: threading.Thread) -> None:
    thread.run()


def _replace(module: ModuleType, **functions: Any) -> None:
    """Put other functions into a module."""
    vars(module).update(functions)


def _do_nothing(*_: Any, **__: Any) -> bool:
    return False


def serve_program(program: str, connection: socket.socket, mechanisms: list[str], memory: int, cpu_s: int) -> None:
    """Lock this process down, run a program, and let the tests' process use what it defines. Never returns."""
    prepare_interpreter()
    hide_frames()
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO()), Silence(), Silence()
    peer = Peer(connection, guarded=False)
    try:
        peer.send([lock_process(mechanisms, memory, cpu_s)])
        _replace(resource, setrlimit=_do_nothing)  # programs ask for a stack that they have
        if peer.receive() == START:
            peer.send(_load(program, peer))
            while True:
                peer.answer(peer.receive())
    except PeerLost:
        pass
    finally:
        os._exit(0)


def _load(program: str, peer: Peer) -> list[Any]:
    """Run the program; what it defines, by name, or the exception that it raised."""
    scope: dict[str, Any] = {"__name__": "solution"}
    exec(PRELUDE, scope)  # noqa: S102
    given = dict(scope)
    module = sys.modules["solution"] = ModuleType("solution")
    module.__dict__.update(scope)
    scope = module.__dict__
    try:
        exec(compile(program, "<program>", "exec"), scope)  # noqa: S102 - the purpose of this process
        names = {
            name: value
            for name, value in scope.items()
            if isinstance(name, str) and name.isidentifier() and not name.startswith("__")
            if name not in given or given[name] is not value
        }
        return ["gave", [[name, peer.encode(value)] for name, value in names.items()]]
    except PeerLost:
        raise
    except BaseException as error:
        return ["raised", describe_exception(error)]


def run_script(program: str, descriptors: list[int], mechanisms: list[str], memory: int, cpu_s: int) -> None:
    """Lock this process down and run a program that reads its standard input and writes its output. Never returns.

    Args:
        descriptors: of the input, of the output, and of the report: a line with the mechanisms in force, and one with
            the exception where the program raised one. The status of the process says whether it ended well.
    """
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number, inheritable=False)
    prepare_interpreter()
    hide_frames()
    sys.stdin, sys.stdout = _open_stream(0, "r"), _open_stream(1, "w")
    sys.stderr = Silence()
    _replace(sys, __stdin__=sys.stdin, __stdout__=sys.stdout, __stderr__=sys.stderr)
    _open_streams_again()
    atexit._clear()
    _write(2, lock_process(mechanisms, memory, cpu_s))
    _replace(resource, setrlimit=_do_nothing)
    status = 0
    try:
        scope = sys.modules["__main__"].__dict__
        scope.clear()
        scope.update(__name__="__main__", __builtins__=builtins)
        exec(PRELUDE, scope)  # noqa: S102
        exec(compile(program, "<program>", "exec"), scope)  # noqa: S102 - the purpose of this process
    except SystemExit as end:
        status = 0 if end.code in (None, 0) else 1
        if status:
            _write(2, "SystemExit")
    except BaseException as error:
        status = 1
        _write(2, type(error).__name__)
    try:
        atexit._run_exitfuncs()  # programs that gather their output write it there
        for stream in (sys.stdout, sys.__stdout__):
            if stream is not None:
                stream.flush()
    except BaseException:
        status = status or 1
    os._exit(status)


def _open_stream(descriptor: int, mode: str) -> TextIO:
    return cast("TextIO", open(descriptor, mode, encoding="utf-8", errors="surrogateescape"))


def _write(descriptor: int, value: Any) -> None:
    os.write(descriptor, json.dumps(value).encode() + b"\n")


def _open_streams_again() -> None:
    """Let programs open their input and output once more, as ``open(0)``: a locked process opens nothing."""
    own_open = builtins.open

    def open_stream(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        stream = {0: sys.stdin, "/dev/stdin": sys.stdin, 1: sys.stdout, "/dev/stdout": sys.stdout}.get(file)
        if stream is None:
            return own_open(file, mode, *arguments, **named)
        return stream.buffer if "b" in mode else stream

    known = {number: os.fstat(number) for number in (0, 1)}
    own_fstat = os.fstat
    _replace(builtins, open=open_stream, exit=sys.exit, quit=sys.exit)  # the module site, which has exit, is not loaded
    _replace(io, open=open_stream)
    _replace(os, fstat=lambda descriptor: known.get(descriptor) or own_fstat(descriptor))
