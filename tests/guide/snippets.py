"""Fenced blocks of the guide's pages: what is marked beside each says how it is checked."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer
from markdown_it import MarkdownIt
from reward_gateway.cli.main import app
from reward_gateway.guide.contents import GuidePage, read_contents

from tests.conftest import ROOT
from tests.documents import Block, read_blocks

PACKAGE = ROOT / "service" / "reward_gateway"
CONTENTS = read_contents()
READ = {"recipe", "upstreams", "judges", "keys", "aliases"}
"""Marks of files that the service reads."""

PLAIN = {"run", "answer", "elsewhere", "figure"} | READ
NAMED = {"file", "trainer", "log"}
"""Marks that come with a name: ``file=train.py``."""

VERIFIABLE = "recipes/guides/"
"""These pages run with code allowed, in ``tests/recipes/test_guides.py``."""

_MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
_TARGETS = set(re.findall(r"^([a-z-]+):", _MAKEFILE, flags=re.MULTILINE))
_FOLDERS = ("deploy/", "models/", "loadtests/", "service/", "tests/", "requirements/")
_PROGRAM = {"reward-gateway", ".venv/bin/reward-gateway"}
_ENDS = {"&&", "||", "|", ";", "&", ">", "2>", "<", "then", "do"}


@dataclass(frozen=True)
class Snippet:
    """A block and its page."""

    page: GuidePage
    block: Block

    @property
    def place(self) -> str:
        """What a test is called by."""
        return f"{self.page.file}:{self.block.line}"

    @property
    def mark(self) -> str:
        """Its mark without a name."""
        return self.block.mark.partition("=")[0]


def read_snippets() -> list[Snippet]:
    """The blocks of every page that is written by hand, and of the README files of other folders."""
    return [Snippet(page, block) for page in CONTENTS if not page.module for block in read_blocks(page.text)]


def count_fences(text: str) -> int:
    """How many fenced blocks a page has, those within lists included."""
    return sum(token.type == "fence" for token in MarkdownIt("commonmark").parse(text))


def find_faults(script: str) -> Iterator[str]:
    """What is wrong in commands that cannot be run here: unknown commands, options, make targets and files."""
    joined = re.sub(r"\\\n\s*", " ", script)
    made = set(re.findall(r"\bcp \S+ (\S+)", joined))
    for line in joined.splitlines():
        words = shlex.split(re.sub(r"<<-?'?\w+'?.*", "", line), comments=True, posix=True) if _is_plain(line) else []
        for place, word in enumerate(words):
            after = words[place + 1 :]
            ends = next((i for i, each in enumerate(after) if each in _ENDS or each.startswith(">")), len(after))
            if word in _PROGRAM and not (place and words[place - 1] in _NAMES_ITS_NEXT):
                yield from _find_command_faults(after[:ends])
            elif word == "make":
                yield from (f"no target {target!r} in the Makefile" for target in _read_targets(after[:ends]))
            elif (
                word.startswith(_FOLDERS)
                and word not in made
                and not re.search(r"[*${}<>]", word)
                and not (ROOT / word).exists()
            ):
                yield f"there is no {word}"


_NAMES_ITS_NEXT = {
    *(
        "install",
        "upgrade",
        "uninstall",
        "rollback",
        "status",
        "-n",
        "--namespace",
        "cd",
        "-t",
        "--tag",
        "-u",
        "--name",
    ),
    *("deploy", "add-iam-policy-binding"),
}
"""A word after one of these is a name: of a release, a namespace, a folder or an image."""


def _is_plain(line: str) -> bool:
    """Whether a line can be split into words: one within a text of several lines cannot."""
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True


def _read_targets(words: list[str]) -> list[str]:
    return [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word) and word not in _TARGETS]


def _find_command_faults(words: list[str]) -> Iterator[str]:
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while commands := getattr(command, "commands", None):
        if not rest or rest[0].startswith("-"):
            break
        name = rest.pop(0)
        if name not in commands:
            yield f"reward-gateway has no command {name!r}"
            return
        command = commands[name]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    known |= {"--install-completion", "--show-completion"}
    for word in rest:
        option = word.partition("=")[0]
        if re.match(r"--?[a-z]", option) and option not in known:
            yield f"{command.name} has no option {option}"
