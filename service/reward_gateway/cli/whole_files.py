"""Atomic writes: a file appears with all of its content or not at all."""

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a temporary file, then rename it to ``path``."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.replace(path)
