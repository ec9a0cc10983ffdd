"""Checksums: ``SHA256SUMS`` files, and one digest for a whole folder."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from reward_gateway.model_sources.failures import ContentRefused, SourceUnusable
from reward_gateway.model_sources.files import check_path

MANIFEST = "SHA256SUMS"
"""Name of the file beside a model that lists its files with their SHA-256, as ``sha256sum`` writes it."""

_LINE = re.compile(r"([0-9A-Fa-f]{64}) [ *](.+)")
_HEX = re.compile(r"[0-9a-f]{64}")


def check_sha256(value: str) -> str:
    """A SHA-256 in lower-case hex. Raises SourceUnusable if it is none."""
    plain = value.strip().lower().removeprefix("sha256:")
    if not _HEX.fullmatch(plain):
        raise SourceUnusable(f"--sha256 must be 64 hex digits, not {value!r}")
    return plain


def read_manifest(text: str, where: str) -> dict[str, str]:
    """Path -> SHA-256 of the lines of a ``SHA256SUMS`` file.

    Raises:
        SourceUnusable: a line is not ``HEX  PATH``, or there is none.
        ContentRefused: a path leaves the folder.
    """
    listed: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise SourceUnusable(f"{where}, line {number}: must be a SHA-256 and a path, as `sha256sum` writes them")
        listed[check_path(match[2].removeprefix("./"), f"{where}, line {number}")] = match[1].lower()
    if not listed:
        raise SourceUnusable(f"{where} lists no file: write it with `sha256sum` in the model's folder")
    return listed


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def hash_blob(path: Path) -> str:
    """The SHA-1 by which git names a file's content, in hex."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def hash_folder(sha256: Mapping[str, str]) -> str:
    """One SHA-256 for a folder: of its ``SHA256SUMS`` with the paths in the order of their bytes.

    Args:
        sha256: path -> SHA-256 of each file.
    """
    lines = (f"{sha256[path]}  {path}\n" for path in sorted(sha256, key=str.encode))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def compare_with_manifest(sha256: Mapping[str, str], listed: Mapping[str, str], where: str) -> None:
    """Raise ContentRefused if a listed file is missing or differs."""
    for path, expected in listed.items():
        if path not in sha256:
            raise ContentRefused(f"{where} lists {path}, which the source does not have: nothing was installed")
        if sha256[path] != expected:
            raise ContentRefused(
                f"{path} has the SHA-256 {sha256[path]}, but {where} says {expected}: nothing was installed. Fetch "
                "again; if it stays so, the file was changed or damaged at the source"
            )


def compare_with_pin(found: str, expected: str, what: str) -> None:
    """Raise ContentRefused if a digest is not the one that was asked for."""
    if found != expected:
        raise ContentRefused(
            f"{what} has the SHA-256 {found}, but --sha256 says {expected}: nothing was installed. If the new content "
            "is meant, pin the new value"
        )
