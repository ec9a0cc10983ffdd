"""Compiles one step of a recipe: an operation's name, its parameters, and what its item fields are bound to."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from reward_gateway.operations.names import find_name_fields, names_in
from reward_gateway.operations.reading.alternatives import REFERENCE
from reward_gateway.operations.registry import Catalog, Kind, Operation
from reward_gateway.sample import split_version

from .column_types import find_fault
from .fields import (
    SAMPLE_FIELDS,
    needs_row_validation,
    number_fields,
    reads_sample,
    table_field,
    value_field,
    written_name,
)
from .known_models import KnownModels, may_be_model
from .locations import Path
from .step import Step
from .step_fields import Binding
from .suggestions import did_you_mean
from .unknown_keys import explain_fault

_NO_DEFAULT = object()
_BINDINGS = {"feature", "sample", "component", "stored", "quantile", "references"}


class StepCompiler:
    """Compiles the steps of one recipe.

    Args:
        models: the models that may be named; None: any.
        compiled: names of the components before the step, which it may read.
        inputs: gets the sample's fields and features that a step reads.
        add_fault: takes the path within the recipe, and what is wrong there.
    """

    def __init__(
        self,
        catalog: Catalog,
        models: KnownModels | None,
        compiled: Collection[str],
        inputs: dict[str, None],
        add_fault: Callable[[Path, str], None],
    ) -> None:
        self._catalog, self._models, self._compiled, self._inputs = catalog, models, compiled, inputs
        self._report_fault = add_fault
        self._faults = 0

    def _add_fault(self, path: Path, message: str) -> None:
        self._faults += 1
        self._report_fault(path, message)

    def explain_unknown_model(self, model: str, *, scorer: bool = False) -> str:
        """Why a model name is unknown; empty if it is known, or if any name is accepted."""
        if self._models is None or may_be_model(model, self._models):
            return ""
        name, version = split_version(model)
        if version and name in self._models:
            served = ", ".join(sorted(known for known in self._models if known.startswith(f"{name}@"))) or "none"
            return f"the model {name} serves no version {version!r} (served: {served})"
        known = {known for known in self._models if "@" not in known}
        if not scorer:
            return f"there is no model {model!r}{did_you_mean(model, known)}"
        known.update(operation.name for operation in self._catalog if operation.kind == "score")
        return f"{model!r} is no scoring operation and no model{did_you_mean(model, known)}"

    def _explain_several_numbers(self, model: str) -> str:
        """Why a model does not fit where one number is read; empty if it does, as far as is known."""
        known = (self._models or {}).get(model)
        if known is None or len(known.dimensions) < 2:
            return ""
        numbers = f"{len(known.dimensions)} numbers ({', '.join(known.dimensions)})"
        return f"{model} gives {numbers}, and one is read here: name a model of one number"

    def compile_step(self, kind: Kind, written: dict[str, Any], path: Path) -> Step | None:
        named = self.split_step(written, path)
        if named is None:
            return None
        name, arguments = named
        operation = self._catalog.get(kind, name)
        if operation is None:
            known = {operation.name for operation in self._catalog if operation.kind == kind}
            self._add_fault(path, f"there is no operation {kind}/{name}{did_you_mean(name, known)}")
            return None
        provided = {
            "transform": (value_field(operation),),
            "combine": (table_field(operation), *number_fields(operation)),
            "credit": ("reward", "outcome", value_field(operation)),
        }[cast("str", kind)]
        if kind == "combine" and table_field(operation) is None and not number_fields(operation):
            self._add_fault(path, f"combine/{name} does not take named components, so a recipe cannot feed it")
            return None
        return self.compile_arguments(operation, arguments, (*path, name), provided)

    def split_step(self, written: Mapping[str, Any], path: Path) -> tuple[str, dict[str, Any]] | None:
        if len(written) != 1:
            self._add_fault(path, f"expected one name with its arguments, found {len(written)}")
            return None
        name, arguments = next(iter(written.items()))
        if not isinstance(arguments, dict):
            self._add_fault((*path, name), "the arguments have to be a mapping of names to values")
            return None
        return name, arguments

    def compile_arguments(
        self, operation: Operation, arguments: Mapping[str, Any], path: Path, provided: tuple[str | None, ...]
    ) -> Step | None:
        """A step whose arguments are sorted into parameters and bindings."""
        fault_count = self._faults
        params: dict[str, Any] = {}
        bindings: dict[str, Binding] = {}
        judges = find_name_fields(operation.params, "judge")  # a field of the same name has what the judge said
        names = {written_name(name, field): name for name, field in operation.item.model_fields.items()}
        for written, value in arguments.items():
            name = names.get(written, written)
            if name in operation.item.model_fields and not (name in judges and isinstance(value, str)):
                self._bind_field(operation, name, value, path, params, bindings)
            else:
                params[name] = value
        parsed = None
        try:
            parsed = operation.params.model_validate(params)
        except ValidationError as error:
            self.add_validation_faults(error, path, operation.params, names)
        if parsed is not None:
            for named in names_in(parsed):
                fault = self.explain_unknown_model(named.name) if named.mark.kind == "model" and named.written else ""
                if fault := fault or (self._explain_several_numbers(named.name) if named.mark.single else ""):
                    self._add_fault((*path, *named.path), fault)
        for name, field in operation.item.model_fields.items():
            if name in bindings:
                binding = bindings[name]
                if binding.kind == "sample":
                    self._inputs[str(binding.value)] = None
                elif binding.kind == "feature":
                    self._inputs[f"features.{binding.value}"] = None
            elif name in operation.rule_fields:
                if field.is_required() or (parsed is not None and getattr(parsed, name, _NO_DEFAULT) is None):
                    self._inputs[REFERENCE] = None
            elif name not in provided and field.is_required():
                self._inputs[name if reads_sample(name, field) else f"features.{written_name(name, field)}"] = None
        if self._faults > fault_count or parsed is None:
            return None
        return Step(operation, parsed, bindings, needs_row_validation(operation))

    def _bind_field(
        self,
        operation: Operation,
        name: str,
        value: Any,
        path: Path,
        params: dict[str, Any],
        bindings: dict[str, Binding],
    ) -> None:
        if not (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _BINDINGS):
            if fault := find_fault(operation.item, name, value):
                self._add_fault((*path, name), fault)
            bindings[name] = Binding("constant", value)
            return
        kind, source = next(iter(value.items()))
        if kind in ("component", "feature", "sample", "stored") and not isinstance(source, str):
            self._add_fault((*path, name), f"{kind} takes a name")
        elif kind == "component":
            if source not in self._compiled:
                self._add_fault(
                    (*path, name),
                    f"there is no component {source!r} before this one{did_you_mean(source, self._compiled)}",
                )
            bindings[name] = Binding("component", source)
        elif kind in ("quantile", "references", "stored"):
            references_field = name if "reference_rewards" not in operation.item.model_fields else "reference_rewards"
            if kind == "quantile":
                if "quantile" not in operation.params.model_fields:
                    self._add_fault((*path, name), f"{operation.name} takes no quantile of references")
                    return
                params["quantile"] = source
            bindings[references_field] = (
                Binding("stored", source) if kind == "stored" else Binding("prompt_references", None)
            )
        elif kind == "sample":
            if source not in SAMPLE_FIELDS:
                self._add_fault(
                    (*path, name), f"a sample has no field {source!r}{did_you_mean(str(source), SAMPLE_FIELDS)}"
                )
            bindings[name] = Binding("sample", source)
        else:
            bindings[name] = Binding("feature", source)

    def add_validation_faults(
        self, error: ValidationError, path: Path, model: type[BaseModel], more: Collection[str] = ()
    ) -> None:
        """Faults of what a model refused; ``more``: keys that are taken beside its own."""
        for fault in error.errors(include_url=False, include_input=False):
            self._add_fault((*path, *fault["loc"]), explain_fault(fault, model, more))
