"""``reward-gateway models fetch``: its exit codes and what it prints."""

import json
from pathlib import Path

from .conftest import Run


def make_model(folder: Path) -> Path:
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text('name: "m"')
    (folder / "1" / "model.onnx").write_bytes(b"weights")
    return folder


def test_the_folder_is_printed_and_facts_as_json(run: Run, tmp_path: Path) -> None:
    source, into = make_model(tmp_path / "m"), tmp_path / "into"
    first = run("models", "fetch", source, "--into", into, "--kind", "model")
    assert (first.code, first.out.strip()) == (0, str(into / "m"))
    again = run("models", "fetch", source, "--into", into, "--kind", "model", "--json")
    facts = json.loads(again.out)
    assert (facts["was_there"], facts["files"], facts["folder"]) == (True, 2, str(into / "m"))


def test_the_exit_code_says_what_was_wrong(run: Run, tmp_path: Path) -> None:
    source, into = make_model(tmp_path / "m"), tmp_path / "into"
    wrong = run("models", "fetch", source, "--into", into, "--sha256", "0" * 64)
    assert (wrong.code, "--sha256 says" in " ".join(wrong.err.split())) == (1, True)
    for arguments in (("hf://a/b",), (source, "--kind", "picture"), (source, "--max-size", "much")):
        assert run("models", "fetch", *arguments, "--into", into).code == 2
    assert run("models", "fetch", tmp_path / "none", "--into", into).code == 3
    assert not (into / "m").exists()
