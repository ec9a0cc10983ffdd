"""Documents whose commands are run: fenced blocks, what is marked beside them, answers that may be rounded."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SERVED, SERVED_GRPC = "http://127.0.0.1:8080", "127.0.0.1:8081"
"""Where documents say that a gateway is."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what is marked beside it, its text, its line."""

    language: str
    mark: str
    text: str
    line: int


def read_blocks(document: str) -> list[Block]:
    """The fenced blocks of a document, in their order."""
    found = re.finditer(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", document, flags=re.MULTILINE | re.DOTALL)
    return [Block(m[1], m[2] or "", m[3], document[: m.start()].count("\n") + 1) for m in found]


def pair_commands(blocks: list[Block]) -> list[tuple[Block, Block | None]]:
    """Every block that is to be run, with the answer that stands below it, if one does."""
    below = [*blocks[1:], None][: len(blocks)]
    return [
        (block, following if following is not None and following.mark == "answer" else None)
        for block, following in zip(blocks, below, strict=True)
        if block.mark == "run"
    ]


def run_block(
    block: Block, blocks: list[Block], folder: Path, url: str, grpc: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command or a script as it stands, in a folder that has the document's files, against a gateway."""
    for written in blocks:
        if written.mark.startswith("file="):
            (folder / written.mark.removeprefix("file=")).write_text(written.text, encoding="utf-8")
    text = block.text.replace(SERVED, url).replace(SERVED_GRPC, grpc)
    shell = ["bash", "-euo", "pipefail", "-c"]
    command = [*shell, text] if block.language == "bash" else [sys.executable, "-c", text]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=240, check=False)


def check_answer(printed: str, answer: Block | None) -> None:
    """Compare what was printed with what the document says; without an answer, only that it is none of an error."""
    assert printed.strip()
    if answer is None:
        assert '"error":{' not in printed
        assert '"valid":false' not in printed
    elif answer.language == "json":
        said, got = json.loads(answer.text), json.loads(printed)
        assert agrees(without_times(said), without_times(got)), printed
    else:
        said, got = ([float(n) for n in re.findall(r"-?\d+\.?\d*", t)] for t in (answer.text, printed))
        assert got == pytest.approx(said, abs=1.1e-2), printed


def agrees(said: Any, got: Any) -> bool:
    """Whether an answer is the one that is printed, which may be rounded and shorten a text with an ellipsis."""
    if isinstance(said, dict):
        return isinstance(got, dict) and set(said) == set(got) and all(agrees(said[key], got[key]) for key in said)
    if isinstance(said, list):
        return isinstance(got, list) and len(said) == len(got) and all(map(agrees, said, got))
    if isinstance(said, float) and isinstance(got, float):
        return abs(said - got) <= 6e-3
    if isinstance(said, str) and said.endswith("…"):
        return isinstance(got, str) and got.startswith(said[:-1])
    return type(said) is type(got) and bool(said == got)


def without_times(answer: Any) -> Any:
    """An answer without what differs from call to call: times, and what an earlier test left in the cache."""
    if not isinstance(answer, dict) or "timing_ms" not in answer:
        return answer
    kept = {key: value for key, value in answer.items() if key not in ("timing_ms", "usage")}
    for result in kept["results"]:
        for component in result["components"].values():
            component.pop("cached")
    return kept


def read_table(document: str, *columns: str) -> list[list[str]]:
    """The rows of the tables of a document that have these columns, cell by cell; ``\\|`` stands for a bar."""
    rows: list[list[str]] = []
    inside = False
    for line in document.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if tuple(cells) == columns:
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(cells[0]) <= set("-: "):
            rows.append(cells)
    return rows


def read_code(cell: str) -> str:
    """What stands in a cell as code."""
    found = re.fullmatch(r"(`+) ?(.*?) ?\1", cell, flags=re.DOTALL)
    assert found is not None, f"no code: {cell}"
    return found[2]
