"""The README's commands are run as they stand, and give the answers that stand below them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, Stack
from .documents import Block, agrees, pair_commands, read_blocks, without_times

README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVED = "http://127.0.0.1:8080"


BLOCKS = read_blocks(README)
RUN = [pytest.param(block, answer, id=str(block.line)) for block, answer in pair_commands(BLOCKS)]


@pytest.mark.stack
@pytest.mark.parametrize(("block", "answer"), RUN)
def test_a_block_runs_and_gives_its_answer(stack: Stack, tmp_path: Path, block: Block, answer: Block | None) -> None:
    for written in BLOCKS:
        if written.mark.startswith("file="):
            (tmp_path / written.mark.removeprefix("file=")).write_text(written.text, encoding="utf-8")
    text = block.text.replace(SERVED, stack.http)
    shell = ["bash", "-euo", "pipefail", "-c"]
    command = [*shell, text] if block.language == "bash" else [sys.executable, "-c", text]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if answer is None:
        assert '"error":{' not in done.stdout
        assert '"valid":false' not in done.stdout
    elif answer.language == "json":
        said, got = json.loads(answer.text), json.loads(done.stdout)
        assert set(said) == set(got)
        assert agrees(without_times(said), without_times(got)), done.stdout
    else:
        said, got = ([float(n) for n in re.findall(r"-?\d+\.?\d*", t)] for t in (answer.text, done.stdout))
        assert got == pytest.approx(said, abs=1.1e-2)


def test_every_link_into_the_repository_leads_to_something() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_every_block_is_run_read_or_marked_as_not_to_be() -> None:
    known = {"run", "answer", "elsewhere"}
    bare = [block for block in BLOCKS if block.mark not in known and not block.mark.startswith("file=")]
    assert bare == []
    (elsewhere,) = [block for block in BLOCKS if block.mark == "elsewhere"]
    assert elsewhere.text == "make serve\n"
