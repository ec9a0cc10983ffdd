"""tests/families.py: a process is found by what it is, and not twice while it starts another."""

import subprocess
import sys

import psutil

from tests.families import find_in_family, find_one, has_in_command

FORKING = """
import os, time
if not os.fork():
    time.sleep(600)
print("forked", flush=True)
time.sleep(600)
"""


def test_a_fork_of_a_process_is_not_that_process() -> None:
    mark = f"{FORKING}# the one that is sought"
    process = subprocess.Popen([sys.executable, "-c", mark], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"forked\n"
        alike = [p for p in psutil.Process().children(recursive=True) if mark in p.cmdline()]
        assert len(alike) == 2
        assert find_one(psutil.Process().pid, has_in_command("the one that is sought")) == process.pid
    finally:
        family: list[psutil.Process] = psutil.Process(process.pid).children()
        for each in family:
            each.kill()
        process.kill()
        process.communicate()


def test_they_are_found_oldest_first() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)  # siblings"]
    processes = [subprocess.Popen(command) for _ in range(3)]
    try:
        found = find_in_family(psutil.Process().pid, has_in_command("# siblings"))
        assert [process.pid for process in found] == [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
