"""A model's card: what it is made of, how it reads a row, and the version that follows from both.

``card.yaml`` is written by hand; everything the builder does follows from its ``files`` and everything the scorer
does from its ``settings``, so that the version of a model is a hash over these two.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

CARD, CONFIG, VERSION_FOLDER = "card.yaml", "config.pbtxt", "1"

REPOSITORY = Path(__file__).resolve().parents[2] / "repository"
"""The repository of a checkout, beside this package."""


class RepositoryError(RuntimeError):
    """A model is not there, is not in order or cannot be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the version folder: where its content comes from and its SHA-256.

    ``wheel``: a file inside a pinned wheel, or what ``convert`` (a name in :mod:`reward_models.build.conversions`)
    makes of it; ``graph``: a graph of this package; ``head``: committed in place.
    """

    name: str
    sha256: str
    kind: Literal["wheel", "graph", "head"]
    source: str = ""
    wheel: str = ""
    wheel_sha256: str = ""
    convert: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A card as read, with the files that it names."""

    name: str
    content: dict[str, Any]
    files: tuple[File, ...]

    @property
    def version(self) -> str:
        """16 hex digits over the files' hashes and the settings: what a score depends on, and nothing else."""
        depends = [{file.name: file.sha256 for file in self.files}, self.content["settings"]]
        canonical = json.dumps(depends, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()

    @property
    def dimensions(self) -> list[str]:
        return list(self.content["dimensions"])


def list_models(repository: Path = REPOSITORY) -> list[str]:
    """Names of the models that a repository holds a card of, built or not."""
    return sorted(path.parent.name for path in repository.glob(f"*/{CARD}"))


def read_card(folder: Path) -> Card:
    """The card of a model's folder. Raises RepositoryError if it is not there or says too little."""
    path = folder / CARD
    if not path.is_file():
        raise RepositoryError(f"{folder.name} has no {CARD}: {folder} is no model of this repository.")
    content = yaml.safe_load(path.read_text("utf-8"))
    try:
        files = tuple(parse_file(name, entry) for name, entry in content["files"].items())
        return Card(content["name"], content, files)
    except (KeyError, TypeError, AttributeError) as error:
        raise RepositoryError(f"{path} lacks {error}.") from error


def parse_file(name: str, entry: dict[str, str]) -> File:
    """A file from its entry in a card."""
    if "wheel" in entry:
        pinned = entry["member"], entry["wheel"], entry["wheel_sha256"]
        return File(name, entry["sha256"], "wheel", *pinned, convert=entry.get("convert", ""))
    if "graph" in entry:
        return File(name, entry["sha256"], "graph", entry["graph"])
    return File(name, entry["sha256"], "head")
