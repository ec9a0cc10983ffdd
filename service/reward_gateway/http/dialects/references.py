"""The reference of a sample whose data set keeps it in an object of named values."""

from collections.abc import Mapping
from typing import Any

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample.labels import RULE_FIELDS, Label, read_label

NAMES = ("answer", "reference")
"""The value of the first of these is the reference, where an object holds several values."""


def pick_reference(values: Mapping[str, Any] | None, param: str, *, needed: bool) -> Label | None:
    """The reference among the named values of a row.

    It is the whole object if that names a rule's fields, or the only value, or the value of ``answer`` or
    ``reference``. None if there are no values.

    Args:
        needed: whether the recipe reads the reference.

    Raises:
        InvalidRequest: the recipe reads the reference, and none of several values is known to be it.
    """
    if not values:
        return None
    if not RULE_FIELDS.isdisjoint(values):
        return dict(values)
    if len(values) == 1:
        return read_label(next(iter(values.values())))
    for name in NAMES:
        if name in values:
            return read_label(values[name])
    if needed:
        raise InvalidRequest(f"{param}: expected one value, or one that is named answer or reference", param=param)
    return None
