"""The text of single recipes in a recipe file: cut out and put in by lines, so that comments and layout stay."""

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from reward_gateway.errors import InvalidRecipe

from .locations import parse_yaml

_NONE = "there are no recipes: write them under `rewards:`"


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one recipe, with the comment directly above it.

    Attributes:
        start: its first line, counted from 0.
        column: where its name begins.
    """

    name: str
    lines: tuple[str, ...]
    start: int
    column: int

    @property
    def end(self) -> int:
        """The line after its last."""
        return self.start + len(self.lines)

    @property
    def text(self) -> str:
        """A recipe file with this recipe alone."""
        return "\n".join(("rewards:", *self.lines, ""))


def find_blocks(text: str) -> dict[str, Block]:
    """The recipes of a file, by name.

    Raises:
        InvalidRecipe: the text is not YAML, or does not write each recipe in lines of its own.
    """
    _, rewards, after = _find_rewards(text)
    lines = text.split("\n")
    keys = [key for key, _ in rewards.value]
    starts = [_start_with_comment(lines, key.start_mark.line) for key in keys]
    ends = [*starts[1:], _start_with_comment(lines, after)]
    return {
        str(key.value): Block(
            str(key.value),
            tuple(lines[start : _trim_end(lines, key.start_mark.line, end, key.start_mark.column)]),
            start,
            key.start_mark.column,
        )
        for key, start, end in zip(keys, starts, ends, strict=True)
    }


def read_one(text: str) -> Block:
    """The recipe of a text that holds one and nothing else. Raises InvalidRecipe."""
    top, rewards, _ = _find_rewards(text)
    if others := [str(key.value) for key, _ in top.value if key.value != "rewards"]:
        raise InvalidRecipe(f"only recipes are saved here: write {', '.join(others)} in the file itself")
    if len(rewards.value) != 1:
        raise InvalidRecipe(f"keep one recipe here: there are {len(rewards.value)}")
    return next(iter(find_blocks(text).values()))


def put_block(text: str, block: Block) -> str:
    """The file with a recipe in the place of the one of its name, or behind the last one. Raises InvalidRecipe."""
    blocks = find_blocks(text)
    lines = text.split("\n")
    old = blocks.get(block.name)
    last = old or list(blocks.values())[-1]
    written = _indent(block, last.column)
    if old is not None:
        lines[old.start : old.end] = written
    else:
        lines[last.end : last.end] = ["", *written]
    return "\n".join(lines)


def rename_block(block: Block, name: str) -> Block:
    """The recipe under another name."""
    lines = list(block.lines)
    at = next(i for i, line in enumerate(lines) if not line.lstrip().startswith("#"))
    rest = lines[at][block.column :]
    for quoted in (f'"{block.name}"', f"'{block.name}'", block.name):
        if rest.startswith(quoted):
            lines[at] = " " * block.column + name + rest[len(quoted) :]
    return Block(name, tuple(lines[at:]), block.start + at, block.column)


def _find_rewards(text: str) -> tuple[yaml.MappingNode, yaml.MappingNode, int]:
    """The file, its ``rewards``, and the line where what follows them begins."""
    parse_yaml(text)  # its errors say where
    top = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(top, yaml.MappingNode):
        raise InvalidRecipe(_NONE)
    for i, (key, value) in enumerate(top.value):
        if key.value != "rewards":
            continue
        if not isinstance(value, yaml.MappingNode) or not value.value:
            break
        keys = {each.start_mark.line for each, _ in value.value}
        if top.flow_style or value.flow_style or len(keys) < len(value.value):
            raise InvalidRecipe("the recipes are not written in lines of their own, so that none can be cut out")
        after = top.value[i + 1][0].start_mark.line if i + 1 < len(top.value) else text.count("\n") + 1
        return top, value, after
    raise InvalidRecipe(_NONE)


def _start_with_comment(lines: Sequence[str], line: int) -> int:
    """The first line of the comment that stands directly above a line, or the line itself."""
    while line and line <= len(lines) and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line


def _trim_end(lines: Sequence[str], start: int, end: int, column: int) -> int:
    """The line behind a recipe, without what stands between it and the next one."""
    while end > start + 1:
        line = lines[end - 1]
        written = line.lstrip()
        if written and not (written.startswith("#") and len(line) - len(written) <= column):
            break
        end -= 1
    return end


def _indent(block: Block, column: int) -> list[str]:
    more = column - block.column
    if more >= 0:
        return [" " * more + line if line.strip() else line for line in block.lines]
    return [line[min(-more, len(line) - len(line.lstrip())) :] for line in block.lines]
