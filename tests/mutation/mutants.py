"""Mutants of a source file: mutmut makes them, one change each, and a seeded sample of them is tried."""

import difflib
import random
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import libcst as cst
from mutmut.mutation.file_mutation import Mutation, create_mutations, deep_replace

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "service"


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    ``before`` and ``after`` are the lines that differ, without their indentation: they name the mutant in the list of
    accepted ones, and hold when the file's other lines move.
    """

    path: Path
    code: str
    line: int
    before: str
    after: str

    @property
    def module(self) -> str:
        """Its dotted name."""
        return ".".join(self.path.relative_to(SOURCES).with_suffix("").parts)

    @property
    def is_idle(self) -> bool:
        """It changes what no test should pin."""
        return self.only_strict or self.only_task_name or self.only_type

    @property
    def only_strict(self) -> bool:
        """All that changed is the value of ``strict=`` of a ``zip``."""
        return "strict=True" in self.before and self.before.replace("strict=True", "strict=False") == self.after

    @property
    def only_task_name(self) -> bool:
        """All that changed is the ``name=`` of a task, for people who look at the tasks of a process."""
        before, after = (re.sub(r",\s*(name=[^,)]*)?\)", ")", text) for text in (self.before, self.after))
        return "create_task" in self.before and before == after

    @property
    def only_type(self) -> bool:
        """What changed is an alias that mypy reads and nothing at run time."""
        alias = r"_?[A-Z][a-z]\w* = ((TypeVar|Callable|Literal|tuple|list|dict|Mapping|Sequence)\b|[\w\[\], |]+ \| )"
        return re.match(alias, self.before) is not None

    def __str__(self) -> str:
        change = [
            *(f"    - {line}" for line in self.before.splitlines()),
            *(f"    + {line}" for line in self.after.splitlines()),
        ]
        return "\n".join([f"{self.path.relative_to(ROOT)}:{self.line}", *change])


def sample_mutants(path: Path, size: int, seed: str) -> list[Mutant]:
    """At most ``size`` mutants of a file, the same for the same file and seed.

    Left out are changes of prose, of docstrings, of log lines, of tasks' names, of types' aliases, and of ``zip``'s
    check of itself.
    """
    source = path.read_text()
    module, mutations, *_ = create_mutations(str(path), source)
    mutations = [mutation for mutation in mutations if not _is_prose(mutation)]
    random.Random(seed).shuffle(mutations)
    made = (_applied(path, source, module, mutation) for mutation in mutations)
    return list(islice((mutant for mutant in made if mutant is not None and not mutant.is_idle), size))


def _applied(path: Path, source: str, module: cst.Module, mutation: Mutation) -> Mutant | None:
    changed: Any = deep_replace(module, mutation.original_node, mutation.mutated_node)
    code: str = changed.code
    old, new = source.splitlines(), code.splitlines()
    blocks = [
        block for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if block[0] != "equal"
    ]
    if not blocks or old[blocks[0][1]].lstrip().startswith("log."):
        return None
    start, end = blocks[0][1], blocks[-1][2]
    from_, to = blocks[0][3], blocks[-1][4]
    before, after = ("\n".join(line.strip() for line in lines) for lines in (old[start:end], new[from_:to]))
    return Mutant(path, code, start + 1, before, after)


def _is_prose(mutation: Mutation) -> bool:
    """Words for people, or ``zip``'s check of itself: neither is behaviour that a test should pin."""
    node, mutated = mutation.original_node, mutation.mutated_node
    if isinstance(node, cst.Call) and isinstance(mutated, cst.Call):
        kept = {id(argument.value) for argument in mutated.args}
        gone = [argument for argument in node.args if id(argument.value) not in kept]
        return any(_is_words(argument.value) or _is_strict(argument) for argument in gone)
    return _is_words(node)


def _is_words(node: cst.CSTNode) -> bool:
    """A string with a space in it. One without is a name, a key or a format."""
    if not isinstance(node, cst.SimpleString | cst.FormattedString | cst.ConcatenatedString):
        return False
    return " " in cst.Module([]).code_for_node(node)


def _is_strict(argument: cst.Arg) -> bool:
    return argument.keyword is not None and argument.keyword.value == "strict"
