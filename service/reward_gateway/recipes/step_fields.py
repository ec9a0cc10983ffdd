"""The fields of a step's operation, with all that is known of them before a request comes: what each reads, and of what
type."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic.fields import FieldInfo

from reward_gateway.operations.reading.alternatives import REFERENCE
from reward_gateway.operations.registry import Operation
from reward_gateway.sample.fields import MESSAGES

from .fields import SAMPLE_FIELDS, Shape, accepts_floats, accepts_vectors, infer_shape, reads_sample, written_name

SourceKind = Literal["constant", "feature", "sample", "component", "stored", "prompt_references"]


@dataclass(frozen=True, slots=True)
class Binding:
    """The source of one field of a step's operation."""

    kind: SourceKind
    value: Any


@dataclass(frozen=True, slots=True)
class StepField:
    """One field.

    Attributes:
        info: of the item's model.
        binding: where the recipe says that its values are; None: it says nothing.
        param: path of the sample's value that it reads; None if it reads no value of the sample.
        reads_sample: unbound, it reads the sample's field of its name.
        fits_floats, fits_vectors: arrays of numbers, and lists of vectors, are known to be of its type.
    """

    name: str
    info: FieldInfo
    shape: Shape
    required: bool
    binding: Binding | None
    param: str | None
    reads_sample: bool
    fits_floats: bool
    fits_vectors: bool

    @classmethod
    def of(cls, operation: Operation, name: str, info: FieldInfo, binding: Binding | None) -> "StepField":
        shape = infer_shape(info)
        computed = binding is not None and binding.kind == "component"
        return cls(
            name,
            info,
            shape,
            info.is_required(),
            binding,
            find_param(operation, name, binding),
            binding is None and reads_sample(name, info),
            accepts_floats(info),
            shape == "vector" and (computed or accepts_vectors(info)),
        )

    @property
    def reads_prompt(self) -> bool:
        return self.param in ("prompt", MESSAGES)

    def find_default(self) -> Any:
        """The value of items that have none; None: nothing stands in for it."""
        if self.info.default_factory is not None:
            return self.info.get_default(call_default_factory=True)
        return None if self.required else self.info.default

    def is_fitting(self, column: Any) -> bool:
        """True if a column is known to fit: a constant, which was checked when the recipe was compiled; the sample's
        own field of that name; and arrays, of long features or of what earlier steps computed, where the shape is the
        field's.
        """
        if self.binding is not None and self.binding.kind == "constant":
            return True
        if isinstance(column, list):
            return self.reads_sample or (self.fits_vectors and all(map(_is_vector, column)))
        if isinstance(column, np.ndarray):
            return self.fits_floats
        return self.shape == "table"


def _is_vector(value: Any) -> bool:
    return value is None or (isinstance(value, np.ndarray) and value.ndim == 1)


def find_param(operation: Operation, name: str, binding: Binding | None) -> str | None:
    """Path of the sample's value that a field reads; None if it reads no value of the sample."""
    if binding is None:
        if name in operation.rule_fields:
            return f"{REFERENCE}.{name}"
        return name if name in SAMPLE_FIELDS else f"features.{written_name(name, operation.item.model_fields[name])}"
    if binding.kind == "feature":
        return f"features.{binding.value}"
    return str(binding.value) if binding.kind == "sample" else None
