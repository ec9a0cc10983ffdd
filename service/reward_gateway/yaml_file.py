"""Reads YAML files that hold secrets: a fault is told by its line, and never with what the file holds."""

from pathlib import Path
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"


class YamlFault(ValueError):
    """A file cannot be read; the message says why, and never repeats its content."""


def read_yaml(path: Path) -> Any:
    """The plain values of a YAML file, in which no mapping has a key twice. Raises YamlFault."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "it"
        why = _TWICE if getattr(error, "problem", None) == _TWICE else "is not YAML"
        raise YamlFault(f"{where} {why}") from None
    except RecursionError:
        raise YamlFault("it is nested too deep") from None
    except UnicodeDecodeError:
        raise YamlFault("it is not UTF-8") from None
    except OSError as error:
        raise YamlFault(str(error.strerror)) from None
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError):  # how PyYAML reads `!!int ""`
        raise YamlFault("it holds a number or a date that cannot be read") from None


_TWICE = "holds a key that its mapping has already"


class _StrictLoader(yaml.SafeLoader):
    """Of two equal keys the later one would win, without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if key.tag != _MERGE and isinstance(key, yaml.ScalarNode)]
        for place, key in enumerate(keys):
            if any(earlier.value == key.value for earlier in keys[:place]):
                raise yaml.constructor.ConstructorError(None, None, _TWICE, key.start_mark)
        return super().construct_mapping(node, deep)
