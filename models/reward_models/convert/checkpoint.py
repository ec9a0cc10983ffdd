"""A checkpoint: configuration, weights and tokeniser in a folder, local or fetched; no code of it is run."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reward_models.convert.errors import Refused

WANTED = ["*.json", "*.jinja", "*.model", "*.txt", "*.safetensors", "README.md", "LICENSE*"]
"""What is fetched from a hub: no pickle and no code."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk.

    Attributes:
        folder: where it lies.
        source: what the user named.
        revision: the commit it was fetched from; empty for a local folder.
        config: its ``config.json``.
    """

    folder: Path
    source: str
    revision: str
    config: dict[str, Any]

    @property
    def called(self) -> str:
        """How a card names it: the hub id, or the folder's own name."""
        return self.source if self.revision else self.folder.resolve().name

    @property
    def architecture(self) -> str:
        return str((self.config.get("architectures") or [""])[0])

    @property
    def licence(self) -> str:
        """The licence that the README's metadata names, or that there is none."""
        readme = self.folder / "README.md"
        text = readme.read_text("utf-8", "replace") if readme.is_file() else ""
        front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
        try:
            said = yaml.safe_load(front[1]) if front else None
        except yaml.YAMLError:
            said = None
        if isinstance(said, dict) and said.get("license"):
            return str(said.get("license_name") or said["license"])
        return "not stated by the checkpoint"

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON object of the folder, empty where there is no such file."""
        path = self.folder / name
        found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        return found if isinstance(found, dict) else {}


def fetch_checkpoint(source: str, revision: str = "") -> Checkpoint:
    """A checkpoint by folder or hub id.

    Raises:
        Refused: it is neither, the hub does not give it, or the folder has no configuration.
    """
    folder, commit = Path(source).expanduser(), ""
    if not folder.is_dir():
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
            raise Refused(f"{source} is neither a folder nor a hub id (owner/name).")
        folder = _download_snapshot(source, revision)
        commit = folder.name
    if not (folder / "config.json").is_file():
        raise Refused(f"{folder} has no config.json: it is no checkpoint of transformers.")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return Checkpoint(folder, source, commit, config)


def _download_snapshot(name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=WANTED))
    except Exception as error:  # the hub's client raises errors of many libraries
        raise Refused(
            f"{name} could not be fetched ({type(error).__name__}). Check the name and HF_TOKEN, or give a folder."
        ) from error
