"""A model instance: its folder, names, card and device, from Triton's arguments."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reward_models.runtime.session import Device


@dataclass(frozen=True, slots=True)
class Instance:
    """The arguments of a scorer.

    Attributes:
        folder: the version folder, which holds the graph, the tokeniser and the head.
        dimensions: names of the K scores.
        flags: names of the flag bits, lowest first.
        card: the model's card; its ``settings`` define how a row is read.
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
        parameters = json.loads(args["model_config"])["parameters"]
        version = args["model_version"]  # all versions share one configuration; later ones have their own keys
        return cls(
            folder=Path(args["model_repository"]) / version,
            dimensions=split_names(parameters["dimensions"]["string_value"]),
            flags=split_names(parameters["flags"]["string_value"]),
            card=json.loads(parameters.get(f"card.{version}", parameters["card"])["string_value"]),
            device=Device(args["model_instance_kind"], int(args["model_instance_device_id"])),
        )

    def flag_mask(self, flag: str) -> int:
        """The bit mask of a flag. Raises ValueError for a flag that the configuration does not declare."""
        return 1 << self.flags.index(flag)


def split_names(names: str) -> tuple[str, ...]:
    """Names from a comma-separated list."""
    return tuple(name.strip() for name in names.split(",") if name.strip())
