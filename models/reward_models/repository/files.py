"""Hashing, checking and copying files; a file appears in place complete or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from reward_models.repository.card import RepositoryError


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def check_hash(path: Path, expected: str, what: str) -> None:
    """Raise RepositoryError if a file's SHA-256 is not ``expected``; ``what`` names the file in the message."""
    found = hash_file(path)
    if found != expected:
        raise RepositoryError(
            f"{what} is not the pinned file: its SHA-256 is {found}, expected {expected}. Nothing was installed. "
            "Remove the copy it came from and build again; if the hash is still wrong, do not use the file."
        )


@contextmanager
def replace_file(target: Path, expected: str, what: str) -> Iterator[IO[bytes]]:
    """Write to a temporary file; on exit check its hash and rename it to ``target``, so no partial file is seen."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as opened:
            yield opened
        check_hash(Path(name), expected, what)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def link_file(source: Path, target: Path, expected: str, what: str) -> None:
    """Put a checked file in place: as a hard link if both paths are on one file system, otherwise as a copy."""
    check_hash(source, expected, what)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(source)
    except OSError:
        with source.open("rb") as opened, replace_file(target, expected, what) as copy:
            shutil.copyfileobj(opened, copy, 1 << 20)
        return
    temporary.replace(target)
    temporary.unlink(missing_ok=True)  # renaming a link onto the same file leaves both names
