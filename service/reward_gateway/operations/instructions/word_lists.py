"""The lists of words in the folder ``lists``."""

from pathlib import Path

_FOLDER = Path(__file__).with_name("lists")


def read_list(name: str) -> tuple[str, ...]:
    """The words of a list, in their order."""
    return tuple((_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split())
