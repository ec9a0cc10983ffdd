"""The disk has no room, or must not be written: two workers answer, count nothing twice and say what is wrong."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.callers import Caller, HttpCaller, Ledger, load
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import RECIPES, WITHOUT_TRITON, Launch, wait_until
from tests.chaos.test_state_faults import Counting, come_back
from tests.chaos.test_worker_faults import Anew, ask_rule
from tests.chaos.verdicts import at_least, at_most, exactly
from tests.conftest import ROOT
from tests.ports import free_port
from tests.stack.test_full_disk import OWN_MEMORY, fill, small_disk  # noqa: F401 - a fixture

pytestmark = [pytest.mark.stack, pytest.mark.anyio]


async def test_the_disk_is_full(launch: Launch, small_disk: Path, ledger: Ledger, verdict: GiveVerdict) -> None:  # noqa: F811
    flags = ("--workers", "2", "--state-dir", str(small_disk), *WITHOUT_TRITON)
    stack = await asyncio.to_thread(launch, *flags, wrapper=OWN_MEMORY)
    memory = Path(f"/proc/{stack.running.process.pid}/root/dev/shm")
    counting, rules, counted = Counting(stack), Ledger(), Ledger()

    async def ask(caller: Caller, turn: int) -> None:
        if caller in counters:
            await counting.ask(caller, turn)
        else:
            await ask_rule(caller, turn)

    counters: list[Caller] = [HttpCaller(stack.http, counted) for _ in range(2)]
    async with load([*counters, *(Anew(stack, rules) for _ in range(3))], ask, 0.01):
        await asyncio.sleep(1.0)
        fillers = [fill(small_disk), fill(memory)]
        await asyncio.sleep(3.0)
        before = stack.workers()
        os.kill(before[0], signal.SIGKILL)
        restarted = await asyncio.to_thread(wait_until, lambda: len({*stack.workers()} - {before[0]}) == 2)
        running = stack.workers()
        await asyncio.sleep(3.0)
        died = len({*running} - {*stack.workers()})
        rules_meanwhile = rules.statuses[200]
        for filler in fillers:
            filler.unlink()
        seconds = await come_back(counting)
        await asyncio.sleep(1.0)
    stored = await asyncio.to_thread(counting.stored)
    for part in (rules, counted):
        ledger.statuses.update(part.statuses)
        ledger.wrong += part.wrong
        ledger.strange += part.strange
        ledger.without_retry_after += part.without_retry_after
    verdict("rules refused meanwhile", rules.answered - rules.statuses[200], exactly(0), "")
    verdict("rules scored while it was full", rules_meanwhile, at_least(100), "")
    verdict("until another worker ran in the place of one that was killed", restarted, at_most(30), "s")
    verdict("workers that died of it", died, exactly(0), "")
    verdict("unanswered requests, one worker killed", rules.unanswered + counted.unanswered, at_most(5), "")
    verdict("refused otherwise than state_unavailable", len({*counting.refused} - {"state_unavailable"}), exactly(0))
    verdict("state refused while it was full", counting.refused.get("state_unavailable", 0), at_least(1), "")
    verdict("until state is kept again", seconds, at_most(15), "s")
    verdict("samples answered and not counted", max(0.0, counting.answered - stored), exactly(0), "")
    # A write may have been made whose answer was lost with the worker.
    verdict("samples counted without an answer", stored - counting.answered, at_most(3 * 2), "")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A file system that must not be written."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]).returncode:
        pytest.skip("only root can mount file systems")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_the_state_folder_is_read_only(read_only: Path, tmp_path: Path, verdict: GiveVerdict) -> None:
    (tmp_path / "rewards.yaml").write_text(RECIPES)
    ports = ("--http-port", str(free_port()), "--grpc-port", "0")
    flags = ("--state-dir", str(read_only), "--rewards-file", str(tmp_path / "rewards.yaml"), *ports, *WITHOUT_TRITON)
    began = time.monotonic()
    command = [sys.executable, "-m", "reward_gateway.cli.serve", *flags]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    said = ended.stdout + ended.stderr
    verdict("ended by itself after", time.monotonic() - began, at_most(20), "s")
    verdict("exit status", ended.returncode, at_least(1), "")
    verdict("names the setting to change", "state-dir" in said or "state_dir" in said, exactly(1), "")
    verdict("lines of a traceback", said.count("Traceback"), exactly(0), "")
