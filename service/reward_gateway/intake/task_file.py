"""Tasks that clients of environments are given: a JSONL file, checked as a whole when the gateway starts.

A line is a sample without a response, and what it is a task of:

    {"prompt": "What is 2 + 2?", "reference": "4", "split": "train", "reward": "math"}

``split`` is ``train`` unless it says otherwise; a line without ``reward`` is a task of every recipe. Tasks are numbered
within the split of their recipe, in the order of the file. The file stays in memory as it is.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import msgspec

from reward_gateway.errors import GatewayError
from reward_gateway.sample.fields import SampleItem

from .decode import decode_as

MOST_BYTES = 1 << 28
"""Largest file: 256 MiB."""

TRAIN = "train"


class TaskFileError(ValueError):
    """The file of tasks cannot be used; the message has file and line."""


class TaskItem(SampleItem, forbid_unknown_fields=True, gc=False):
    """A line of the file."""

    reward: str | None = None
    split: str = TRAIN

    def to_sample(self, response: str | None = None) -> SampleItem:
        """The task with a response to it."""
        fields = {name: getattr(self, name) for name in SampleItem.__struct_fields__}
        return SampleItem(**{**fields, "response": response})


class TaskFile:
    """The tasks by recipe and split; without a file there are none.

    Args:
        lines: the lines that hold a task.
        places: recipe (None: every recipe) and split -> which lines they are.
    """

    def __init__(self, lines: list[bytes], places: dict[tuple[str | None, str], list[int]]) -> None:
        self._lines = lines
        self._places = places
        self._known: dict[tuple[str, str], list[int]] = {}

    @classmethod
    def read(cls, path: Path | None, max_nesting: int, has_reward: Callable[[str], bool] | None = None) -> Self:
        """Read and check a file; None is a file without tasks.

        Args:
            has_reward: whether there is a recipe of a name; None: names are not checked.

        Raises:
            TaskFileError: there is no such file, or a line of it is no task.
        """
        lines: list[bytes] = []
        places: dict[tuple[str | None, str], list[int]] = {}
        for number, line in _read_lines(path) if path is not None else ():
            try:
                task = decode_as(TaskItem, max_nesting, line, check=True)
            except GatewayError as error:
                raise TaskFileError(f"{path}:{number}: {error.message}") from None
            if fault := _find_fault(task, has_reward):
                raise TaskFileError(f"{path}:{number}: {fault}")
            places.setdefault((task.reward, task.split), []).append(len(lines))
            lines.append(line)
        return cls(lines, places)

    def list_splits(self, reward: str) -> list[str]:
        """The splits in which a recipe has tasks, in the order of the file."""
        return list(dict.fromkeys(split for owner, split in self._places if owner in (None, reward)))

    def count(self, reward: str, split: str) -> int:
        """How many tasks a recipe has in a split."""
        return len(self._find(reward, split))

    def get(self, reward: str, split: str, index: int) -> TaskItem:
        """A task by its number. Raises IndexError."""
        return msgspec.json.decode(self._line(reward, split, index), type=TaskItem)

    def digest(self, reward: str, split: str, index: int) -> str:
        """What tells a task from the one that another file has at its place. Raises IndexError."""
        return hashlib.blake2b(self._line(reward, split, index), digest_size=16).hexdigest()

    def _line(self, reward: str, split: str, index: int) -> bytes:
        places = self._find(reward, split)
        if not 0 <= index < len(places):
            raise IndexError(index)
        return self._lines[places[index]]

    def _find(self, reward: str, split: str) -> list[int]:
        key = reward, split
        if (reward, split) not in self._places:
            return self._places.get((None, split), [])
        if key not in self._known:
            self._known[key] = sorted([*self._places[key], *self._places.get((None, split), [])])
        return self._known[key]


def _read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and content of the lines that are not empty."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TaskFileError(f"{path}: over the limit of {MOST_BYTES >> 20} MiB")
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.strip()
    except OSError as error:
        raise TaskFileError(f"{path}: cannot be read ({error.strerror})") from None


def _find_fault(task: TaskItem, has_reward: Callable[[str], bool] | None) -> str:
    """What is wrong with a task; empty if nothing is."""
    if task.prompt is None:
        return "prompt: missing field"
    if task.response is not None:
        return "response: a task has none; it is what the client answers"
    if not task.split:
        return "split: expected a name"
    if task.reward is not None and has_reward is not None and not has_reward(task.reward):
        return "reward: there is no recipe of this name"
    return ""
