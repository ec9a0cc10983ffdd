"""Values of a column as the operation's item model declares them: what fits is fitted, the rest has a reason."""

from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import Field, create_model
from reward_gateway.operations.registry import OperationItem
from reward_gateway.recipes import column_types
from reward_gateway.recipes.column_types import fit_column


def fit(annotation: Any, *column: Any) -> tuple[list[Any], dict[int, str]]:
    return fit_column(create_model("Item", __base__=OperationItem, x=(annotation, ...)), "x", column)


@pytest.mark.parametrize(
    ("annotation", "given", "fitted"),
    [
        (float, 1.0, 1.0),
        (bool, 1.0, True),
        (bool | None, 0.0, False),
        (int, 3.0, 3),
        (int | str, 3.0, 3),
        (float | bool, 1.0, 1.0),
        (list[int], [1.0, 2.0], [1, 2]),
        (list[float], np.array([1.0, 2.0]), [1.0, 2.0]),
        (list[list[float]], [[1.0], []], [[1.0], []]),
        (float | list[float], [1.0], [1.0]),
        (float, np.float64(2.0), 2.0),
    ],
)
def test_numbers_are_fitted_as_the_field_has_them(annotation: Any, given: Any, fitted: Any) -> None:
    (value, missing), faults = fit(annotation, given, None)
    assert (value, type(value), missing, faults) == (fitted, type(fitted), None, {})


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        (float, [1.0]),
        (float, float("nan")),
        (int, 3.5),
        (bool, 2.0),
        (str, 3.0),
        (list[float], 1.0),
        (list[float], [[1.0]]),
        (list[list[float]], [1.0]),
        (dict[str, float], 1.0),
    ],
)
def test_what_does_not_fit_is_the_reason_of_its_row(annotation: Any, given: Any) -> None:
    values, faults = fit(annotation, None, given)
    assert values == [None, None]
    assert faults.keys() == {1}


def test_a_million_faults_of_a_value_are_told_as_one() -> None:
    # Collecting them all took seconds, on the event loop.
    with pytest.raises(ValueError) as caught:
        create_model("Item", __base__=OperationItem, x=(list[float], ...)).model_validate({"x": [[]] * 1000})
    assert len(caught.value.errors()) == 1  # type: ignore[attr-defined]


def test_a_long_array_where_there_should_be_none_is_refused_by_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    _, faults = fit(float, [0.0])
    monkeypatch.setattr(column_types, "_to_plain", lambda value: pytest.fail("all of it was read"))
    assert fit(float, np.zeros(2 * column_types.PREFIX)) == ([None], faults)
    assert fit(list[int], np.full(2 * column_types.PREFIX, 0.5))[1]


def test_a_long_array_that_fits_is_fitted_whole() -> None:
    length = column_types.PREFIX + 1
    assert fit(Annotated[list[float], Field(min_length=length)], np.zeros(length)) == ([[0.0] * length], {})
    assert fit(list[int], np.array([0.0] * (length - 1) + [0.5]))[1], "whatever stands at its end"
