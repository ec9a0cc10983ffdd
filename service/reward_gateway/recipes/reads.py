"""What the steps of a recipe read of a sample, required or not."""

from collections.abc import Iterable, Iterator

from reward_gateway.sample.fields import MESSAGES

from .fields import reads_sample, table_field, takes_group
from .step import Step

_MEMBER_FIELDS = frozenset({"response", "id"})
"""What the members of a group operation read of their samples, besides features."""


def find_fields_read(step: Step) -> frozenset[str]:
    """Names of the sample's fields that a step reads; ``messages`` stands for prompt and response."""
    if takes_group(step.operation) or (step.operation.kind == "combine" and table_field(step.operation) == "group"):
        return _MEMBER_FIELDS
    return expand_messages(_iterate_fields(step))


def needs_prompt(step: Step) -> bool:
    """Whether every sample needs a prompt; where numbers may stand in for it, :class:`.ColumnBinder` checks each."""
    return "prompt" in find_fields_read(step) and not step.operation.prompt_unless


def expand_messages(names: Iterable[str]) -> frozenset[str]:
    """Names of fields, with prompt and response in place of ``messages``."""
    read = frozenset(names)
    return read - {MESSAGES} | {"prompt", "response"} if MESSAGES in read else read


def _iterate_fields(step: Step) -> Iterator[str]:
    for name, field in step.operation.item.model_fields.items():
        binding = step.bindings.get(name)
        if binding is None:
            if reads_sample(name, field) and (name != "group" or field.is_required()):
                yield name
        elif binding.kind == "sample":
            yield str(binding.value)
        elif binding.kind == "prompt_references":
            yield "group"
