"""Files that are there with all of their content or not at all."""

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, then put it there in one step."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.replace(path)
