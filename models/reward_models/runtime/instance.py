"""Where and as what a model runs: Triton's arguments, read once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reward_models.runtime.session import Device


@dataclass(frozen=True, slots=True)
class Instance:
    """A model instance as a scorer sees it.

    Attributes:
        folder: the version folder, which holds the graph, the tokeniser and the head.
        dimensions: names of the K scores.
        flags: names of the flag bits, lowest first.
        card: the model's card; its ``settings`` say how a row is read.
        device: where the graph runs.
    """

    folder: Path
    dimensions: tuple[str, ...]
    flags: tuple[str, ...]
    card: Mapping[str, Any]
    device: Device

    @classmethod
    def from_triton(cls, args: Mapping[str, str]) -> "Instance":
        """An instance from what Triton hands to ``initialize``. Raises KeyError if a parameter is missing."""
        given = json.loads(args["model_config"])["parameters"]
        version = args["model_version"]  # one configuration for all versions; later ones have keys of their own
        return cls(
            folder=Path(args["model_repository"]) / version,
            dimensions=split_names(given["dimensions"]["string_value"]),
            flags=split_names(given["flags"]["string_value"]),
            card=json.loads(given.get(f"card.{version}", given["card"])["string_value"]),
            device=Device(args["model_instance_kind"], int(args["model_instance_device_id"])),
        )

    def flag_mask(self, flag: str) -> int:
        """The mask of a named flag. Raises ValueError for a name that the configuration does not declare."""
        return 1 << self.flags.index(flag)


def split_names(names: str) -> tuple[str, ...]:
    """A comma list as names."""
    return tuple(name.strip() for name in names.split(",") if name.strip())
