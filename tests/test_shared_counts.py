"""Numbers that processes share: each writes its own, and sees the least of the others'."""

import os
import subprocess
import sys

import pytest
from reward_gateway.shared_counts import (
    FD_VARIABLE,
    PLACE_VARIABLE,
    SharedCounts,
    create_counts,
    withdraw_count,
)


def test_a_process_sees_the_least_number_of_the_others() -> None:
    fd = create_counts(3)
    first, second, third = (SharedCounts(os.dup(fd), place) for place in range(3))
    assert first.smallest_of_others() is None  # nobody counts yet
    first.set_own(1)
    assert (first.smallest_of_others(), second.smallest_of_others()) == (None, 1)
    second.set_own(7)
    third.set_own(5)
    assert [each.smallest_of_others() for each in (first, second, third)] == [5, 1, 1]
    third.withdraw()
    assert first.smallest_of_others() == 7
    withdraw_count(fd, 1)  # by the supervisor, for a process that was killed
    assert first.smallest_of_others() is None
    os.close(fd)


def test_a_child_gets_them_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    fd = create_counts(2)
    code = (
        "from reward_gateway.shared_counts import SharedCounts\n"
        "counts = SharedCounts.from_environment()\n"
        "counts.set_own(42)\n"
    )
    environment = os.environ | {FD_VARIABLE: str(fd), PLACE_VARIABLE: "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, pass_fds=(fd,), check=True)
    assert SharedCounts(fd, 0).smallest_of_others() == 42
    monkeypatch.delenv(FD_VARIABLE, raising=False)
    assert SharedCounts.from_environment() is None  # a process that is the only one
