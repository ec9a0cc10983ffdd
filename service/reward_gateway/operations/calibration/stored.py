"""Reads a calibration from the store of named sets."""

from collections.abc import Collection

from pydantic import ValidationError

from reward_gateway.sample import Invalid

from ..effects import Effectful
from ..stored_sets import read_sets
from .calibration import Calibration

SETS = "calibrations"
"""The kind under which calibrations are stored."""


def read_calibration(name: str, methods: Collection[str], instead: str) -> Effectful[Calibration | Invalid]:
    """The calibration of a name, or why no item has an answer: none is stored, or another method was fitted.

    Args:
        methods: those that the operation can apply; the first stands for them in the advice.
        instead: what applies the others.
    """
    found = yield from read_sets(SETS, (name,))
    first = next(iter(methods))
    put = f'PUT /v1/calibrations/{name} {{"method": "{first}", "points": […]}}'
    if name not in found:
        return Invalid("operation_error", f"there is no calibration {name!r} yet; store one: {put}")
    try:
        stored = Calibration.model_validate(found[name])
    except ValidationError:
        message = f"what is stored as calibration {name!r} is none; store it again: {put}"
        return Invalid("operation_error", message)
    if stored.method not in methods:
        message = f"calibration {name!r} has the method {stored.method}, which {instead} applies; store another: {put}"
        return Invalid("operation_error", message)
    return stored
