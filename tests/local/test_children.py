"""One child: restarts with growing pauses, and a clear reason when it keeps dying."""

import sys
from pathlib import Path

import pytest
from reward_gateway.local.children import Child
from reward_gateway.local.errors import StackError
from reward_gateway.local.supervisor import Supervisor

from tests.clock import until

pytestmark = pytest.mark.anyio


def program(tmp_path: Path, text: str, ready_s: float = 30.0) -> Child:
    """A child that is ready once it has written ``ready`` into its folder."""

    async def ready() -> bool:
        return (tmp_path / "ready").exists()

    code = f"import pathlib, time\nhere = pathlib.Path({str(tmp_path)!r})\n{text}"
    return Child("it", [sys.executable, "-c", code], ready, log=tmp_path / "it.log", ready_s=ready_s)


async def test_one_that_keeps_dying_is_started_again_for_as_long_as_it_does(tmp_path: Path) -> None:
    child = program(tmp_path, "(here / 'ready').touch(); raise SystemExit('no luck')")
    lines: list[str] = []
    supervisor = Supervisor([[child]], lines.append, lambda: "the disk is full", delays_s=[0.01, 0.02])

    def report(line: str) -> None:
        lines.append(line)
        if "again in" in line and sum("again in" in told for told in lines) == 5:
            supervisor.stop()

    supervisor.report = report
    await supervisor.run()
    again = [line for line in lines if "again in" in line]
    assert [line.partition(". From ")[0] for line in again] == [
        f"it ended with status 1 (the disk is full); starting it again in {delay} s" for delay in (0.01, *[0.02] * 4)
    ]
    assert ["no luck" in line for line in again] == [False, True, False, False, False], "its last words, once"


async def test_one_that_does_not_become_ready_again_is_tried_further(tmp_path: Path) -> None:
    code = """
runs = here / 'runs'
runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')
if len(runs.read_text()) in (1, 4):
    (here / 'ready').touch()
    while len(runs.read_text()) == 4 or not (here / 'seen').exists():
        time.sleep(.01)
(here / 'ready').unlink(missing_ok=True)
raise SystemExit(3)
"""
    lines: list[str] = []
    supervisor = Supervisor([[program(tmp_path, code)]], lines.append, delays_s=[0.01])

    def report(line: str) -> None:
        lines.append(line)
        if "ready after" in line:
            (tmp_path / "seen").touch()
            if any("again in" in line for line in lines):
                supervisor.stop()

    supervisor.report = report
    await supervisor.run()
    assert sum("before it was ready; starting it again" in line for line in lines) == 2


async def test_why_it_does_not_start_again_is_told_the_first_time(tmp_path: Path) -> None:
    code = """
if (here / 'ran').exists():
    print('22897:M 29 Nov 2026 14:08:28.630 # Bad file format reading the append only file', flush=True)
    raise SystemExit(1)
(here / 'ran').touch()
(here / 'ready').touch()
print('all is well', flush=True)
time.sleep(.2)
(here / 'ready').unlink()
"""
    lines: list[str] = []
    supervisor = Supervisor([[program(tmp_path, code)]], lines.append, delays_s=[0.01] * 9)

    def report(line: str) -> None:
        lines.append(line)
        if sum("again in" in told for told in lines) == 4:
            supervisor.stop()

    supervisor.report = report
    await supervisor.run()
    again = [line for line in lines if "again in" in line]
    assert ["Bad file format" in line for line in again] == [False, True, False, False]
    assert all("starting it again in 0.01 s" in line.splitlines()[0] for line in again)
    assert not any(": ;" in line or ":;" in line for line in again)


async def test_one_that_ran_long_enough_starts_again_with_the_first_pause(tmp_path: Path) -> None:
    code = """
runs = here / 'runs'
runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')
(here / 'ready').touch()
time.sleep(.4)
"""
    lines: list[str] = []
    supervisor = Supervisor([[program(tmp_path, code)]], lines.append, delays_s=[0.01], calm_s=0.1)

    def report(line: str) -> None:
        lines.append(line)
        if len((tmp_path / "runs").read_text() if (tmp_path / "runs").exists() else "") == 4:
            supervisor.stop()

    supervisor.report = report
    await supervisor.run()
    assert {line for line in lines if "again in" in line} == {"it ended with status 0; starting it again in 0.01 s"}


async def test_one_that_is_not_ready_in_time_is_named_and_stopped(tmp_path: Path) -> None:
    child = program(tmp_path, "time.sleep(3600)", ready_s=0.3)
    with pytest.raises(StackError, match=r"it was not ready within 0\.3 s"):
        await Supervisor([[child]], lambda line: None).run()
    assert not child.running


async def test_what_a_child_started_is_stopped_with_it(tmp_path: Path) -> None:
    code = """
import subprocess, sys
print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)']).pid, flush=True)
(here / 'ready').touch()
time.sleep(3600)
"""
    child = program(tmp_path, code)
    await child.start()
    grandchild = Path("/proc", (tmp_path / "it.log").read_text().strip())
    assert grandchild.exists()
    await child.stop()
    await until(lambda: has_ended(grandchild))


def has_ended(process: Path) -> bool:
    """It was killed; whoever inherited it may have yet to collect it."""
    try:
        return "zombie" in (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_end_of_a_long_log_is_all_that_is_read_of_it(tmp_path: Path) -> None:
    child = program(tmp_path, "")
    assert child.read_log_excerpt() == ""
    assert child.log is not None
    with child.log.open("wb") as log:
        log.write(b"an old error\n")
        log.truncate(1 << 40)  # a hole, larger than any memory
        log.seek(0, 2)
        log.write(b"\nall is well\n" * 9000 + b"an error at the end\nbye")
    assert child.read_log_excerpt().splitlines()[1:] == ["  an error at the end"]
    child.log.write_bytes(b"x" * 100_000)
    assert len(child.read_log_excerpt()) < 1000, "one line without an end"
