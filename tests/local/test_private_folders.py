"""local/private_folders.py and local/sockets.py: one folder per stack, for one user, that nobody leaves behind."""

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from reward_gateway.local.errors import StackError
from reward_gateway.local.private_folders import private_folder
from reward_gateway.local.sockets import holds_sockets, socket_folder

KILLED = """
import os, sys, signal
from pathlib import Path
from reward_gateway.local.private_folders import private_folder
with private_folder("", [Path(sys.argv[1])]) as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_is_for_one_user_and_removed_at_the_end(tmp_path: Path) -> None:
    with private_folder("", [tmp_path]) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_one_whose_stack_was_killed_is_removed_by_the_next_and_one_in_use_is_not(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True)
    left = Path(killed.stdout.strip())
    assert (left / "file").exists()
    with private_folder("", [tmp_path]) as first, private_folder("", [tmp_path]) as second:
        assert not left.exists()
        assert {*tmp_path.iterdir()} == {first, second}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_one_of_another_user_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "reward-gateway-run-other"
    other.mkdir()
    os.chown(other, 65534, 65534)
    with private_folder("", [tmp_path]):
        assert other.exists()


def test_the_first_place_that_will_do_is_taken_and_without_one_the_refusal_is_said(tmp_path: Path) -> None:
    with private_folder("", [tmp_path / "missing", tmp_path]) as folder:
        assert folder.parent == tmp_path
    with pytest.raises(StackError, match="buy a disk"), private_folder("buy a disk", [tmp_path], lambda folder: False):
        pytest.fail("it was made")
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_folders_cannot_be_locked_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = iter([OSError(errno.ENOLCK, "No locks available")] + [pytest.fail.Exception("tried again")] * 2)

    def refuse(*_: object) -> None:
        raise next(locks)

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StackError, match="elsewhere"), private_folder("elsewhere", [tmp_path]):
        pytest.fail("it was made")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 100, "a b", "a%20b", "a#b", "a?b", "é"])
def test_sockets_are_not_put_where_an_address_would_be_too_long_or_read_otherwise(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert not holds_sockets(tmp_path / name)


def test_a_long_temporary_folder_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(long))
    with socket_folder() as folder:
        assert long not in folder.parents


def test_without_a_place_for_sockets_a_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "none"))
    monkeypatch.setattr("reward_gateway.local.private_folders.PLACES", ())
    with pytest.raises(StackError, match=r"TMPDIR.*REWARD_GATEWAY_TRITON_URL"), socket_folder():
        pytest.fail("it was made")
