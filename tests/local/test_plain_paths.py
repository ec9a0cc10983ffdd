"""local/plain_paths.py: a shell takes the path of a folder as one word, wherever the project lies."""

import subprocess
import tempfile
from pathlib import Path

import pytest
from reward_gateway.local.errors import StackError
from reward_gateway.local.plain_paths import is_plain, plain_links


@pytest.mark.parametrize("name", ["a b", "a'b", "a;b", "a$b", "é", "a(b)"])
def test_a_folder_that_a_shell_would_split_is_reached_by_a_link_for_a_while(tmp_path: Path, name: str) -> None:
    folders = [tmp_path / name / "one", tmp_path / name / "two"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "file").write_text(folder.name)
    with plain_links() as plain:
        links = [plain(folder) for folder in folders]
        said = [subprocess.run(["bash", "-c", f"cat {link}/file"], capture_output=True, text=True) for link in links]
    assert [done.stdout for done in said] == ["one", "two"]
    assert not any(link.exists() for link in links)
    assert all((folder / "file").exists() for folder in folders), "the link goes, the folder stays"


def test_a_plain_folder_is_itself(tmp_path: Path) -> None:
    assert is_plain(tmp_path)
    with plain_links() as plain:
        assert plain(tmp_path) == tmp_path


def test_where_no_link_can_be_made_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "a b"))
    monkeypatch.setattr("reward_gateway.local.private_folders.PLACES", (str(tmp_path / "none"),))
    with plain_links() as plain, pytest.raises(StackError, match="spaces"):
        plain(tmp_path / "a b")
