"""Compiles how the components of a recipe become one reward, with every fault and its path."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from reward_gateway.operations.guards import GUARDS
from reward_gateway.operations.names import names_in

from .component_plan import ComponentPlan
from .fields import number_fields, optional_members, takes_group, value_field
from .locations import Path
from .schema import RecipeSpec
from .step import Step
from .step_compiler import StepCompiler
from .suggestions import did_you_mean


class CombinerCompiler:
    """Compiles the combiner of a recipe, and checks that it and what reads components leave none out.

    Args:
        compiled: the components that have no faults, which are added while they are compiled.
    """

    def __init__(
        self,
        spec: RecipeSpec,
        steps: StepCompiler,
        compiled: Mapping[str, ComponentPlan],
        add_fault: Callable[[Path, str], None],
    ) -> None:
        self.spec, self.steps, self.compiled, self.add_fault = spec, steps, compiled, add_fault

    def compile(self) -> tuple[tuple[str, ...], tuple[str, ...], Step | None]:
        """The components that are combined, those that are added afterwards, and the combiner; None: there is none."""
        names = tuple(name for name, component in self.spec.components.items() if not component.audit)
        if self.spec.combine is None:
            if len(names) > 1 and self.spec.credit is None:
                self.add_fault(
                    (), f"{len(names)} components and no `combine`: name the combiner that makes them one reward"
                )
            return names, (), None
        written: dict[str, Any] = self.spec.combine if isinstance(self.spec.combine, dict) else {self.spec.combine: {}}
        then = written.get("then") or {}
        added = then.get("add", []) if isinstance(then, dict) else []
        add = tuple(added) if isinstance(added, list) else ()
        if (
            not isinstance(then, dict)
            or set(then) - {"add"}
            or not isinstance(added, list)
            or not all(isinstance(name, str) for name in add)
        ):
            self.add_fault(("combine", "then"), "`then` takes `add: [component, …]`")
            add = ()
        steps = {key: value for key, value in written.items() if key != "then"}
        if len(steps) != 1:
            self.add_fault(("combine",), "name exactly one combiner; `then` may add components to its result")
            return names, add, None
        (name, arguments) = next(iter(steps.items()))
        arguments = dict(arguments or {}) if isinstance(arguments, dict) or arguments is None else {"": arguments}
        listed_names = arguments.pop("over", [n for n in names if n not in add])
        if not isinstance(listed_names, list) or not all(isinstance(listed, str) for listed in listed_names):
            self.add_fault(("combine", name, "over"), "`over` takes a list of components: [component, …]")
            return names, add, None
        over = tuple(listed_names)
        for listed, key in ((over, name), (add, "then")):
            for component in listed:
                if component not in names:
                    self.add_fault(("combine", key), self.explain_missing_component(component))
        name, arguments = self._replace_log_sigmoid_sum(name, arguments, over)
        step = self.steps.compile_step("combine", {name: arguments}, ("combine",))
        if step is not None:
            self._check_fields(step, over)
        return over, add, step

    def _check_fields(self, step: Step, over: tuple[str, ...]) -> None:
        """Add faults for required parts of a combiner that no component gives."""
        for field in number_fields(step.operation):
            required = step.operation.item.model_fields[field].is_required()
            if required and field not in step.bindings and field not in over:
                message = f"name a component {field}, or say which one it is: {field}: {{component: NAME}}"
                self.add_fault(("combine", step.operation.name, field), message)

    def check_optional(self, over: tuple[str, ...], add: tuple[str, ...], combine: Step | None) -> None:
        """Add faults for optional components that are models, or that the combiner requires."""
        allowed = optional_members(combine.operation) if combine is not None else frozenset()
        for name, component in self.compiled.items():
            if not component.optional:
                continue
            path = ("components", name, "optional")
            if component.step is None:
                self.add_fault(path, f"{component.model} is a model: it scores every sample")
            elif name in add or (name in over and name not in allowed):
                droppable = f" (it does not require: {', '.join(sorted(allowed))})" if allowed else ""
                self.add_fault(path, f"the combiner requires {name}{droppable}")

    def _replace_log_sigmoid_sum(
        self, name: str, arguments: dict[str, Any], over: tuple[str, ...]
    ) -> tuple[str, dict[str, Any]]:
        """Replace log_sigmoid_sum over components that end in log_sigmoid by their sum, as the transform is already
        done.
        """
        if name != "log_sigmoid_sum" or "references" in arguments:
            return name, arguments
        for component in over:
            spec = self.spec.components.get(component)
            scorers = spec.scorers if spec else ()
            if any(not scorer.transforms or next(iter(scorer.transforms[-1])) != "log_sigmoid" for scorer in scorers):
                path = ("components", component, "transforms")
                message = "log_sigmoid_sum needs it to end in log_sigmoid, or `references` at the combiner"
                self.add_fault(path, message)
        return "weighted_sum", arguments

    def is_rewarded(self, name: str) -> bool:
        """Whether a component of the name may decide about the reward."""
        return name in self.spec.components and not self.spec.components[name].audit

    def explain_missing_component(self, name: str) -> str:
        """Why no component of the name may be read."""
        if name in self.spec.components:
            return f"the component {name!r} is an audit, which is outside the reward"
        return f"there is no component {name!r}{did_you_mean(name, self.spec.components)}"

    def check_named_components(self, combine: Step | None, over: tuple[str, ...]) -> None:
        """Add faults for components that the combiner's parameters name but that are not combined."""
        if combine is None:
            return
        for named in names_in(combine.params):
            if named.mark.kind == "component" and named.name not in over:
                message = self.explain_missing_component(named.name)
                if self.is_rewarded(named.name):
                    message = f"the component {named.name!r} is not combined: `over` or `then` leaves it out"
                self.add_fault(("combine", combine.operation.name, *named.path), message)

    def check_unused(
        self, over: tuple[str, ...], add: tuple[str, ...], combine: Step | None, credit: Step | None
    ) -> None:
        """Add faults for components that would be scored and then silently dropped."""
        if combine is not None:
            named = [n for n in names_in(combine.params) if n.mark.kind == "component"]
            all_used = self.spec.group.normalize == "gdpo" or not any(n.mark.selects for n in named)
            used = {*over} if all_used else {n.name for n in named}
            message = (
                f"is not used by combine/{combine.operation.name}: give it a weight (0 only reports it), or remove it"
            )
            if parts := number_fields(combine.operation):
                used = {name for name in parts if name not in combine.bindings}
                used |= {str(bound.value) for bound in combine.bindings.values() if bound.kind == "component"}
                message = f"is not read by combine/{combine.operation.name}: bind it to a field, or remove it"
        elif credit is not None and len(over) > 1 and not takes_group(credit.operation):
            fields = credit.operation.item.model_fields
            first = over[:1] if {"reward", "outcome"} & {*fields} else ()
            main = value_field(credit.operation)
            vectors = [name for name in over if name in self.compiled and self.compiled[name].vector]
            used = {*fields, *first, *(vectors[:1] if main is not None and main not in self.compiled else ())}
            message = f"is not read by credit/{credit.operation.name}: bind it to a field, `combine` it, or remove it"
        else:
            return
        used |= {*add, *self._find_read_components(credit)}
        for name in over:
            if name in self.compiled and name not in used:
                self.add_fault(("components", name), f"the component {name!r} {message}")

    def _find_read_components(self, credit: Step | None) -> set[str]:
        """Names of components that other components, the guards or the credit assignment read."""
        steps = [step for plan in self.compiled.values() for step in plan.steps]
        bindings = [b for step in (*steps, *filter(None, [credit])) for b in step.bindings.values()]
        read = {str(binding.value) for binding in bindings if binding.kind == "component"}
        read = read.union(*(plan.needs for plan in self.compiled.values()))
        if credit is not None:
            read |= {*credit.operation.item.model_fields}
            if takes_group(credit.operation):
                read |= {*self.compiled}
        for written in self.spec.guards:
            for name, arguments in written.items():
                with contextlib.suppress(ValidationError, KeyError):
                    params = GUARDS[name].params.model_validate({k: v for k, v in arguments.items() if k != "action"})
                    read |= {named.name for named in names_in(params) if named.mark.kind == "component"}
        return read
