"""A compiled recipe: every name is resolved and every argument typed, so that scoring looks nothing up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from reward_gateway.operations.guards import Guard
from reward_gateway.operations.names import Named, names_in
from reward_gateway.operations.reading.response import Part
from reward_gateway.operations.registry import Comparison, OperationParams
from reward_gateway.sample import split_version
from reward_gateway.sample.fields import MEDIA
from reward_gateway.whole_numbers import parse_whole

from .chat_formats import ChatFormatName, PlainText, TemplateMarks
from .component_plan import ComponentPlan
from .judging import JudgePlan
from .schema import GroupSpec
from .step import Step


@dataclass(frozen=True, slots=True)
class GuardPlan:
    """A guard and the action for samples that it flags."""

    guard: Guard
    params: OperationParams
    action: Literal["flag", "zero", "invalid"]

    @property
    def reads(self) -> frozenset[str]:
        """Fields of the sample, beside the response, without which it cannot judge it."""
        return self.guard.reads(self.params)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A candidate model that also scores a share of the samples, for comparison; see :mod:`.schema`."""

    name: str
    model: str
    candidate: str
    fraction: float
    reward: str | None = None
    dimension: str | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "model": self.model,
            "candidate": self.candidate,
            "fraction": self.fraction,
            "reward": self.reward,
        }


@dataclass(frozen=True, slots=True)
class ModelCall:
    """The models that are shown one part of a response, and the components that read their answers.

    Attributes:
        models: each once.
        readers: components, each with its model.
    """

    part: Part
    models: tuple[str, ...]
    readers: tuple[tuple[ComponentPlan, str], ...]


@dataclass(frozen=True, slots=True)
class Canary:
    """The new version of a recipe, and the share of the groups that it scores.

    Attributes:
        plan: the new version; it has no canary itself.
        weight: 0 (rolled back) to 1 (promoted).
    """

    plan: "Plan"
    weight: float

    def describe(self) -> dict[str, Any]:
        return {"recipe": self.plan.name, "version": self.plan.version, "weight": self.weight}


@dataclass(frozen=True)
class Plan:
    """A recipe, ready to run; what follows from it alone is computed once.

    Attributes:
        inputs: fields of the sample that it needs, and features by their paths.
        reads: fields of the sample that anything in it reads, needed or not.
        needs_prompt: a sample without a prompt cannot be scored.
        grouped: a sample's reward depends on other samples.
        comparisons: within what its samples are compared with others of their request.
    """

    name: str
    version: str
    description: str
    components: tuple[ComponentPlan, ...]
    guards: tuple[GuardPlan, ...]
    combine: Step | None
    over: tuple[str, ...]
    add: tuple[str, ...]
    group: GroupSpec
    credit: Step | None
    on_invalid: Literal["null", "fail", "default"]
    default_reward: float | None
    on_reset: Literal["refuse", "restart"]
    range: tuple[float, float] | None
    chat_format: ChatFormatName
    plain_text: PlainText | None
    template_marks: TemplateMarks
    judge: JudgePlan
    inputs: tuple[str, ...]
    reads: frozenset[str]
    needs_prompt: bool
    grouped: bool
    comparisons: tuple[Comparison, ...]
    stateful: bool
    needs_response: bool = False
    """A sample without a response cannot be scored."""
    stages: tuple[tuple[ComponentPlan, ...], ...] = ()
    """Of a recipe with conditions, audits or limits of time: its components in the order of their computation."""
    reads_metadata: bool = False
    """Its conditions read the samples' metadata."""
    reasoning_opened: bool = False
    """Every response begins inside reasoning that its prompt opened."""
    json_references: bool = False
    """A reference that holds a JSON list is the list of accepted answers."""
    optional: tuple[str, ...] = ()
    awaits: frozenset[str] = frozenset()
    """Models that it names and that need not be served yet."""
    source: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    """Of a served model that gives several numbers: their names. Its components are the numbers; it has no reward."""
    canary: Canary | None = None
    """The new version that scores a share of the groups in its place; None: there is none."""

    @cached_property
    def model_calls(self) -> tuple[ModelCall, ...]:
        """What models are asked before all else, by the part of the response that they are shown."""
        if self.stages:
            return ()
        readers = [(component, component.model) for component in self.components if component.model is not None]
        parts: dict[Part, list[tuple[ComponentPlan, str]]] = {}
        for component, model in readers:
            parts.setdefault(component.text, []).append((component, model))
        return tuple(
            ModelCall(part, tuple(dict.fromkeys(model for _, model in together)), tuple(together))
            for part, together in parts.items()
        )

    @cached_property
    def only_model(self) -> ComponentPlan | None:
        """Of a recipe whose reward is the number of a model and nothing else: the component that has it."""
        first = self.components[0] if len(self.components) == 1 else None
        adds = self.guards or self.combine or self.add or self.credit or self.group.compares or self.stages
        if first is None or first.step is not None or first.transforms or self.over != (first.name,) or adds:
            return None
        return first

    @cached_property
    def media(self) -> tuple[str, ...]:
        """The fields with images or frames that it needs."""
        return tuple(name for name in MEDIA if name in self.inputs)

    @cached_property
    def needs_group(self) -> bool:
        """A sample without a group and without a prompt, which names one, cannot be scored."""
        compares = (self.group.compares and "group" in self.group.compared_within) or "group" in self.comparisons
        if any(condition.of_groups for component in self.components for condition in component.when):
            return True
        return "group" in self.reads or (compares and self.group.answer != "combined")

    @property
    def active_canary(self) -> Canary | None:
        """The canary, if it scores anything."""
        return self.canary if self.canary is not None and self.canary.weight > 0 else None

    @property
    def splittable(self) -> bool:
        """True if a sample's reward does not depend on the other samples of its request."""
        alone = not self.group.compares or self.group.cohort is not None
        grouped = any(step.grouped for step in self.steps) or any(map(_reads_groups, self.components))
        grouped = grouped or any(plan.guard.compares for plan in self.guards)
        return alone and not grouped

    def is_number_of(self, model: str) -> bool:
        """Whether its reward is a number that the model gives, as it gives it."""
        adds = self.steps or self.guards or self.stages or self.group.compares
        return self.models == (model,) and not adds

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step of the plan."""
        ends = (self.combine, self.credit)
        return tuple(step for component in self.components for step in component.steps) + tuple(filter(None, ends))

    @cached_property
    def needed_parts(self) -> tuple[ComponentPlan, ...]:
        """The parts without which it gives no reward: what is away of an audit fails nothing."""
        return tuple(part for part in self.parts if not part.audit)

    @cached_property
    def needed_steps(self) -> tuple[Step, ...]:
        """Every step without which it gives no reward."""
        ends = (self.combine, self.credit)
        return tuple(step for part in self.needed_parts for step in part.steps) + tuple(filter(None, ends))

    @cached_property
    def needed_names(self) -> tuple[Named, ...]:
        """The models, judges and sandboxes that its file names in parameters of these steps."""
        return _find_written_names([*self.needed_steps, *self.guards])

    @cached_property
    def unrouted_needs(self) -> tuple[tuple[str, ...], tuple[Named, ...]]:
        """The models of its components, and what parameters name, that it needs whatever a sample's case is."""
        parts = [part for part in self.needed_parts if not part.case]
        steps: list[Step | GuardPlan] = [step for part in parts for step in part.steps]
        steps += [*filter(None, (self.combine, self.credit)), *self.guards]
        return tuple(part.model for part in parts if part.model is not None), _find_written_names(steps)

    @cached_property
    def parts(self) -> tuple[ComponentPlan, ...]:
        """What scores its components: these, or their cases."""
        return tuple(part for component in self.components for part in component.parts)

    @cached_property
    def rule_fields(self) -> frozenset[str]:
        """The fields that the references of its samples may carry."""
        return frozenset(name for step in self.steps for name in step.operation.rule_fields)

    @cached_property
    def shows_calls(self) -> bool:
        """Whether something in it sees the tool calls of messages."""
        return bool(self.models) or any(step.shows_calls for step in self.steps)

    @property
    def scores_ahead(self) -> bool:
        """Whether the components that are scored before all state may be scored in parts of a batch: none of them sees
        other samples, no condition decides where they are computed, and no canary scores some of the samples."""
        if self.active_canary is not None:
            return False
        first = [part.step for part in self.components if part.scored_first and part.step is not None]
        return not self.stages and not any(step.comparison for step in first)

    @property
    def reads_state(self) -> bool:
        """True if it cannot answer without the store of state: it keeps state there, or names what is stored."""
        return (
            self.stateful
            or any(
                any(binding.kind in ("stored", "prompt_references") for binding in step.bindings.values())
                for step in self.steps
            )
            or any(named.mark.kind == "set" for named in _find_written_names([*self.steps, *self.guards]))
        )

    @cached_property
    def ensemble(self) -> tuple[str, ...]:
        """Components that the recipe combines as an ensemble; empty if it does not."""
        return self.over if self.combine is not None and self.combine.operation.name == "ensemble" else ()

    @cached_property
    def audits(self) -> tuple[str, ...]:
        """Components that are outside the reward."""
        return tuple(component.name for component in self.components if component.audit)

    @property
    def returns(self) -> Literal["scalar", "vector"]:
        return "vector" if self.credit is not None else "scalar"

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The models that the components call, each once."""
        return tuple(dict.fromkeys(part.model for part in self.parts if part.model is not None))

    @property
    def pins(self) -> frozenset[tuple[str, int]]:
        """Model and version of every ``NAME@VERSION`` that a component or an operation's parameter names."""
        steps: list[Step | GuardPlan] = [*self.steps, *self.guards]
        named = [value for step in steps for value in dict(step.params).values() if isinstance(value, str)]
        split = map(split_version, [*self.models, *named])
        numbered = ((model, parse_whole(version)) for model, version in split)
        return frozenset((model, number) for model, number in numbered if number is not None)

    def summary(self) -> dict[str, Any]:
        """The row of ``GET /v1/rewards``."""
        return {
            "name": self.name,
            "description": self.description,
            "version": self.version,
            "inputs": list(self.inputs),
            "range": list(self.range) if self.range else None,
            "components": [component.name for component in self.components],
            "grouped": self.grouped,
            "stateful": self.stateful,
            "returns": self.returns,
            **({} if self.canary is None else {"canary": self.canary.describe()}),
        }

    def describe(self) -> dict[str, Any]:
        """The body of ``GET /v1/rewards/{name}``: the summary, the source and the compiled plan."""
        return {
            **self.summary(),
            "recipe": dict(self.source),
            "plan": {
                "components": {
                    component.name: {
                        **_describe_scorer(component),
                        "returns": "vector" if component.vector else "scalar",
                        "optional": component.optional,
                        "otherwise": component.otherwise,
                        "timeout_s": component.timeout_s,
                        "on_timeout": "otherwise" if component.late_otherwise else "invalid",
                        "audit": component.audit,
                        "by": component.by or None,
                        "cases": {part.case: _describe_scorer(part) for part in component.cases},
                    }
                    for component in self.components
                },
                "stages": [[component.name for component in stage] for stage in self.stages],
                "guards": [
                    {"name": guard.guard.name, "action": guard.action, "reads_texts": guard.guard.reads_texts}
                    for guard in self.guards
                ],
                "combine": self.combine.describe() if self.combine else None,
                "over": list(self.over),
                "add": list(self.add),
                "group": self.group.model_dump(mode="json"),
                "credit": self.credit.describe() if self.credit else None,
                "on_invalid": self.on_invalid,
                "on_reset": self.on_reset,
            },
        }


def _find_written_names(steps: Iterable[Step | GuardPlan]) -> tuple[Named, ...]:
    return tuple(named for step in steps for named in names_in(step.params) if named.written)


def _describe_scorer(part: ComponentPlan) -> dict[str, Any]:
    return {
        "model": part.model,
        "dimension": part.dimension,
        "score": part.step.describe() if part.step else None,
        "transforms": [step.describe() for step in part.transforms],
    }


def _reads_groups(component: ComponentPlan) -> bool:
    """Whether it is computed or not by what other samples have."""
    return any(condition.reads_groups for condition in component.when)
