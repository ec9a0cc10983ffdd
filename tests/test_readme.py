"""The README's commands are run as they stand, and give the answers that stand below them."""

import re
from pathlib import Path

import pytest

from .conftest import ROOT, Stack
from .documents import Block, check_answer, pair_commands, read_blocks, run_block

README = (ROOT / "README.md").read_text(encoding="utf-8")


BLOCKS = read_blocks(README)
RUN = [pytest.param(block, answer, id=str(block.line)) for block, answer in pair_commands(BLOCKS)]


@pytest.mark.stack
@pytest.mark.parametrize(("block", "answer"), RUN)
def test_a_block_runs_and_gives_its_answer(stack: Stack, tmp_path: Path, block: Block, answer: Block | None) -> None:
    done = run_block(block, BLOCKS, tmp_path, stack.http, stack.grpc)
    assert done.returncode == 0, done.stderr
    check_answer(done.stdout, answer)


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
