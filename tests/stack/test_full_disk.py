"""Neither the disk nor shared memory has free space: two workers answer all the time, and lose no count."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from reward_gateway.telemetry.tallies import WRITE_S

from tests.conftest import Stack, start_stack, stop_stack
from tests.families import find_in_family, has_in_command

pytestmark = [pytest.mark.stack, pytest.mark.slow]

RECIPE = """
rewards:
  short:
    components: {brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}}
"""
WRITTEN_S = 5 * WRITE_S
"""Seconds after which a worker has written what it counted, on a busy machine too; what it has not dies with it."""
OWN_MEMORY = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=3m tmpfs /dev/shm && exec "$@"', "sh")
"""Runs a command that sees 3 MiB of shared memory of its own."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    able = os.geteuid() == 0 and not subprocess.run([*OWN_MEMORY, "true"], capture_output=True).returncode
    if not able or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount small file systems")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Use up the file system of a folder; the file that does."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                pass
    return filler


def workers(stack: Stack) -> set[int]:
    """Process ids of the workers that run."""
    return {process.pid for process in find_in_family(stack.process.pid, has_in_command("reward_gateway.cli.worker"))}


def score(stack: Stack) -> int:
    """Score one text over a connection of its own; the status."""
    body = {"samples": [{"prompt": "a", "response": "b c d"}]}
    answer = httpx.post(f"{stack.http}/v1/score", json=body, timeout=60)
    if answer.status_code == 200:
        assert answer.json()["results"][0]["reward"] == -1.0
    return answer.status_code


def counted(stack: Stack) -> float:
    """Samples answered, over all workers."""
    page = httpx.get(f"{stack.http}/metrics", timeout=60).text
    return sum(
        float(line.split()[-1]) for line in page.splitlines() if line.startswith("reward_gateway_samples_total{")
    )


def until(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < end, "it did not happen within two minutes"
        time.sleep(0.05)


def test_two_workers_outlive_it_and_count_on(tmp_path: Path, small_disk: Path) -> None:
    (tmp_path / "rewards.yaml").write_text(RECIPE)
    flags = ("--workers", "2", "--triton-url", "127.0.0.1:1", "--rewards-file", str(tmp_path / "rewards.yaml"))
    stack = start_stack(small_disk / "serve.log", *flags, "--state-dir", str(small_disk), wrapper=OWN_MEMORY)
    try:
        before = workers(stack)
        assert len(before) == 2
        memory = Path(f"/proc/{stack.process.pid}/root/dev/shm")
        fillers = [fill(small_disk), fill(memory)]
        statuses = [score(stack) for _ in range(50)]

        killed = min(before)
        time.sleep(WRITTEN_S)
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(workers(stack) - {killed}) == 2)
        now = workers(stack) - {killed}
        statuses += [score(stack) for _ in range(200)]
        assert set(statuses) == {200}
        assert workers(stack) == now, "nobody died of it"

        for filler in fillers:
            filler.unlink()

        def is_all_counted() -> bool:
            statuses.append(score(stack))
            time.sleep(WRITTEN_S)
            return counted(stack) == len(statuses)

        until(is_all_counted)
        assert set(statuses) == {200}
    finally:
        assert stop_stack(stack) == 0
