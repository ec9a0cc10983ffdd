"""A component before its transforms: scored now, or by an earlier part of the same work."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reward_gateway.sample import BoolArray, FloatArray, Scored

from .column_binder import Value
from .component_plan import ComponentPlan
from .outcome_rows import is_absent
from .rows import Rows


@dataclass(slots=True)
class RawComponent:
    """A component before its transforms."""

    value: Value
    model: str | None = None
    version: str | None = None
    dimension: str | None = None
    cached: BoolArray | None = None
    judge_answers: Sequence[Any] | None = None
    verdicts: dict[str, FloatArray] | None = None
    limits: Sequence[float | None] | None = None
    fallback: str = ""
    """The judge or model that scored in place of one that is away."""
    absent: frozenset[int] = frozenset()
    """Rows without a value of an optional component."""


@dataclass(frozen=True, slots=True)
class ScoredAhead:
    """The components of a recipe that are scored before all state, of a batch whose rest is evaluated later.

    Attributes:
        scored: the components before their transforms, the rows that failed, and what was noticed; no rewards.
        dimensions: of the models that give several numbers, by component, as :class:`.RawComponent` has it.
        fallbacks: what scored in place of a scorer that is away, by component; empty: none did.
    """

    scored: Scored
    dimensions: Mapping[str, str | None]
    fallbacks: Mapping[str, str]

    def restore(self, components: Iterable[ComponentPlan], rows: Rows) -> dict[str, RawComponent]:
        """The components; rows that failed then fail now. One that is missing has a number in no row."""
        rows.fail(self.scored.invalid, None)
        rows.flag(self.scored.flags)
        return {component.name: self._restore(component, rows) for component in components}

    def _restore(self, component: ComponentPlan, rows: Rows) -> RawComponent:
        part = self.scored.components.get(component.name)
        if part is None:
            return RawComponent(np.full(rows.size, np.nan), component.model)
        value: Value = part.raw if part.vectors is None else part.vectors
        dimension = self.dimensions.get(component.name)
        raw = RawComponent(value, part.model, part.model_version, dimension, part.cached, part.judge_answers)
        raw.verdicts, raw.limits = part.verdicts, part.limits
        raw.fallback = self.fallbacks.get(component.name, "")
        if component.optional and component.step is not None:
            raw.absent = frozenset(i for i in rows.valid() if is_absent(value[i]))
        return raw
