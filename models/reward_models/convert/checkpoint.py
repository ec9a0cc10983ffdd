"""Checkpoints: configuration, weights and tokeniser in a local or downloaded folder; their code is never run."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reward_models.convert.errors import Refused

FILE_PATTERNS = ["*.json", "*.jinja", "*.model", "*.txt", "*.safetensors", "README.md", "LICENSE*"]
"""Files downloaded from a hub: no pickles and no code."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk.

    Attributes:
        folder: its folder.
        source: the folder or hub id that the user gave.
        revision: the commit it was fetched from; empty for a local folder.
        config: its ``config.json``.
    """

    folder: Path
    source: str
    revision: str
    config: dict[str, Any]

    @property
    def called(self) -> str:
        """Its name in a card: the hub id, or the folder's name."""
        return self.source if self.revision else self.folder.resolve().name

    @property
    def architecture(self) -> str:
        return str((self.config.get("architectures") or [""])[0])

    @property
    def licence(self) -> str:
        """The licence from the README's metadata, or a note that there is none."""
        readme = self.folder / "README.md"
        text = readme.read_text("utf-8", "replace") if readme.is_file() else ""
        front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
        try:
            metadata = yaml.safe_load(front[1]) if front else None
        except yaml.YAMLError:
            metadata = None
        if isinstance(metadata, dict) and metadata.get("license"):
            return str(metadata.get("license_name") or metadata["license"])
        return "not stated by the checkpoint"

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON object from a file of the folder; empty if the file does not exist."""
        path = self.folder / name
        found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        return found if isinstance(found, dict) else {}


def fetch_checkpoint(source: str, revision: str = "") -> Checkpoint:
    """A checkpoint by folder or hub id.

    Raises:
        Refused: it is neither, it cannot be downloaded, or the folder has no configuration.
    """
    folder, commit = Path(source).expanduser(), ""
    if not folder.is_dir():
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
            raise Refused(f"{source} is neither a folder nor a hub id (owner/name).")
        folder = _download_snapshot(source, revision)
        commit = folder.name
    if not (folder / "config.json").is_file():
        raise Refused(f"{folder} has no config.json: it is not a checkpoint of transformers.")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return Checkpoint(folder, source, commit, config)


def _download_snapshot(name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=FILE_PATTERNS))
    except Exception as error:  # the hub's client raises errors of many libraries
        raise Refused(
            f"{name} could not be fetched ({type(error).__name__}). Check the name and HF_TOKEN, or give a folder."
        ) from error
