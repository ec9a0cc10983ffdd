"""Mean and deviation that reward models subtract and divide by, as OpenRLHF and Beaver (safe-rlhf) keep them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.options import Options

EPSILON = 1e-8
"""What safe-rlhf adds to a deviation."""


@dataclass(frozen=True, slots=True)
class Normalizer:
    """Scores become (score - mean) / deviation, number by number."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def describe(self) -> str:
        """For a card."""
        mean, deviation = (", ".join(f"{value:.6g}" for value in values) for values in (self.mean, self.deviation))
        return f"Scores are normalised: less {mean}, over {deviation}."


def find_normalizer(checkpoint: Checkpoint, options: Options) -> tuple[Normalizer | None, str]:
    """The normaliser that applies, and what the card says of one; None and an empty text where there is none.

    Beaver's configuration says whether its own applies (``do_normalize``); OpenRLHF's has mean and deviation, and its
    server applies them if asked to, as the option ``normalize`` does.

    Raises:
        Refused: it applies, or is to, and the checkpoint has no usable mean and deviation.
    """
    config = checkpoint.config
    means = _read_numbers(config, "mean")
    if "do_normalize" in config or "score_type" in config:
        deviations = [value**0.5 + EPSILON for value in _read_numbers(config, "var")]
        if config.get("score_type") == "cost":
            means = [0.0] * len(deviations)
        said = bool(config.get("do_normalize")) and config.get("score_type") != "critic"
    else:
        deviations, said = _read_numbers(config, "std"), False
    usable = 0 < len(means) == len(deviations) and min(deviations) > 0
    if said or options.normalize:
        if not usable:
            raise Refused("Its scores are to be normalised, and config.json has no mean and deviation to do it with.")
        found = Normalizer(tuple(means), tuple(deviations))
        return found, found.describe()
    if usable and (any(means) or any(value != 1 for value in deviations)):
        return None, "Scores are not normalised, though config.json has a mean and deviation: --normalize applies them."
    return None, ""


def _read_numbers(config: Mapping[str, Any], name: str) -> list[float]:
    """A number or a list of them, as floats; empty for anything else."""
    value: Any = config.get(name)
    values: list[Any] = value if isinstance(value, list) else [value]
    return [float(number) for number in values] if all(isinstance(number, int | float) for number in values) else []
