"""YAML with locations: the text as plain values, and the line of every key, so that a fault can be pointed at."""

from typing import Any

import yaml

from reward_gateway.errors import InvalidRecipe

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """``("rewards", "x", "transforms", 0)`` as ``rewards.x.transforms[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


class Locations:
    """Lines of a YAML document, counted from 1."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self._lines = lines

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest part of it that stands in the text."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def fault(self, path: Path, message: str) -> dict[str, str]:
        """One fault as the validation call reports it."""
        return {"path": dotted(path), "place": f"line {self.line(path)}", "message": message}


def parse(text: str) -> tuple[Any, Locations]:
    """Plain values and locations of a YAML (or JSON) text.

    Raises:
        InvalidRecipe: it is no YAML, a key stands twice, or it uses aliases or tags (which could make it huge).
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Path, int] = {}
        faults: list[dict[str, str]] = []
        if node is not None:
            _walk(node, (), lines, faults, set())
        if faults:
            raise InvalidRecipe(f"{faults[0]['path']}: {faults[0]['message']}", faults=faults)
        return yaml.safe_load(text), Locations(lines)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "line 1"
        problem = str(getattr(error, "problem", None) or "not readable as YAML")
        fault = {"path": "", "place": place, "message": problem}
        raise InvalidRecipe(f"{place}: {problem}", faults=[fault]) from None


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], faults: list[dict[str, str]], seen: set[int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return
    if id(node) in seen:
        place = f"line {node.start_mark.line + 1}"
        faults.append({"path": dotted(path), "place": place, "message": "aliases are not taken here: write it out"})
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for i, child in enumerate(node.value):
            _walk(child, (*path, i), lines, faults, seen)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            below = (*path, str(key.value))
            line = key.start_mark.line + 1
            if below in lines:
                faults.append({"path": dotted(below), "place": f"line {line}", "message": "this key stands twice"})
            lines[below] = line
            _walk(child, below, lines, faults, seen)
