"""YAML with locations: the text as plain values, and the line of every key, so that a fault can name its line."""

from typing import Any

import yaml

from reward_gateway.errors import InvalidRecipe

Path = tuple[str | int, ...]


def format_path(path: Path) -> str:
    """``("rewards", "x", "transforms", 0)`` as ``rewards.x.transforms[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


class Locations:
    """Lines of a YAML document, counted from 1."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self._lines = lines

    def find_line(self, path: Path) -> int:
        """The line of a path, or of its nearest parent that is in the text."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def describe_fault(self, path: Path, message: str) -> dict[str, str]:
        """A fault as ``POST /v1/rewards:validate`` reports it: ``path``, ``place`` and ``message``."""
        return {"path": format_path(path), "place": f"line {self.find_line(path)}", "message": message}


MOST_LEVELS = 64
"""Deepest nesting of a recipe file, as of a request's body."""


_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map", "value")}


def decode_text(content: bytes) -> str:
    """The text of a recipe file. Raises InvalidRecipe if it is not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _make_error(f"line {line}", "the file is not valid UTF-8") from None


def parse_yaml(text: str) -> tuple[Any, Locations]:
    """Plain values and locations of a YAML (or JSON) text.

    Raises:
        InvalidRecipe: the text is not YAML, is nested too deep, holds a value that cannot be read (a number of
            thousands of digits, a date that does not exist), has a duplicate key, or uses aliases or tags (which could
            make it huge).
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Path, int] = {}
        faults: list[dict[str, str]] = []
        if node is not None:
            _collect_lines(node, (), lines, faults, set())
        if faults:
            first = faults[0]
            raise InvalidRecipe(f"{first['place']}, {first['path']}: {first['message']}", faults=faults)
        return yaml.safe_load(text), Locations(lines)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        position = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "line 1"
        raise _make_error(position, str(getattr(error, "problem", None) or "not readable as YAML")) from None
    except RecursionError:
        raise _make_error("line 1", f"nested deeper than {MOST_LEVELS} levels") from None
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError):  # how PyYAML reads `!!int ""`
        raise _make_error("line 1", "a number or a date of the file cannot be read") from None


def _make_error(place: str, message: str) -> InvalidRecipe:
    return InvalidRecipe(f"{place}: {message}", faults=[{"path": "", "place": place, "message": message}])


def _collect_lines(
    node: yaml.Node, path: Path, lines: dict[Path, int], faults: list[dict[str, str]], seen: set[int]
) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if node.tag not in _TAGS:
        place = f"line {node.start_mark.line + 1}"
        message = "a date has to be in quotes" if node.tag.endswith(":timestamp") else "tags are not supported"
        faults.append({"path": format_path(path), "place": place, "message": message})
    if isinstance(node, yaml.ScalarNode):
        return
    if len(path) > MOST_LEVELS:
        place = f"line {node.start_mark.line + 1}"
        raise _make_error(place, f"nested deeper than {MOST_LEVELS} levels")
    if id(node) in seen:
        position = f"line {node.start_mark.line + 1}"
        faults.append(
            {"path": format_path(path), "place": position, "message": "aliases are not supported: write the value out"}
        )
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for i, child in enumerate(node.value):
            _collect_lines(child, (*path, i), lines, faults, seen)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            child_path = (*path, str(key.value))
            line = key.start_mark.line + 1
            if child_path in lines:
                faults.append({"path": format_path(child_path), "place": f"line {line}", "message": "duplicate key"})
            lines[child_path] = line
            _collect_lines(child, child_path, lines, faults, seen)
