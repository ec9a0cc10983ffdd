"""What trainers run of the guide's pages: scripts (``trainer=NAME``), files (``file=NAME``), logs (``log=NAME``)."""

import ast
import re
from pathlib import Path

from reward_gateway.guide.contents import PACKAGE

FENCE = r"^```\w+ {mark}={name}\n(.*?)^```$"


def read_block(page: str, mark: str, name: str) -> str:
    """The block of a page, named from the package's folder, that is marked so."""
    text = (PACKAGE / page).read_text()
    (found,) = re.findall(FENCE.format(mark=mark, name=re.escape(name)), text, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def write_files(page: str, folder: Path) -> None:
    """Write the files and scripts of a page where its commands expect them."""
    text = (PACKAGE / page).read_text()
    for name, content in re.findall(FENCE.format(mark="(?:file|trainer)", name=r"(\S+)"), text, flags=re.M | re.S):
        (folder / name).write_text(content)


def matches(printed: str, log: str) -> bool:
    """Whether a log is what was printed, but for spaces at the ends of lines, where ``…`` shortens it."""
    lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
    wanted = [line.rstrip() for line in log.splitlines() if line.strip()]
    pieces = "\n".join(wanted).split("\n…\n")
    return (
        re.fullmatch(r"(?:.*\n)*".join(re.escape(piece + "\n") for piece in pieces), "\n".join([*lines, ""]))
        is not None
    )


def read_steps(printed: str) -> list[dict[str, float]]:
    """The steps that TRL printed, a line each."""
    rows = [ast.literal_eval(found) for found in re.findall(r"\{'loss'.*?\}", printed)]
    return [{name: float(value) for name, value in row.items() if value is not None} for row in rows]


def read_shortened(log: str) -> list[dict[str, float]]:
    """The same of a page's log, which leaves keys out."""
    lines = [line for line in log.splitlines() if line.startswith("{")]
    return [{name: float(value) for name, value in re.findall(r"'([^']+)': '([^']+)'", line)} for line in lines]
