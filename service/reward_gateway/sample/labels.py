"""Ground truths of data sets, in whichever form trainers hand them over, as references."""

import json
from collections.abc import Mapping
from typing import Any

Label = str | list[Any] | dict[str, Any]

HOLDERS = ("target", "ground_truth", "reference", "solution")
"""Keys by which data sets hold nothing but the answer: ``{"target": ["Paris"]}``."""

RULE_FIELDS = frozenset(
    (
        *("choices", "pattern", "json_schema", "keywords", "tools", "database", "instruction_id_list", "kwargs"),
        *("tests", "entry_point", "fn_name", "inputs", "outputs", "checker"),
        *("public_tests", "private_tests", "generated_tests", "test_cases"),
    )
)
"""Fields of rules that a reference may carry by their names, beside ``answer``. Names that data sets also give to other
things (``key``, ``input``, ``output``, ``language``) do not tell an object of a rule's fields."""


def read_label(value: Any) -> Label | None:
    """A ground truth of plain JSON values as a reference.

    Texts and lists (accepted answers) are what they are, and so is an object that names a rule's fields or ``answer``;
    one whose only key is of :data:`HOLDERS` is what it holds. All else is its JSON text.
    """
    if value is None or isinstance(value, str | list):
        return value
    if isinstance(value, Mapping):
        if "answer" in value or not RULE_FIELDS.isdisjoint(value):
            return dict(value)
        if len(value) == 1 and (name := next(iter(value))) in HOLDERS:
            return read_label(value[name])
    return json.dumps(value, ensure_ascii=False)
