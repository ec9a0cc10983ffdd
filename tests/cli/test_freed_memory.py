"""What a worker has freed is used again, and is not asked of the kernel anew."""

import ctypes
import subprocess
import sys

import pytest
from reward_gateway.cli.freed_memory import keep_freed_memory

BLOCKS = """
import resource, sys
from reward_gateway.cli.freed_memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
bytes(4 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    bytearray(b"a" * (4 << 20))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = (4 << 20) // 4096


def count_faults(how: str) -> int:
    command = [sys.executable, "-c", BLOCKS, how]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another allocator")
def test_large_blocks_come_from_what_was_freed() -> None:
    assert count_faults("keep") < 5 * PAGES
    assert count_faults("not") > 20 * PAGES


def test_an_allocator_without_limits_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()
