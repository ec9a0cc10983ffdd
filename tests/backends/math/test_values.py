"""backends/math/values.py: values of expressions, each with a bound of its error."""

import pytest
from reward_gateway.backends.math.parsing import read_expression
from reward_gateway.backends.math.values import NO_VALUE, evaluate


@pytest.mark.parametrize(
    ("text", "places", "expected"),
    [
        ("2x+1", {"x": 3.0}, 7.0),
        (r"\frac{1}{x}", {"x": 0.25}, 4.0),
        (r"\sqrt{x}", {"x": 2.0}, 2.0**0.5),
        (r"\sum_{k=1}^{n} k", {"n": 4.0}, 10.0),
        ("n!", {"n": 5.0}, 120.0),
        (r"\binom{n}{k}", {"n": 6.0, "k": 2.0}, 15.0),
        ("f(x)+x", {"x": 3.0, "f(x)": 5.0}, 8.0),
    ],
)
def test_the_value_lies_within_its_error(text: str, places: dict[str, float], expected: float) -> None:
    found = evaluate(read_expression(text)[0], places)
    assert abs(found.value - expected) <= found.error + 1e-15 * expected


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (r"\frac{1}{x}", {"x": 0.0}),
        (r"\ln x", {"x": 0.0}),
        (r"\sum_{k=1}^{n} k", {"n": 4.5}),
        ("n!", {"n": 0.5}),
        ("n!", {"n": -1.0}),
        ("n!", {"n": 26.0}),
        (r"\binom{n}{k}", {"n": 2.0, "k": 3.0}),
        ("f(x)", {"x": 1.0}),
        (r"\int_0^x t dt", {"x": 1.0}),
        ("10^{40}x", {"x": 1.0}),
    ],
)
def test_what_has_no_value_is_said_to_have_none(text: str, places: dict[str, float]) -> None:
    with pytest.raises(NO_VALUE):
        evaluate(read_expression(text)[0], places)
