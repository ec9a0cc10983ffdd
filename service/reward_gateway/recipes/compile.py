"""Compiles a recipe to a plan: resolves every name and collects every fault with its path."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import blake3
from pydantic import ValidationError

from reward_gateway.operations.guards import GUARDS
from reward_gateway.operations.names import names_in
from reward_gateway.operations.reading.params import TextParams
from reward_gateway.operations.registry import Catalog
from reward_gateway.sample.fields import OF_METADATA

from .cohort_fallbacks import explain_fallbacks
from .combiner_compiler import CombinerCompiler
from .component_plan import ComponentPlan
from .condition_compiler import ConditionCompiler
from .conditions import has_share_of_samples
from .fields import (
    infer_shape,
    value_field,
)
from .group_checks import find_group_faults
from .group_lengths import weighs_lengths
from .judging import compile_judge
from .known_models import KnownModel, KnownModels, join_known, may_be_model
from .locations import Path
from .plan import GuardPlan, Plan
from .reads import expand_messages, find_fields_read, needs_prompt
from .sample_keys import explain_unknown_key
from .schema import CaseSpec, ComponentSpec, RecipeSpec, RoutedScore
from .stages import find_circle, find_stages
from .step import Step
from .step_compiler import StepCompiler
from .suggestions import did_you_mean

Faults = list[tuple[Path, str]]

_MODEL_FIELDS = ("prompt", "response")


class Compiler:
    """Compiles one recipe, collecting faults.

    Args:
        models: the models that may be named; None: any name that is no operation is accepted as a model.
        judges: the fallback of each judge that has one.

    Attributes:
        missing: the models that the recipe awaits and that are not served.
    """

    def __init__(
        self,
        name: str,
        spec: RecipeSpec,
        catalog: Catalog,
        models: KnownModels | None = None,
        judges: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.judges = judges
        self.name, self.spec, self.catalog = name, spec, catalog
        awaited = {model: KnownModel(tuple(known.inputs)) for model, known in spec.awaits.items()}
        self.models = None if models is None else join_known(awaited, models)
        self.missing = [model for model in awaited if not may_be_model(model, models)]
        self._described = awaited if self.models is None else self.models
        self.faults: Faults = []
        self.compiled: dict[str, ComponentPlan] = {}
        self.inputs: dict[str, None] = {}
        self.steps = StepCompiler(catalog, self.models, self.compiled, self.inputs, self.add_fault)
        self.combiner = CombinerCompiler(spec, self.steps, self.compiled, self.add_fault)

    def compile(self) -> Plan | None:
        """The plan, or None if there are faults."""
        spec = self.spec
        for name, component in spec.components.items():
            if not component.audit:
                self._add_component(name, component)
        components = self._compile_conditions(self._compile_audits())
        guards = tuple(g for i, step in enumerate(spec.guards) if (g := self._compile_guard(step, ("guards", i))))
        over, add, combine = self.combiner.compile()
        self.combiner.check_optional(over, add, combine)
        self.combiner.check_named_components(combine, over)
        credit = self.steps.compile_step("credit", spec.credit, ("credit",)) if spec.credit is not None else None
        self._check_group(over)
        self.combiner.check_unused(over, add, combine, credit)
        if credit is None:
            for name in over:
                if name in self.compiled and self.compiled[name].vector:
                    message = f"{name} gives a vector per sample: aggregate it with a transform, or use `credit`"
                    self.add_fault(("components", name), message)
        judge = compile_judge(spec.judge, spec.answer_template, self.add_fault)
        compares = self._compares(combine, credit) or any(plan.guard.compares for plan in guards)
        if spec.group.single != "refuse" and not spec.group.compares and not compares:
            self.add_fault(("group", "single"), "nothing in this recipe compares the samples of a group")
        if credit is not None and credit.stateful and spec.group.cohort is not None:
            message = (
                f"{credit.operation.name} keeps state, which a cohort's samples would change before they are scored"
            )
            self.add_fault(("credit",), message)
        if spec.on_invalid == "default" and spec.default_reward is None:
            self.add_fault(("on_invalid",), "default needs default_reward")
        ends = [step for step in (combine, credit) if step]
        rewarded = [step for component in self.compiled.values() for step in component.steps] + ends
        steps = [*rewarded, *(step for component in components if component.audit for step in component.steps)]
        reads_groups = any(condition.reads_groups for c in self.compiled.values() for condition in c.when)
        guarded = {plan.guard.compares for plan in guards if plan.guard.compares is not None}
        grouped = spec.group.compares or reads_groups or bool(guarded) or any(step.grouped for step in rewarded)
        if grouped:
            self._check_shares()
        if not self.faults:
            self._check_awaited([*steps, *guards])
        if self.faults:
            return None
        read_at_ends = frozenset[str]().union(*map(find_fields_read, ends))
        read = read_at_ends.union(*(c.reads for c in components))
        conditions = [condition for component in components for condition in component.when]
        required = [c for c in components if c.certain]
        staged = len(required) < len(components) and any(c.when or c.audit or c.cases for c in components)
        staged = staged or any(component.timeout_s for component in components)
        asks_model = any(c.step is None and "prompt" in self._model_inputs(c.model or "") for c in required)
        required_steps = [step for component in required for step in component.steps] + ends
        comparisons = guarded.union(step.comparison for step in rewarded if step.comparison is not None)
        if spec.group.cohort is None:
            comparisons |= spec.group.compared_within
        if reads_groups:
            comparisons.add("group")
        if weighs_lengths(spec.group):
            named = spec.group.length
            self.inputs["response" if named is None else f"features.{named.feature}"] = None
        read_by_guards = frozenset[str]().union(*(plan.reads for plan in guards))
        self.inputs.update(dict.fromkeys(sorted(read_by_guards)))
        if "prompt" in read:
            self.inputs["prompt"] = None
        keys = [key for condition in conditions for key in condition.keys] + [c.by for c in components if c.by]
        self.inputs.update(dict.fromkeys(keys))
        needs_response = "response" in self.inputs
        if staged:
            needs_response = any("response" in c.reads for c in required if c.step is None)
        return Plan(
            name=self.name,
            version=hash_recipe(spec),
            description=spec.description,
            awaits=frozenset(spec.awaits),
            components=components,
            guards=guards,
            combine=combine,
            over=over,
            add=add,
            group=spec.group,
            credit=credit,
            on_invalid=spec.on_invalid,
            default_reward=spec.default_reward,
            on_reset=spec.on_reset,
            range=(spec.range[0], spec.range[1]) if spec.range else None,
            chat_format=spec.chat_format,
            plain_text=spec.plain_text,
            template_marks=spec.template_marks,
            judge=judge,
            inputs=tuple(self.inputs),
            reads=read.union(
                {"response", "reference"} if guards else (), read_by_guards, (key for key in keys if "." not in key)
            ),
            needs_prompt=(asks_model or any(map(needs_prompt, required_steps))) and "prompt" not in spec.optional,
            grouped=grouped,
            comparisons=tuple(sorted(comparisons)),
            needs_response=needs_response,
            stages=self._find_stages(components) if staged else (),
            reads_metadata=any(key.startswith(OF_METADATA) for key in keys),
            reasoning_opened=spec.reasoning == "opened",
            json_references=spec.references == "json",
            optional=tuple(spec.optional),
            stateful=spec.group.cohort is not None or any(step.stateful for step in steps),
            source=spec.model_dump(mode="json", exclude_unset=True),
        )

    def add_fault(self, path: Path, message: str) -> None:
        self.faults.append((("rewards", self.name, *path), message))

    def _add_component(self, name: str, spec: ComponentSpec) -> None:
        plan = self._compile_component(name, spec)
        if plan is not None:
            self.compiled[name] = plan

    def _compile_audits(self) -> dict[str, ComponentPlan]:
        """The components outside the reward, which may read all others, and which no other may read."""
        specs = {name: spec for name, spec in self.spec.components.items() if spec.audit}
        compiled = {name: self._compile_component(name, spec) for name, spec in specs.items()}
        if len(specs) == len(self.spec.components):
            self.add_fault(("components",), "all of them are audits, which are outside the reward")
        return {name: plan for name, plan in compiled.items() if plan is not None}

    def _compile_conditions(self, audits: Mapping[str, ComponentPlan]) -> tuple[ComponentPlan, ...]:
        """All components in the order of the file, with the conditions under which they are computed."""
        readable = {name: plan.optional for name, plan in self.compiled.items() if not plan.vector}
        unreadable = {name: f"{name} gives a vector per sample" for name, plan in self.compiled.items() if plan.vector}
        unreadable |= {
            name: f"{name} is an audit, and decides nothing" if spec.audit else f"the component {name!r} has faults"
            for name, spec in self.spec.components.items()
            if name not in self.compiled
        }
        compiler = ConditionCompiler(
            readable, unreadable, cohort=self.spec.group.cohort is not None, add_fault=self.add_fault
        )
        plans = {**self.compiled, **audits}
        for name, spec in self.spec.components.items():
            path: Path = ("components", name)
            self._check_timeout(spec, plans.get(name), path)
            if name in plans:
                plans[name] = _limit_time(plans[name], spec)
            if spec.when is None:
                if spec.otherwise is not None and spec.on_timeout != "otherwise":
                    message = "it is computed for every sample: `otherwise` needs `when`, or `on_timeout: otherwise`"
                    self.add_fault((*path, "otherwise"), message)
                continue
            when = compiler.compile(spec.when, (*path, "when"))
            if spec.otherwise is None and not spec.audit:
                self.add_fault((*path, "when"), "say with `otherwise` which value it has where it is not computed")
            if name in plans:
                plans[name] = replace(plans[name], when=when, otherwise=spec.otherwise)
                self._check_conditions(plans[name], (*path, "when"))
        self.compiled.update({name: plans[name] for name in self.compiled})
        circle = find_circle({name: plan.needs & plans.keys() for name, plan in plans.items()})
        if circle:
            self.add_fault(
                ("components", circle[0], "when"), f"these wait for each other in a circle: {' → '.join(circle)}"
            )
        return tuple(plans[name] for name in self.spec.components if name in plans)

    def _check_conditions(self, plan: ComponentPlan, path: Path) -> None:
        """Add faults for conditions that a component does not allow."""
        if plan.vector:
            self.add_fault(path, f"{plan.name} gives a vector per sample: there is no `otherwise` for one")
        compares = find_group_step(plan)
        if compares and not all(condition.of_groups for condition in plan.when):
            message = (
                f"{compares.operation.name} compares the samples of a group, so that all of a group have to be "
                "computed, or none: use `group`, or `sample` with `by: group`"
            )
            self.add_fault(path, message)

    def _check_timeout(self, spec: ComponentSpec, plan: ComponentPlan | None, path: Path) -> None:
        """Add faults for limits of time that say too little."""
        if spec.on_timeout == "invalid":
            return
        if spec.timeout_s is None:
            self.add_fault((*path, "on_timeout"), "it needs `timeout_s`")
        if spec.otherwise is None and not spec.audit:
            self.add_fault((*path, "on_timeout"), "say with `otherwise` which value it has then")
        if plan is not None and plan.vector:
            message = f"{plan.name} gives a vector per sample: there is no `otherwise` for one"
            self.add_fault((*path, "on_timeout"), message)

    def _check_shares(self) -> None:
        """Add faults for shares of samples in a reward that compares the samples of a group."""
        for name, plan in self.compiled.items():
            if any(map(has_share_of_samples, plan.when)):
                message = "this reward compares the samples of a group: choose whole groups, with `by: group`"
                self.add_fault(("components", name, "when"), message)

    def _find_stages(self, components: Sequence[ComponentPlan]) -> tuple[tuple[ComponentPlan, ...], ...]:
        by_name = {component.name: component for component in components}
        stages = find_stages({name: component.needs for name, component in by_name.items()})
        return tuple(tuple(by_name[name] for name in stage) for stage in stages)

    def _compile_component(self, name: str, spec: ComponentSpec) -> ComponentPlan | None:
        if isinstance(spec.score, RoutedScore):
            return self._compile_routed(name, spec, spec.score)
        plan = self._compile_scorer(name, spec, ("components", name))
        return None if plan is None else replace(plan, optional=spec.optional, audit=spec.audit)

    def _compile_routed(self, name: str, spec: ComponentSpec, routed: RoutedScore) -> ComponentPlan | None:
        """A component that is another one for each value of a key."""
        path: Path = ("components", name)
        fault_count = len(self.faults)
        for field in spec.model_fields_set - {"score", "when", "otherwise", "timeout_s", "on_timeout", "audit"}:
            self.add_fault((*path, field), f"`{field}` belongs to a case: each is a component of its own")
        if fault := explain_unknown_key(routed.by):
            self.add_fault((*path, "score", "by"), fault)
        cases = []
        for case, written in routed.cases.items():
            here = (*path, "score", "cases", case)
            plan = self._compile_scorer(name, written, here)
            if plan is None:
                continue
            if plan.vector:
                self.add_fault(here, "it gives a vector per sample: aggregate it with a transform")
            if compares := find_group_step(plan):
                message = f"{compares.operation.name} compares the samples of a group, which may be of several cases"
                self.add_fault(here, message)
            cases.append(replace(plan, case=case, audit=spec.audit))
        if len(self.faults) > fault_count:
            return None
        reads = frozenset[str]().union(*(plan.reads for plan in cases))
        return ComponentPlan(
            name, None, None, None, (), False, False, reads=reads, audit=spec.audit, by=routed.by, cases=tuple(cases)
        )

    def _compile_scorer(self, name: str, spec: CaseSpec, path: Path) -> ComponentPlan | None:
        fault_count = len(self.faults)
        operation = self.catalog.get("score", str(spec.score))
        step = None
        vector = ruled = False
        if operation is not None:
            ruled = issubclass(operation.params, TextParams)
            text = {"text": spec.text} if ruled and spec.text is not None else {}
            if text and "text" in spec.params:
                self.add_fault((*path, "text"), "`text` is given twice, here and among the params")
            step = self.steps.compile_arguments(
                operation, {**text, **spec.params, **spec.inputs}, (*path, "params"), provided=()
            )
            vector = operation.returns == "vector"
            if spec.dimension is not None:
                self.add_fault((*path, "dimension"), f"{spec.score} is an operation: only a model has dimensions")
        elif fault := self.steps.explain_unknown_model(spec.score, scorer=True):
            self.add_fault((*path, "score"), fault)
        else:
            if spec.params or spec.inputs:
                self.add_fault(
                    (*path, "params"), f"{spec.score} is a model: it takes no params and reads the sample as it is"
                )
            self._check_model(spec, path)
        transforms = []
        for i, written in enumerate(spec.transforms):
            transform = self.steps.compile_step("transform", written, (*path, "transforms", i))
            if transform is not None:
                transforms.append(transform)
                vector = self._shape_after(transform, vector, (*path, "transforms", i))
        if len(self.faults) > fault_count:
            return None
        model = None if operation is not None else spec.score
        refuse = spec.truncation == "refuse"
        reads = self._model_inputs(spec.score) if step is None else find_fields_read(step)
        reads = reads.union(*map(find_fields_read, transforms))
        return ComponentPlan(
            name,
            model,
            spec.dimension,
            step,
            tuple(transforms),
            refuse,
            vector,
            reads=reads,
            text="whole" if ruled else spec.text or "whole",
        )

    def _model_inputs(self, model: str) -> frozenset[str]:
        known = self._described.get(model)
        return expand_messages(known.inputs if known and known.inputs else _MODEL_FIELDS)

    def _check_model(self, spec: CaseSpec, path: Path) -> None:
        """Collect the sample fields that a component's model reads, and check the choice of one of the model's
        numbers.
        """
        known = self._described.get(spec.score)
        self.inputs.update(dict.fromkeys(known.inputs if known and known.inputs else _MODEL_FIELDS))
        dimensions = known.dimensions if known else ()
        if spec.dimension is None and len(dimensions) > 1:
            message = (
                f"{spec.score} gives {len(dimensions)} numbers: choose one with `dimension` ({', '.join(dimensions)})"
            )
            self.add_fault((*path, "score"), message)
        elif spec.dimension is not None and dimensions and spec.dimension not in dimensions:
            message = f"{spec.score} has no dimension {spec.dimension!r}{did_you_mean(spec.dimension, dimensions)}"
            self.add_fault((*path, "dimension"), message)

    def _check_awaited(self, steps: Iterable[Step | GuardPlan]) -> None:
        """Add a fault for an awaited model that nothing in the recipe asks for."""
        asked = {str(scorer.score) for component in self.spec.components.values() for scorer in component.scorers}
        asked |= {named.name for step in steps for named in names_in(step.params) if named.mark.kind == "model"}
        for model in self.spec.awaits:
            if model not in asked:
                message = f"nothing in this recipe asks for it{did_you_mean(model, asked)}"
                self.add_fault(("awaits", model), message)

    def _shape_after(self, step: Step, vector: bool, path: Path) -> bool:
        """Whether the value is a vector after a transform; adds a fault if the transform does not fit the value."""
        field = value_field(step.operation)
        if field is None:
            self.add_fault(path, f"{step.operation.name} transforms no value: it has no reward or step_rewards field")
            return vector
        wants = infer_shape(step.operation.item.model_fields[field])
        if vector and wants == "number":
            fields = step.operation.item.model_fields
            unbound = [name for name in fields if name not in (field, *step.bindings) and fields[name].is_required()]
            if unbound or any(binding.kind not in ("constant", "stored") for binding in step.bindings.values()):
                self.add_fault(
                    path,
                    f"{step.operation.name} transforms numbers and reads the sample, so it does not fit a vector",
                )
            return True
        if wants == "vector" and not vector:
            return False
        return step.operation.returns == "vector"

    def _compile_guard(self, written: dict[str, dict[str, Any]], path: Path) -> GuardPlan | None:
        named = self.steps.split_step(written, path)
        if named is None:
            return None
        name, arguments = named
        guard = GUARDS.get(name)
        if guard is None:
            self.add_fault(path, f"there is no guard {name!r}{did_you_mean(name, GUARDS)}")
            return None
        arguments = dict(arguments)
        action = arguments.pop("action", "flag")
        if action not in ("flag", "zero", "invalid"):
            self.add_fault((*path, name, "action"), "action is flag, zero or invalid")
            return None
        try:
            params = guard.params.model_validate(arguments)
            for read in names_in(params):
                if read.mark.kind == "component" and not self.combiner.is_rewarded(read.name):
                    self.add_fault((*path, name, *read.path), self.combiner.explain_missing_component(read.name))
                if read.mark.kind == "model" and (fault := self.steps.explain_unknown_model(read.name)):
                    self.add_fault((*path, name, *read.path), fault)
            if guard.compares is not None and self.spec.group.cohort is not None:
                message = "compares the samples of a request, and a cohort joins those of several: drop one"
                self.add_fault((*path, name), f"{name} {message}")
            return GuardPlan(guard, params, action)
        except ValidationError as error:
            self.steps.add_validation_faults(error, (*path, name), guard.params, ("action",))
            return None

    def _check_group(self, over: tuple[str, ...]) -> None:
        fallbacks = list(explain_fallbacks(self.compiled.values(), self._described, self.judges))
        for path, message in find_group_faults(self.spec, self.compiled, over, fallbacks):
            self.add_fault(path, message)

    def _compares(self, *ends: Step | None) -> bool:
        """Whether a step compares samples."""
        if any(condition.reads_groups for plan in self.compiled.values() for condition in plan.when):
            return True
        steps = [step for plan in self.compiled.values() for step in plan.steps]
        return any(step.comparison for step in (*steps, *ends) if step is not None)


def find_group_step(plan: ComponentPlan) -> Step | None:
    """The first step of a component that compares the samples of a group."""
    steps = [plan.step] if plan.step is not None and plan.step.grouped else []
    return next(iter([*steps, *(step for step in plan.transforms if step.comparison == "group")]), None)


def _limit_time(plan: ComponentPlan, spec: ComponentSpec) -> ComponentPlan:
    """A component, and its cases, with its limit of time."""
    if spec.timeout_s is None:
        return plan
    cases = tuple(replace(case, timeout_s=spec.timeout_s) for case in plan.cases)
    late = spec.on_timeout == "otherwise"
    return replace(plan, timeout_s=spec.timeout_s, late_otherwise=late, otherwise=spec.otherwise, cases=cases)


def hash_recipe(spec: RecipeSpec) -> str:
    """Content hash of a recipe: the same wherever it is loaded, different after any change of meaning."""
    content = spec.model_dump(mode="json", exclude={"description", "awaits", "canary"}, exclude_defaults=True)
    return "b3:" + blake3.blake3(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
