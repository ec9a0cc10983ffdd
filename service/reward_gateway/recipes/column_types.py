"""Fits the values of a column to the type that an operation's item model declares for the field, row by row.

The item model is the one place that says what a field takes: single operations validate their items with it, recipes
fit with it whatever stands where a field is bound (a feature, a stored set, the value of another component). Numbers
are fitted as they have to be: features are floats, so 3.0 is 3 where the field is a count, and 1.0 is true where it is
yes or no.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError, create_model

from reward_gateway.operations.registry import OperationItem

PREFIX = 1000
"""Entries of an array that are fitted before all of them are: one that is no list at all is found out at once."""


@cache
def _column_model(item: type[BaseModel], field: str) -> type[BaseModel]:
    annotation = item.model_fields[field].annotation
    return create_model(f"{item.__name__}Column", __base__=OperationItem, values=(list[annotation], ...))  # type: ignore[valid-type]


def fit_column(item: type[BaseModel], field: str, column: Sequence[Any]) -> tuple[list[Any], dict[int, str]]:
    """Fit the values of a column to a field's type.

    Args:
        column: [n] values as they came, numpy arrays included; None where a row has none.

    Returns:
        [n] fitted values, None where there is none or where it does not fit; and, by place, what is wrong with those
        that do not fit, without the value.
    """
    model = _column_model(item, field)
    fitted: list[Any] = [None] * len(column)
    faults: dict[int, str] = {}
    for k, value in enumerate(column):
        if (
            isinstance(value, np.ndarray)
            and value.ndim
            and len(value) > PREFIX
            and (fault := _find_early_fault(model, value))
        ):
            faults[k] = fault
    places = [k for k, value in enumerate(column) if value is not None and k not in faults]
    values = [_to_plain(column[k]) for k in places]
    try:
        kept = _fit_values(model, values)
    except ValidationError:
        kept = []
        for k, value in zip(places, values, strict=True):
            try:
                kept += _fit_values(model, [value])
            except ValidationError as error:
                kept.append(None)
                faults[k] = str(error.errors(include_url=False, include_input=False)[0]["msg"])
    for k, value in zip(places, kept, strict=True):
        fitted[k] = value
    return fitted, faults


def find_fault(item: type[BaseModel], field: str, constant: Any) -> str:
    """What is wrong with a constant of a recipe as the value of a field; empty if it fits as it is."""
    try:
        _column_model(item, field).model_validate({"values": [constant]})
    except ValidationError as error:
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])
    return ""


def _find_early_fault(model: type[BaseModel], array: NDArray[Any]) -> str:
    """What is wrong with the beginning of an array, and so with all of it; empty if nothing is."""
    try:
        _fit_values(model, [array[:PREFIX].tolist()])
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        return "" if fault["type"] == "too_short" else str(fault["msg"])
    return ""


def _fit_values(model: type[BaseModel], values: list[Any]) -> list[Any]:
    return model.model_validate({"values": values}, strict=False).values  # type: ignore[attr-defined,no-any-return]


def _to_plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
