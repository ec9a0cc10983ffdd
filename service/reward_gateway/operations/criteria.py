"""Criteria of one sample, and the share of their weight that a response has."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from .members import entry
from .outcome import ItemError
from .registry import OperationItem


class Criterion(OperationItem):
    """A criterion as an item holds it."""

    text: str = Field(min_length=1, description="What the response should be, have or do; or a fault.")
    weight: float = Field(1.0, description="What it counts for; negative where it names a fault.")
    tags: list[str] = Field([], description="Names of what it is about; each has a share of its own.")
    veto: bool = Field(False, description="A response that does not meet it has reward 0.")


@dataclass(frozen=True, slots=True)
class Criteria:
    """The criteria of one sample, [k] each.

    Attributes:
        tags: of each criterion; one that stands twice counts once.
        vetoes: whether a response that does not meet it has reward 0.
    """

    texts: Sequence[str]
    weights: Sequence[float]
    tags: Sequence[frozenset[str]]
    vetoes: Sequence[bool]

    @classmethod
    def read(cls, members: Sequence[Any]) -> "Criteria":
        """Of an item's criteria, models or plain mappings. Raises ItemError where there are none."""
        if not members:
            raise ItemError("give at least one criterion", param="criteria")
        return cls(
            [entry(member, "text") for member in members],
            [float(entry(member, "weight", 1.0)) for member in members],
            [frozenset(entry(member, "tags", ())) for member in members],
            [entry(member, "veto", default=False) for member in members],
        )

    def __len__(self) -> int:
        return len(self.texts)

    def weigh(self, met: Sequence[float]) -> float:
        """S = Σ_met w / Σ_{w>0} w, at most 1, below 0 where faults outweigh.

        Args:
            met: [k] 1 for a criterion that is met, 0 for one that is not; between them the share of the votes.

        Raises:
            ItemError: no weight is positive, or the weights are so far apart that the sum runs over.
        """
        share = _weigh(self.weights, met)
        if share is None:
            raise ItemError("give at least one criterion with a positive weight", param="criteria")
        return share

    def weigh_tags(self, met: Sequence[float]) -> dict[str, float | None]:
        """Tag -> S over its criteria, None where none of them has a positive weight. Raises as :meth:`weigh`."""
        owned: dict[str, list[int]] = {}
        for place, tags in enumerate(self.tags):
            for tag in sorted(tags):
                owned.setdefault(tag, []).append(place)
        return {
            tag: _weigh([self.weights[place] for place in places], [met[place] for place in places])
            for tag, places in owned.items()
        }

    def vetoed(self, met: Sequence[float]) -> bool:
        """Whether one with a veto is not met, as more than half of the votes would have to say."""
        return any(veto and share <= 0.5 for veto, share in zip(self.vetoes, met, strict=True))

    def shuffle(self, seed: int | None) -> list[int]:
        """[k] the places of the criteria in the order in which a judge is shown them; no seed: as they came."""
        places = list(range(len(self)))
        if seed is not None:
            random.Random(seed).shuffle(places)
        return places


def _weigh(weights: Sequence[float], met: Sequence[float]) -> float | None:
    """S; None without a positive weight. The order of the criteria changes nothing, not even the last digit."""
    if max(weights) <= 0:
        return None
    _, exponent = math.frexp(max(map(abs, weights)))
    scaled = [math.ldexp(weight, -exponent) for weight in weights]  # so that no sum runs over
    positive = math.fsum(weight for weight in scaled if weight > 0)
    gained = math.fsum(weight * share for weight, share in zip(scaled, met, strict=True))
    share = gained / positive if positive else math.inf
    if not math.isfinite(share):
        raise ItemError("the weights are too far apart", param="criteria")
    return share


def name_keys(count: int) -> list[str]:
    """Keys under which a judge answers about so many criteria, in the order in which they are shown: C1, C2 …"""
    return [f"C{number}" for number in range(1, count + 1)]
