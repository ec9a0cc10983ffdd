"""One step of a compiled recipe: an operation, its parameters, and where its fields are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reward_gateway.operations.names import names_in
from reward_gateway.operations.reading.alternatives import REFERENCE
from reward_gateway.operations.reading.rule_fields import carries_fields
from reward_gateway.operations.registry import Comparison, Operation, OperationParams
from reward_gateway.operations.verdicts import find_verdict_names

from .fields import Shape, infer_shape, table_field, value_field
from .step_fields import Binding, StepField, find_param


@dataclass(frozen=True)
class Step:
    """An operation with its parameters and the bindings of its fields; what follows from these is computed once."""

    operation: Operation
    params: OperationParams
    bindings: Mapping[str, Binding]
    checked: bool
    """Rows are validated by the operation's item model, because it has constraints or reads free-form objects."""
    fallback: str = ""
    """Who scored what it is run on, in place of one that is away."""

    @cached_property
    def fields(self) -> tuple[StepField, ...]:
        """The fields of its operation, in their order."""
        fields = self.operation.item.model_fields.items()
        return tuple(StepField.of(self.operation, name, field, self.bindings.get(name)) for name, field in fields)

    @cached_property
    def reference(self) -> StepField | None:
        """The field of the reference, where that may be an object with fields of rules."""
        if not carries_fields(self.operation):
            return None
        return next(field for field in self.fields if field.name == REFERENCE)

    @cached_property
    def value(self) -> tuple[str, Shape]:
        """The field of a transform that takes the value to transform, and its shape."""
        name = value_field(self.operation) or "reward"
        return name, infer_shape(self.operation.item.model_fields[name])

    @cached_property
    def table(self) -> tuple[str, Shape]:
        """The field of a combiner that takes the components, and its shape."""
        name = table_field(self.operation) or "rewards"
        return name, infer_shape(self.operation.item.model_fields[name])

    def find_param(self, name: str) -> str | None:
        """As :func:`.step_fields.find_param`."""
        return find_param(self.operation, name, self.bindings.get(name))

    @cached_property
    def shows_calls(self) -> bool:
        """The texts that it reads have their tool calls in them: it reads calls, or shows texts to a model or judge."""
        if self.operation.calls or self.shows_turns:
            return True
        return any(named.mark.kind == "model" for named in names_in(self.params))

    @cached_property
    def shows_turns(self) -> bool:
        """The texts that it reads are shown to a judge, with the roles of their turns."""
        return self.operation.judges_texts and any(named.mark.kind == "judge" for named in names_in(self.params))

    @cached_property
    def grouped(self) -> bool:
        """An answer depends on other samples."""
        return self.operation.is_grouped(self.params)

    @cached_property
    def stateful(self) -> bool:
        """An answer depends on stored state."""
        return self.operation.keeps_state(self.params)

    @cached_property
    def verdict_names(self) -> tuple[str, ...]:
        """The verdicts that it counts."""
        return find_verdict_names(self.operation, self.params)

    @cached_property
    def comparison(self) -> Comparison | None:
        """With what a sample is compared."""
        return self.operation.find_comparison(self.params)

    def describe(self) -> dict[str, Any]:
        """The step in the body of ``GET /v1/rewards/{name}``."""
        return {
            "operation": f"{self.operation.kind}/{self.operation.name}",
            "params": self.params.model_dump(mode="json"),
            "inputs": {name: {binding.kind: binding.value} for name, binding in self.bindings.items()},
        }
