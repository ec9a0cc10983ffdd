"""local/launch.py: what a private child makes is for its user alone, even if the child itself opens it to all."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.local import launch

# Makes a region of shared memory as Triton's Python backend does, and a file; prints their permissions.
MAKE = """
import os, sys
for path in sys.argv[1:]:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    os.fchmod(descriptor, 0o644)
    print(oct(os.fstat(descriptor).st_mode & 0o777))
    os.unlink(path)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a copy of the program, in which every user may make files."""
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    made.chmod(0o777)
    shutil.copy(launch.__file__, made / "launch.py")
    yield made
    shutil.rmtree(made)


def run(kind: str, folder: Path, python: str = sys.executable, **user: Any) -> list[str]:
    command = [python, "-I", "-S", str(folder / "launch.py"), str(os.getpid()), kind, python, "-I", "-S", "-c", MAKE]
    command += [f"/dev/shm/{folder.name}", str(folder / "file")]
    ran: subprocess.CompletedProcess[str] = subprocess.run(command, capture_output=True, text=True, cwd="/", **user)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="where the embedded Triton runs")
def test_a_private_child_opens_nothing_to_others_and_a_shared_one_may(folder: Path) -> None:
    assert run(launch.PRIVATE, folder) == ["0o600", "0o600"]
    assert run(launch.SHARED, folder) == ["0o644", "0o644"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program as another user")
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no Python that another user may run")
def test_that_holds_for_a_user_without_rights_too(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    assert run(launch.PRIVATE, folder, "/usr/bin/python3", **user) == ["0o600", "0o600"]
