"""Model cards: a model's files, its settings, and the content version computed from both.

``card.yaml`` is written by hand. ``files`` determines what the builder does and ``settings`` what the scorer does, so
a model's content version is a hash over these two.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

CARD, CONFIG, VERSION_FOLDER = "card.yaml", "config.pbtxt", "1"

REPOSITORY = Path(__file__).resolve().parents[2] / "repository"
"""The model repository of a checkout, next to this package."""


class RepositoryError(RuntimeError):
    """A model does not exist, is broken or cannot be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the version folder: its source and its SHA-256.

    ``kind`` is ``wheel`` for a file of a pinned wheel, converted by ``convert`` (a name in
    :mod:`reward_models.build.conversions`) if given; ``graph`` for a graph of this package; ``head`` for a file
    committed in the version folder.
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
    """A parsed card."""

    name: str
    content: dict[str, Any]
    files: tuple[File, ...]

    @property
    def version(self) -> str:
        """Content version: a hash, 16 hex digits, of the files' hashes and the settings, on which scores depend."""
        depends = [{file.name: file.sha256 for file in self.files}, self.content["settings"]]
        canonical = json.dumps(depends, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()

    @property
    def dimensions(self) -> list[str]:
        return list(self.content["dimensions"])


def list_models(repository: Path = REPOSITORY) -> list[str]:
    """Names of the models that have a card in the repository, built or not."""
    return sorted(path.parent.name for path in repository.glob(f"*/{CARD}"))


def read_card(folder: Path) -> Card:
    """The card in a model's folder. Raises RepositoryError if it is missing or incomplete."""
    path = folder / CARD
    if not path.is_file():
        raise RepositoryError(f"{folder.name} has no {CARD}: {folder} is not a model of this repository.")
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
