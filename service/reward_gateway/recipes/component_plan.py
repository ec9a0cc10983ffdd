"""One component of a compiled recipe: what scores it, its transforms, and where it is computed."""

from dataclasses import dataclass
from functools import cached_property

from reward_gateway.operations.reading.response import Part

from .conditions import Condition
from .step import Step


@dataclass(frozen=True)
class ComponentPlan:
    """One component: a model's number or a scoring operation, then transforms.

    ``vector``: its value after the transforms is a vector per sample.
    """

    name: str
    model: str | None
    dimension: str | None
    step: Step | None
    transforms: tuple[Step, ...]
    refuse_truncated: bool
    vector: bool
    optional: bool = False
    """A sample that lacks what the operation reads is scored without this component."""
    reads: frozenset[str] = frozenset()
    """The sample's fields that the model or the steps read, required or not."""
    text: Part = "whole"
    """What a model or a judge reads of the response; a rule has it among its parameters."""
    when: tuple[Condition, ...] = ()
    """It is computed only in the rows that pass all of these."""
    otherwise: float | None = None
    """Its value after the transforms in the other rows."""
    timeout_s: float | None = None
    """Seconds that scoring it may take; None: as long as the request."""
    late_otherwise: bool = False
    """Rows for which that was too short have the value ``otherwise``; else they are invalid."""
    audit: bool = False
    """It is outside the reward, and what fails in it fails no sample."""
    by: str = ""
    """The key of the sample that chooses among the cases."""
    cases: tuple["ComponentPlan", ...] = ()
    """What it is for some of the samples: each has this component's name, and its case."""
    case: str = ""
    """Of a case: the value of the key that chooses it."""

    @property
    def certain(self) -> bool:
        """Every sample with a reward has it, and so what it reads."""
        return not (self.optional or self.when or self.audit or self.cases)

    @property
    def parts(self) -> "tuple[ComponentPlan, ...]":
        """What scores it: itself, or its cases."""
        return self.cases or (self,)

    @property
    def address(self) -> str:
        """Its name, and that of its case: no other part of the recipe has the same."""
        return f"{self.name}.{self.case}" if self.case else self.name

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step of it."""
        return tuple(step for part in self.parts for step in (part.step, *part.transforms) if step is not None)

    @cached_property
    def needs(self) -> frozenset[str]:
        """The components that have to be computed before it."""
        bindings = [binding for step in self.steps for binding in step.bindings.values()]
        bound = frozenset(str(binding.value) for binding in bindings if binding.kind == "component")
        return bound.union(*(condition.reads for condition in self.when))

    @cached_property
    def scored_first(self) -> bool:
        """True if it is scored before all state: it uses none, and reads no other component."""
        if self.step is None:
            return True
        reads_component = any(binding.kind == "component" for binding in self.step.bindings.values())
        return not (self.step.stateful or reads_component)
