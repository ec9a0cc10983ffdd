"""The processes that a service has started, found by what they are."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import psutil


def has_in_command(words: str) -> Callable[[psutil.Process], bool]:
    """Whether a process's command has these words."""
    return lambda process: words in " ".join(process.cmdline())


def is_valkey_in(folder: str) -> Callable[[psutil.Process], bool]:
    """Whether a process is the embedded Valkey whose folder has this name."""
    return lambda process: "valkey" in process.name() and Path(process.cwd()).name == folder


def find_in_family(parent: int, is_wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """The descendants of a process that are wanted, oldest first.

    A process that was forked from a wanted one is left out: until it runs a program of its own it has its parent's
    name and command, and a Valkey that saves its data keeps them to the end.
    """
    wanted = {}
    for process in psutil.Process(parent).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended
            if is_wanted(process):
                wanted[process.pid] = (process.ppid(), process.create_time(), process)
    own = [(created, process) for above, created, process in wanted.values() if above not in wanted]
    return [process for _, process in sorted(own, key=lambda found: found[0])]


def find_one(parent: int, is_wanted: Callable[[psutil.Process], bool]) -> int:
    """Process id of the only descendant of a process that is wanted."""
    (process,) = find_in_family(parent, is_wanted)
    pid: int = process.pid
    return pid
