"""A process that starts programs' processes, and never knows what their answers should be. Standard library only.

It is forked before the tests are read: whatever a program finds in its memory, the tests are not there.
"""

import json
import os
import signal
import socket
from typing import Any

from .executed import execute
from .library import load_modules
from .lockdown import adopt_orphans
from .player import run_script, serve_program


class Spawner:
    """Starts processes for programs, from the process that judges them."""

    def __init__(self) -> None:
        self._connection, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.pid = os.fork()
        if self.pid == 0:
            self._connection.close()
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(0, 1)
            _serve(other)
            os._exit(0)
        other.close()

    def close(self) -> None:
        """Give it up in a copy of this process."""
        self._connection.close()

    def start(self, request: dict[str, Any], descriptors: list[int]) -> int:
        """Start a process for a program. Returns its id. Raises OSError."""
        data = json.dumps(request).encode()
        socket.send_fds(self._connection, [len(data).to_bytes(8, "big")], descriptors)
        self._connection.sendall(data)
        return int.from_bytes(_read(self._connection, 8), "big", signed=True)

    def wait(self, pid: int) -> int:
        """Wait for the end of a process; its status, negative for a signal. Raises OSError."""
        data = json.dumps({"wait": pid}).encode()
        self._connection.sendall(len(data).to_bytes(8, "big") + data)
        return int.from_bytes(_read(self._connection, 8), "big", signed=True)


def _serve(connection: socket.socket) -> None:
    adopt_orphans()
    executed = 0
    while True:
        header, descriptors, _, _ = socket.recv_fds(connection, 8, 8)
        if len(header) < 8:
            _kill_group(executed)
            return
        request = json.loads(_read(connection, int.from_bytes(header, "big")))
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
            _forget_orphans()
            executed = 0
        else:
            if request["kind"] != "execute":
                load_modules([request["program"], *request.pop("texts", ())])
            answer = os.fork()
            if answer == 0:
                connection.close()
                _become_program(request, descriptors)
            executed = answer if request["kind"] == "execute" else 0
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(answer.to_bytes(8, "big", signed=True))


def _kill_group(group: int) -> None:
    """Kill the program that runs, with what it started: the process that would have done so has gone."""
    if group:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            return


def _forget_orphans() -> None:
    """Let go of the processes that a program left behind, which were killed with it."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _become_program(request: dict[str, Any], descriptors: list[int]) -> None:
    try:
        if request["kind"] == "execute":
            execute(request, descriptors)
        limits = request["mechanisms"], request["memory"], request["cpu_s"]
        if request["kind"] == "serve":
            serve_program(request["program"], socket.socket(fileno=descriptors[0]), *limits)
        else:
            run_script(request["program"], descriptors, *limits)
    finally:
        os._exit(1)


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise OSError("the other end has gone")
        data += piece
    return data
