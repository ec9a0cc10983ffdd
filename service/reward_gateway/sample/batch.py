"""The samples of one request, as columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .invalid import Invalid
from .media import Media
from .scores import FloatArray
from .texts import Text, plain_text, prompt_group


@dataclass(slots=True)
class Batch:
    """The samples of one request, a list per field, all of length ``size``."""

    ids: list[str]
    prompts: list[Text]
    responses: list[Text | None]
    references: list[str | None] | None = None
    images: list[list[Media]] | None = None
    frames: list[list[Media]] | None = None
    steps: list[list[str] | None] | None = None
    group_names: list[str | None] | None = None
    features: list[Mapping[str, Any]] | None = None
    invalid: dict[int, Invalid] = field(default_factory=dict)
    """Samples that are known to be unscorable before any model was asked."""

    @property
    def size(self) -> int:
        return len(self.ids)

    def groups(self) -> list[str]:
        """The group of every sample: the one given, else a hash of its prompt."""
        names = self.group_names or [None] * self.size
        return [name if name is not None else prompt_group(self.prompts[i]) for i, name in enumerate(names)]


def response_lengths(batch: Batch) -> FloatArray:
    """Characters of every response [n], as rules read it; NaN where there is none."""
    lengths = (len(r) if type(r) is str else float("nan") if r is None else len(plain_text(r)) for r in batch.responses)
    return np.fromiter(lengths, dtype=np.float64, count=batch.size)
