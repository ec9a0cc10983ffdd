"""YAML with locations: the text as plain values, and the place of every key, so that a fault can name its place."""

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


Place = tuple[int, int]
"""Line and column, counted from 1."""


class Locations:
    """Places of a YAML document."""

    def __init__(self, places: dict[Path, Place]) -> None:
        self._places = places

    def find_place(self, path: Path) -> Place:
        """The place of a path, or of its nearest parent that is in the text."""
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path, (1, 1))

    def describe_fault(self, path: Path, message: str) -> dict[str, str]:
        """A fault as ``POST /v1/rewards:validate`` reports it: ``path``, ``place`` and ``message``."""
        return {"path": format_path(path), "place": _format_place(self.find_place(path)), "message": message}


def _format_place(place: Place) -> str:
    return f"line {place[0]}, column {place[1]}"


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
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        places: dict[Path, Place] = {}
        faults: list[dict[str, str]] = []
        if node is not None:
            _collect_places(node, (), places, faults, set())
        if faults:
            first = faults[0]
            raise InvalidRecipe(f"{first['place']}, {first['path']}: {first['message']}", faults=faults)
        return None if node is None else loader.construct_document(node), Locations(places)
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


def _collect_places(
    node: yaml.Node, path: Path, places: dict[Path, Place], faults: list[dict[str, str]], seen: set[int]
) -> None:
    place = _place_of(node)
    places.setdefault(path, place)
    if node.tag not in _TAGS:
        message = "a date has to be in quotes" if node.tag.endswith(":timestamp") else "tags are not supported"
        faults.append({"path": format_path(path), "place": _format_place(place), "message": message})
    if isinstance(node, yaml.ScalarNode):
        return
    if len(path) > MOST_LEVELS:
        raise _make_error(_format_place(place), f"nested deeper than {MOST_LEVELS} levels")
    if id(node) in seen:
        message = "aliases are not supported: write the value out"
        faults.append({"path": format_path(path), "place": _format_place(place), "message": message})
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for i, child in enumerate(node.value):
            _collect_places(child, (*path, i), places, faults, seen)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            child_path = (*path, str(key.value))
            key_place = _format_place(_place_of(key))
            if child_path in places:
                faults.append({"path": format_path(child_path), "place": key_place, "message": "duplicate key"})
            places[child_path] = _place_of(key)
            _collect_places(child, child_path, places, faults, seen)


def _place_of(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1
