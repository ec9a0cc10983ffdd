"""Checkpoints: configuration, weights and tokeniser in a local or downloaded folder; their code is never run."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from reward_models.convert import hub
from reward_models.convert.errors import Refused
from reward_models.convert.weight_loading import FOR_EXPORT, WeightLoading

ADAPTER = "adapter_config.json"
"""PEFT's configuration of an adapter."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk.

    Attributes:
        folder: its folder.
        source: the folder or hub id that the user gave.
        revision: the commit it was fetched from; empty for a local folder.
        config: its ``config.json``.
        loading: how its weights are loaded.
    """

    folder: Path
    source: str
    revision: str
    config: dict[str, Any]
    loading: WeightLoading = FOR_EXPORT

    @property
    def called(self) -> str:
        """Its name in a card: the hub id, or the folder's name."""
        return self.source if self.revision else self.folder.resolve().name

    @property
    def architecture(self) -> str:
        return str((self.config.get("architectures") or [""])[0])

    @property
    def network(self) -> str:
        """What its configuration calls the network: the class, else the type."""
        return self.architecture or str(self.config.get("model_type") or "The checkpoint")

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

    def loaded_by(self, loading: WeightLoading) -> "Checkpoint":
        """The same checkpoint, its weights loaded in another way."""
        return replace(self, loading=loading)

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON object from a file of the folder; empty if the file does not exist."""
        path = self.folder / name
        found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        return found if isinstance(found, dict) else {}


def fetch_checkpoint(source: str, revision: str = "") -> Checkpoint:
    """A checkpoint by folder or hub id; that of an adapter has no configuration.

    Raises:
        Refused: it is neither, it cannot be downloaded, or the folder has no configuration.
    """
    folder, commit = Path(source).expanduser(), ""
    if not folder.is_dir():
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
            raise Refused(f"{source} is neither a folder nor a hub id (owner/name).")
        folder = hub.download_snapshot(source, revision)
        commit = folder.name
    if not (folder / "config.json").is_file() and not (folder / ADAPTER).is_file():
        raise Refused(
            f"{folder} has no config.json: it is not a checkpoint of transformers. If its weights are one file in the "
            f"layout of open_clip or ImageReward, name that file ({source.rstrip('/')}/FILE), and its base with --base."
        )
    return open_checkpoint(folder, source, commit)


def open_checkpoint(folder: Path, source: str, commit: str = "") -> Checkpoint:
    """The checkpoint of a folder. Raises Refused if its configuration is no JSON object."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise Refused(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise Refused(f"{path} holds no JSON object.")
    return Checkpoint(folder, source, commit, config)
