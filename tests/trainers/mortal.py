"""The service at one address, whose processes may die and come back."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from tests.conftest import Stack, start_stack
from tests.ports import free_port


@dataclass
class Mortal:
    """It runs with the same flags each time, and finds what its store of state kept."""

    folder: Path
    port: int
    flags: tuple[str, ...]
    stack: Stack

    @classmethod
    def begin(cls, folder: Path, *flags: str) -> Self:
        """Start it; the folder takes its logs."""
        port = free_port()
        return cls(folder, port, flags, _start(folder, port, flags))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """All of it at once, as when its machine is lost."""
        family = [*psutil.Process(self.stack.process.pid).children(recursive=True)]
        family.append(psutil.Process(self.stack.process.pid))
        for member in family:
            member.send_signal(signal.SIGKILL)
        self.stack.process.wait()
        psutil.wait_procs(family, timeout=10)

    def start(self) -> None:
        """As at first."""
        self.stack = _start(self.folder, self.port, self.flags)


def _start(folder: Path, port: int, flags: tuple[str, ...]) -> Stack:
    return start_stack(folder / f"serve-{time.monotonic_ns()}.log", *flags, "--http-port", str(port))
