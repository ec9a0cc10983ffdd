"""telemetry/shared_values.py: a process whose file cannot grow goes on counting, and loses nothing that it counted."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict
from reward_gateway.telemetry import shared_values
from reward_gateway.telemetry.shared_values import RETRY_S, SharedValues


class Disk:
    """Room for a number of bytes per file."""

    def __init__(self) -> None:
        self.room = 1 << 30

    def reserve(self, descriptor: int, size: int) -> None:
        if size > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        os.posix_fallocate(descriptor, 0, size)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(shared_values, "_reserve", made.reserve)
    return made


class Time:
    def __init__(self) -> None:
        self.now = 1.0

    def __call__(self) -> float:
        return self.now


def on_disk(file: Path) -> dict[str, float]:
    """What a scrape reads."""
    return {name: value for name, value, *_ in MmapedDict.read_all_values_from_file(str(file))}  # type: ignore[no-untyped-call]


def name(number: int) -> str:
    return f"{number:05}" + "x" * 1000


def test_values_are_where_a_scrape_reads_them_and_outlive_the_process(tmp_path: Path) -> None:
    file = tmp_path / "counter_1.db"
    one = SharedValues(str(file))
    for number in range(200):
        assert one.read_value(name(number)) == (0.0, 0.0)
        one.write_value(name(number), number, 2.0)
    assert on_disk(file) == {name(number): number for number in range(200)}
    one.close()
    assert SharedValues(str(file)).read_value(name(7)) == (7.0, 2.0)


def test_every_byte_of_a_file_has_room_before_it_is_used(tmp_path: Path) -> None:
    file = tmp_path / "counter_1.db"
    values = SharedValues(str(file))
    for number in range(400):
        values.write_value(name(number), number, 0.0)
        assert file.stat().st_blocks * 512 >= file.stat().st_size > 0, "no sparse page"


def test_what_finds_no_room_is_kept_and_written_once_there_is(tmp_path: Path, disk: Disk) -> None:
    file, clock = tmp_path / "counter_1.db", Time()
    values = SharedValues(str(file), clock)
    values.write_value(name(0), 1.0, 0.0)
    disk.room = 1 << 16
    for number in range(100):
        values.write_value(name(number), 1.0 + number, 0.0)
    written = on_disk(file)
    assert 50 < len(written) < 100
    assert all(values.read_value(name(number))[0] == 1.0 + number for number in range(100))
    values.write_value(name(0), 5.0, 0.0)
    assert on_disk(file)[name(0)] == 5.0, "what is in the file goes on"

    disk.room = 1 << 30
    values.write_value(name(99), 7.0, 0.0)
    assert on_disk(file).keys() == written.keys(), "it waits between attempts"
    clock.now += RETRY_S
    values.write_value(name(99), 8.0, 0.0)
    assert on_disk(file) == {name(n): 1.0 + n for n in range(100)} | {name(0): 5.0, name(99): 8.0}


def test_a_file_that_cannot_be_made_is_made_later_and_no_broken_one_is_left(tmp_path: Path, disk: Disk) -> None:
    file, clock = tmp_path / "counter_1.db", Time()
    disk.room = 0
    values = SharedValues(str(file), clock)
    values.write_value("a", 3.0, 0.0)
    assert values.read_value("a") == (3.0, 0.0)
    assert list(tmp_path.iterdir()) == []
    disk.room = 1 << 30
    clock.now += RETRY_S
    values.write_value("a", 4.0, 0.0)
    assert on_disk(file) == {"a": 4.0}


FULL = """
import os, sys
from pathlib import Path
from reward_gateway.telemetry.metrics import Metrics
folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
metrics = Metrics()
with (folder / "filler").open("wb", buffering=0) as filler:
    try:
        while filler.write(b"x" * 4096):
            pass
    except OSError:
        pass
metrics.models.register(f"model {number}" for number in range(300))
for number in range(300):
    metrics.model_call_finished(f"model {number}", 1, 0.1, "ok")
(folder / "filler").unlink()
import time
time.sleep(1.1)
for number in range(300):
    metrics.model_call_finished(f"model {number}", 1, 0.1, "ok")
print(sum(line.endswith(" 2.0") for line in metrics.render().decode().splitlines() if "model 299" in line))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_disk_that_is_full_a_process_lives_and_its_metrics_recover(small_disk: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(small_disk)}
    ran = subprocess.run([sys.executable, "-c", FULL], env=env, capture_output=True, text=True)
    assert ran.returncode == 0, (ran.returncode, ran.stderr)
    assert int(ran.stdout.splitlines()[-1]) > 3
