"""Files of a model: safe paths, the choice of files, and the limits on them."""

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from reward_gateway.model_sources.failures import ContentRefused

MAX_FILES = 100_000
"""Files of one model at most: more are a mistake, or an archive made to fill a disk."""

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.joblib")
"""Files that are pickles as a rule: reading one runs code that it brings."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at the source.

    Attributes:
        path: relative to the model's folder, with ``/``.
        size: in bytes; None: not known before it is read.
        sha256: in hex, as the source says it.
        git_sha1: of git's blob, in hex, as the hub says it for small files.
        etag: changes when the content does.
        folder: an empty folder, not a file.
    """

    path: str
    size: int | None = None
    sha256: str = ""
    git_sha1: str = ""
    etag: str = ""
    folder: bool = False


def check_path(path: str, where: str) -> str:
    """A relative path that stays inside the model's folder, in its plain form.

    Raises:
        ContentRefused: it is absolute, leaves the folder, or has characters that no model needs.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or not path.isprintable():
        raise ContentRefused(
            f"{where} names the file {path!r}, which would lie outside the model's folder: nothing was installed"
        )
    return "/".join(parts)


def choose_files(files: Iterable[RemoteFile], include: Sequence[str], exclude: Sequence[str]) -> list[RemoteFile]:
    """The files that one of ``include`` matches (all, if there is none) and none of ``exclude``.

    A pattern without ``/`` is compared with the name of the file, one with ``/`` with its path.
    """
    return [
        file
        for file in files
        if (not include or any(_matches(file.path, pattern) for pattern in include))
        and not any(_matches(file.path, pattern) for pattern in exclude)
    ]


def refuse_pickles(files: Iterable[RemoteFile]) -> None:
    """Raise ContentRefused if a file is a pickle by its name."""
    for file in files:
        if any(_matches(file.path.lower(), pattern) for pattern in PICKLES):
            suffix = PurePosixPath(file.path).suffix
            raise ContentRefused(
                f"{file.path} may be a pickle, and reading a pickle runs code that it brings: leave it out with "
                f"--exclude '*{suffix}' (weights in safetensors or ONNX are safe), or trust its author and say "
                "--allow-pickle"
            )


def _matches(path: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path if "/" in pattern else path.rpartition("/")[2], pattern)
