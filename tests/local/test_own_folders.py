"""local/own_folders.py: what others have made or may write to is not used, and nobody else may write to what is."""

import os
import re
from pathlib import Path

import pytest
from reward_gateway.local.errors import StackError
from reward_gateway.local.own_folders import foreign_folder_fault, own_folder

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")


def mode_of(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def refused(top: Path, *names: str) -> str:
    with pytest.raises(StackError) as error:
        own_folder(top, *names)
    assert foreign_folder_fault(top, *names) == str(error.value)
    assert "--state-dir" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_no_other_user_may_write_to_what_it_makes(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder = own_folder(tmp_path / "state", "run", "8080")
    finally:
        os.umask(before)
    assert folder == tmp_path / "state" / "run" / "8080"
    assert all(not mode_of(made) & 0o022 for made in (folder, folder.parent, folder.parent.parent))


def test_its_own_folders_that_others_could_write_to_are_closed(tmp_path: Path) -> None:
    (tmp_path / "run" / "8080").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "run", tmp_path / "run" / "8080"):
        folder.chmod(0o777)
    assert not foreign_folder_fault(tmp_path, "run", "8080")
    own_folder(tmp_path, "run", "8080")
    assert {mode_of(folder) for folder in (tmp_path, tmp_path / "run", tmp_path / "run" / "8080")} == {0o755}


def test_a_link_to_the_state_folder_is_followed_and_one_inside_it_is_not(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "state").symlink_to(elsewhere)
    assert own_folder(tmp_path / "state", "run") == elsewhere / "run"
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    (elsewhere / "run" / "8080").symlink_to(victim)
    assert "link" in refused(tmp_path / "state", "run", "8080")
    assert mode_of(victim) == 0o755
    (elsewhere / "run" / "8081").symlink_to(tmp_path / "missing")
    assert "link" in foreign_folder_fault(tmp_path / "state", "run", "8081")


def test_what_does_not_exist_yet_is_no_fault(tmp_path: Path) -> None:
    assert not foreign_folder_fault(tmp_path / "none", "run", "8080")
    assert not (tmp_path / "none").exists()


@as_root
@pytest.mark.parametrize("taken", ["", "run", "run/8080"])
def test_a_folder_of_another_user_is_refused(tmp_path: Path, taken: str) -> None:
    (tmp_path / "state" / "run" / "8080").mkdir(parents=True)
    os.chown(tmp_path / "state" / taken, NOBODY, NOBODY)
    assert re.search("belongs to another user", refused(tmp_path / "state", "run", "8080"))
