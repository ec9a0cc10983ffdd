"""From what was written to what is run: every name resolved and every fault found, each with its place."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any, cast

import blake3
from pydantic import ValidationError

from reward_gateway.operations.guards import GUARDS
from reward_gateway.operations.names import names_in
from reward_gateway.operations.registry import Catalog, Kind, Operation
from reward_gateway.sample import split_version

from .fields import (
    SAMPLE_FIELDS,
    constrained,
    optional_members,
    reads_sample,
    shape,
    table_field,
    takes_group,
    value_field,
)
from .known_models import KnownModels
from .locations import Path, dotted
from .plan import Binding, ComponentPlan, GuardPlan, Plan, Step
from .schema import ComponentSpec, RecipeSpec
from .suggestions import did_you_mean

Faults = list[tuple[Path, str]]

_BINDINGS = {"feature", "sample", "component", "stored", "quantile", "references"}
_MODEL_FIELDS = ("prompt", "response")


class Compiler:
    """Compiles one recipe, collecting faults.

    Args:
        models: the models that may be named; None: any name that is no operation is a model that is still to come.
    """

    def __init__(
        self,
        name: str,
        spec: RecipeSpec,
        catalog: Catalog,
        models: KnownModels | None = None,
    ) -> None:
        self.name, self.spec, self.catalog, self.models = name, spec, catalog, models
        self.faults: Faults = []
        self.done: dict[str, ComponentPlan] = {}
        self.inputs: dict[str, None] = {}

    def compile(self) -> Plan | None:
        """The plan, or None where there are faults."""
        spec = self.spec
        for name, component in spec.components.items():
            plan = self._component(name, component)
            if plan is not None:
                self.done[name] = plan
        guards = tuple(g for i, step in enumerate(spec.guards) if (g := self._guard(step, ("guards", i))))
        over, add, combine = self._combine()
        self._optional(over, add, combine)
        self._names(combine, over)
        credit = self._step("credit", spec.credit, ("credit",)) if spec.credit is not None else None
        self._group(over)
        self._unused(over, add, combine, credit)
        if credit is None:
            for name in over:
                if name in self.done and self.done[name].vector:
                    message = f"{name} is a vector a sample: aggregate it (a transform), or end in credit"
                    self.fault(("components", name), message)
        if spec.on_invalid == "default" and spec.default_reward is None:
            self.fault(("on_invalid",), "default needs default_reward")
        if self.faults:
            return None
        steps = [s for c in self.done.values() for s in (c.step, *c.transforms) if s] + [
            s for s in (combine, credit) if s
        ]
        return Plan(
            name=self.name,
            version=version(spec),
            description=spec.description,
            components=tuple(self.done.values()),
            guards=guards,
            combine=combine,
            over=over,
            add=add,
            group=spec.group,
            credit=credit,
            on_invalid=spec.on_invalid,
            default_reward=spec.default_reward,
            range=(spec.range[0], spec.range[1]) if spec.range else None,
            strip_template=spec.strip_template,
            answer_template=spec.answer_template,
            inputs=tuple(self.inputs),
            stateful=spec.group.cohort is not None or any(step.operation.stateful for step in steps),
            source=spec.model_dump(mode="json", exclude_unset=True),
        )

    def fault(self, path: Path, message: str) -> None:
        self.faults.append((("rewards", self.name, *path), message))

    def _component(self, name: str, spec: ComponentSpec) -> ComponentPlan | None:
        path: Path = ("components", name)
        before = len(self.faults)
        operation = self.catalog.get("score", spec.score)
        step = None
        vector = False
        if operation is not None:
            step = self._arguments(operation, {**spec.params, **spec.inputs}, (*path, "params"), provided=())
            vector = operation.returns == "vector"
            if spec.dimension is not None:
                self.fault((*path, "dimension"), f"{spec.score} is an operation: only a model has dimensions")
        elif fault := self._unknown_model(spec.score, scorer=True):
            self.fault((*path, "score"), fault)
        else:
            if spec.params or spec.inputs:
                self.fault(
                    (*path, "params"), f"{spec.score} is a model: it takes no params and reads the sample as it is"
                )
            self._model(spec, path)
        transforms = []
        for i, written in enumerate(spec.transforms):
            transform = self._step("transform", written, (*path, "transforms", i))
            if transform is not None:
                transforms.append(transform)
                vector = self._shape_after(transform, vector, (*path, "transforms", i))
        if len(self.faults) > before:
            return None
        model = None if operation is not None else spec.score
        refuse = spec.truncation == "refuse"
        return ComponentPlan(name, model, spec.dimension, step, tuple(transforms), refuse, vector, spec.optional)

    def _model(self, spec: ComponentSpec, path: Path) -> None:
        """What a component asks of a model: the sample's fields, and one of the model's numbers."""
        known = (self.models or {}).get(spec.score)
        self.inputs.update(dict.fromkeys(known.inputs if known and known.inputs else _MODEL_FIELDS))
        dimensions = known.dimensions if known else ()
        if spec.dimension is None and len(dimensions) > 1:
            said = f"{spec.score} gives {len(dimensions)} numbers: say which with `dimension` ({', '.join(dimensions)})"
            self.fault((*path, "score"), said)
        elif spec.dimension is not None and dimensions and spec.dimension not in dimensions:
            said = f"{spec.score} has no dimension {spec.dimension!r}{did_you_mean(spec.dimension, dimensions)}"
            self.fault((*path, "dimension"), said)

    def _unknown_model(self, model: str, *, scorer: bool = False) -> str:
        """Why this is no name of a model; empty if it is one, or if any may be."""
        if self.models is None or model in self.models:
            return ""
        name, version = split_version(model)
        if version and name in self.models:
            served = ", ".join(sorted(known for known in self.models if known.startswith(f"{name}@"))) or "none"
            return f"the model {name} serves no version {version!r} (served: {served})"
        known = {known for known in self.models if "@" not in known}
        if not scorer:
            return f"there is no model {model!r}{did_you_mean(model, known)}"
        known.update(operation.name for operation in self.catalog if operation.kind == "score")
        return f"{model!r} is no scoring operation and no model{did_you_mean(model, known)}"

    def _shape_after(self, step: Step, vector: bool, path: Path) -> bool:
        """Whether the value is a vector after a transform; a fault where the transform cannot take it."""
        field = value_field(step.operation)
        if field is None:
            self.fault(path, f"{step.operation.name} shapes no value: it has no reward or step_rewards field")
            return vector
        wants = shape(step.operation.item.model_fields[field])
        if vector and wants == "number":
            if any(binding.kind not in ("constant", "stored") for binding in step.bindings.values()):
                self.fault(
                    path, f"{step.operation.name} shapes numbers and reads the sample; a vector cannot be given to it"
                )
            return True
        if wants == "vector" and not vector:
            return False
        return step.operation.returns == "vector"

    def _combine(self) -> tuple[tuple[str, ...], tuple[str, ...], Step | None]:
        names = tuple(self.spec.components)
        if self.spec.combine is None:
            if len(names) > 1 and self.spec.credit is None:
                self.fault((), f"{len(names)} components and no `combine`: say how they become one reward")
            return names, (), None
        written: dict[str, Any] = self.spec.combine if isinstance(self.spec.combine, dict) else {self.spec.combine: {}}
        then = written.get("then") or {}
        add = tuple(then.get("add", ())) if isinstance(then, dict) else ()
        if not isinstance(then, dict) or set(then) - {"add"} or not all(isinstance(name, str) for name in add):
            self.fault(("combine", "then"), "`then` takes `add: [component, …]`")
            add = ()
        steps = {key: value for key, value in written.items() if key != "then"}
        if len(steps) != 1:
            self.fault(("combine",), "name one combiner, and `then` where something is added outside it")
            return names, add, None
        (name, arguments) = next(iter(steps.items()))
        arguments = dict(arguments or {}) if isinstance(arguments, dict) or arguments is None else {"": arguments}
        over = tuple(arguments.pop("over", [n for n in names if n not in add]))
        for listed, key in ((over, name), (add, "then")):
            for component in listed:
                if component not in self.spec.components:
                    self.fault(("combine", key), self._no_component(component))
        name, arguments = self._summed_log_sigmoids(name, arguments, over)
        return over, add, self._step("combine", {name: arguments}, ("combine",))

    def _optional(self, over: tuple[str, ...], add: tuple[str, ...], combine: Step | None) -> None:
        """Faults of optional components that are models, or that the combiner cannot do without."""
        allowed = optional_members(combine.operation) if combine is not None else frozenset()
        for name, component in self.done.items():
            if not component.optional:
                continue
            path = ("components", name, "optional")
            if component.step is None:
                self.fault(path, f"{component.model} is a model: it scores every sample")
            elif name in add or (name in over and name not in allowed):
                can = f" (it can without: {', '.join(sorted(allowed))})" if allowed else ""
                self.fault(path, f"the combiner cannot do without {name}{can}")

    def _summed_log_sigmoids(
        self, name: str, arguments: dict[str, Any], over: tuple[str, ...]
    ) -> tuple[str, dict[str, Any]]:
        """log_sigmoid_sum over components that end in log_sigmoid is their plain sum: nothing is transformed twice."""
        if name != "log_sigmoid_sum" or "references" in arguments:
            return name, arguments
        for component in over:
            spec = self.spec.components.get(component)
            if spec and (not spec.transforms or next(iter(spec.transforms[-1])) != "log_sigmoid"):
                path = ("components", component, "transforms")
                message = "log_sigmoid_sum needs it to end in log_sigmoid, or `references` at the combiner"
                self.fault(path, message)
        return "weighted_sum", arguments

    def _guard(self, written: dict[str, dict[str, Any]], path: Path) -> GuardPlan | None:
        named = self._one(written, path)
        if named is None:
            return None
        name, arguments = named
        guard = GUARDS.get(name)
        if guard is None:
            self.fault(path, f"there is no guard {name!r}{did_you_mean(name, GUARDS)}")
            return None
        arguments = dict(arguments)
        action = arguments.pop("action", "flag")
        if action not in ("flag", "zero", "invalid"):
            self.fault((*path, name, "action"), "action is flag, zero or invalid")
            return None
        try:
            params = guard.params.model_validate(arguments)
            for read in names_in(params):
                if read.mark.kind == "component" and read.name not in self.spec.components:
                    self.fault((*path, name, *read.path), self._no_component(read.name))
            return GuardPlan(guard, params, action)
        except ValidationError as error:
            self._validation(error, (*path, name))
            return None

    def _group(self, over: tuple[str, ...]) -> None:
        group = self.spec.group
        for name in group.weights:
            if name not in over:
                self.fault(
                    ("group", "weights", name), f"there is no combined component {name!r}{did_you_mean(name, over)}"
                )
        if group.cohort is not None and group.normalize == "none":
            self.fault(("group", "cohort"), "a cohort is collected to be compared: say how in `normalize`")
        if group.weights and group.normalize != "gdpo":
            self.fault(("group", "weights"), "weights a component belong to gdpo; here weigh in `combine`")

    def _no_component(self, name: str) -> str:
        return f"there is no component {name!r}{did_you_mean(name, self.spec.components)}"

    def _names(self, combine: Step | None, over: tuple[str, ...]) -> None:
        """Faults of components that the combiner's parameters name, and that it is not given."""
        if combine is None:
            return
        for named in names_in(combine.params):
            if named.mark.kind == "component" and named.name not in over:
                said = self._no_component(named.name)
                if named.name in self.spec.components:
                    said = f"the component {named.name!r} is not combined: `over` or `then` leave it out"
                self.fault(("combine", combine.operation.name, *named.path), said)

    def _unused(self, over: tuple[str, ...], add: tuple[str, ...], combine: Step | None, credit: Step | None) -> None:
        """Faults of components that would be scored and then dropped without a word."""
        if combine is not None:
            named = [n for n in names_in(combine.params) if n.mark.kind == "component"]
            everyone = self.spec.group.normalize == "gdpo" or not any(n.mark.selects for n in named)
            counted = {*over} if everyone else {n.name for n in named}
            said = f"has no part in combine/{combine.operation.name}: give it a weight (0 shows it alone), or remove it"
        elif credit is not None and len(over) > 1 and not takes_group(credit.operation):
            fields = credit.operation.item.model_fields
            first = over[:1] if {"reward", "outcome"} & {*fields} else ()
            main = value_field(credit.operation)
            vectors = [name for name in over if name in self.done and self.done[name].vector]
            counted = {*fields, *first, *(vectors[:1] if main is not None and main not in self.done else ())}
            said = f"is not read by credit/{credit.operation.name}: bind it to a field, `combine` it, or remove it"
        else:
            return
        counted |= {*add, *self._read_elsewhere(credit)}
        for name in over:
            if name in self.done and name not in counted:
                self.fault(("components", name), f"the component {name!r} {said}")

    def _read_elsewhere(self, credit: Step | None) -> set[str]:
        """Components that other components, the guards or the credit assignment read."""
        steps = [step for plan in self.done.values() for step in (plan.step, *plan.transforms) if step is not None]
        bindings = [b for step in (*steps, *filter(None, [credit])) for b in step.bindings.values()]
        read = {str(binding.value) for binding in bindings if binding.kind == "component"}
        if credit is not None:
            read |= {*credit.operation.item.model_fields}
            if takes_group(credit.operation):
                read |= {*self.done}
        for written in self.spec.guards:
            for name, arguments in written.items():
                with contextlib.suppress(ValidationError, KeyError):
                    params = GUARDS[name].params.model_validate({k: v for k, v in arguments.items() if k != "action"})
                    read |= {named.name for named in names_in(params) if named.mark.kind == "component"}
        return read

    def _step(self, kind: Kind, written: dict[str, Any], path: Path) -> Step | None:
        named = self._one(written, path)
        if named is None:
            return None
        name, arguments = named
        operation = self.catalog.get(kind, name)
        if operation is None:
            known = {operation.name for operation in self.catalog if operation.kind == kind}
            self.fault(path, f"there is no operation {kind}/{name}{did_you_mean(name, known)}")
            return None
        provided = {
            "transform": (value_field(operation),),
            "combine": (table_field(operation),),
            "credit": ("reward", "outcome", value_field(operation)),
        }[cast("str", kind)]
        if kind == "combine" and table_field(operation) is None:
            self.fault(path, f"combine/{name} does not take named components, so a recipe cannot feed it")
            return None
        return self._arguments(operation, arguments, (*path, name), provided)

    def _one(self, written: Mapping[str, Any], path: Path) -> tuple[str, dict[str, Any]] | None:
        if len(written) != 1:
            self.fault(path, f"one name with its arguments stands here, not {len(written)}")
            return None
        name, arguments = next(iter(written.items()))
        if not isinstance(arguments, dict):
            self.fault((*path, name), "arguments are a mapping of names to values")
            return None
        return name, arguments

    def _arguments(
        self, operation: Operation, arguments: Mapping[str, Any], path: Path, provided: tuple[str | None, ...]
    ) -> Step | None:
        """Sort the written arguments into parameters and bindings."""
        before = len(self.faults)
        params: dict[str, Any] = {}
        bindings: dict[str, Binding] = {}
        for name, value in arguments.items():
            if name in operation.item.model_fields:
                self._bind(operation, name, value, path, params, bindings)
            else:
                params[name] = value
        parsed = None
        try:
            parsed = operation.params.model_validate(params)
        except ValidationError as error:
            self._validation(error, path)
        if parsed is not None:
            for named in names_in(parsed):
                if named.mark.kind == "model" and named.written and (fault := self._unknown_model(named.name)):
                    self.fault((*path, *named.path), fault)
        for name, field in operation.item.model_fields.items():
            if name in bindings:
                binding = bindings[name]
                if binding.kind == "sample":
                    self.inputs[str(binding.value)] = None
                elif binding.kind == "feature":
                    self.inputs[f"features.{binding.value}"] = None
            elif name not in provided and field.is_required():
                self.inputs[name if reads_sample(name, field) else f"features.{name}"] = None
        if len(self.faults) > before or parsed is None:
            return None
        return Step(operation, parsed, bindings, constrained(operation))

    def _bind(
        self,
        operation: Operation,
        name: str,
        value: Any,
        path: Path,
        params: dict[str, Any],
        bindings: dict[str, Binding],
    ) -> None:
        if not (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _BINDINGS):
            bindings[name] = Binding("constant", value)
            return
        how, what = next(iter(value.items()))
        if how == "component":
            if what not in self.done:
                self.fault(
                    (*path, name), f"there is no component {what!r} before this one{did_you_mean(what, self.done)}"
                )
            bindings[name] = Binding("component", what)
        elif how in ("quantile", "references", "stored"):
            many = name if "reference_rewards" not in operation.item.model_fields else "reference_rewards"
            if how == "quantile":
                if "quantile" not in operation.params.model_fields:
                    self.fault((*path, name), f"{operation.name} takes no quantile of references")
                    return
                params["quantile"] = what
            bindings[many] = Binding("stored", what) if how == "stored" else Binding("prompt_references", None)
        elif how == "sample":
            if what not in SAMPLE_FIELDS:
                self.fault((*path, name), f"a sample has no field {what!r}{did_you_mean(str(what), SAMPLE_FIELDS)}")
            bindings[name] = Binding("sample", what)
        else:
            bindings[name] = Binding("feature", what)

    def _validation(self, error: ValidationError, path: Path) -> None:
        for fault in error.errors(include_url=False, include_input=False):
            self.fault((*path, *fault["loc"]), str(fault["msg"]))


def version(spec: RecipeSpec) -> str:
    """Content hash of a recipe: the same wherever and whenever it is loaded, another for any change of meaning."""
    content = spec.model_dump(mode="json", exclude={"description"}, exclude_defaults=True)
    return "b3:" + blake3.blake3(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


__all__ = ["Compiler", "Faults", "dotted", "version"]
