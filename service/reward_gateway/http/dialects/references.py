"""The reference of a sample whose data set keeps it in an object of named values."""

from collections.abc import Mapping
from typing import Any

from reward_gateway.errors import InvalidRequest

from .texts import label_text

NAMES = ("answer", "reference")
"""The value of the first of these is the reference, where an object holds several values."""

RULE_FIELDS = frozenset(
    {"choices", "pattern", "json_schema", "tests", "instruction_id_list", "kwargs", "tools", "database"}
)
"""Fields of rules: an object that holds one of them beside others is the reference as a whole, as JSON."""


def pick_reference(values: Mapping[str, Any] | None, param: str, *, needed: bool) -> str | None:
    """The reference among the named values of a row.

    It is the only value, or the whole object if that names a rule's fields, or the value of ``answer`` or
    ``reference``. None if there are no values.

    Args:
        needed: whether the recipe reads the reference.

    Raises:
        InvalidRequest: the recipe reads the reference, and none of several values is known to be it.
    """
    if not values:
        return None
    if len(values) == 1:
        return label_text(next(iter(values.values())))
    if not RULE_FIELDS.isdisjoint(values):
        return label_text(values)
    for name in NAMES:
        if name in values:
            return label_text(values[name])
    if needed:
        raise InvalidRequest(f"{param}: expected one value, or one that is named answer or reference", param=param)
    return None
