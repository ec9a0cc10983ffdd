"""score/numeric_match with ``unit: required``: a number and its unit, whatever unit it is given in."""

from typing import Any

import pytest

RIGHT = [
    ("5 km", "5 km"),
    ("5 km", "5000 m"),
    ("5 km", "5,000 metres"),
    ("5 km", r"so it is \boxed{5\,\text{km}}"),
    ("5 km", "The distance is **5 km**."),
    ("5 km", "It is *5 km* away."),
    ("5 km", "It is 5 km, or so they say"),
    ("5 km", "a 5-km-long road"),
    ("5 km", "5 km at most"),
    ("5 km", "<answer>5 kilometers</answer>"),
    ("5 km", "500 000 cm"),
    ("5 km", "5KM"),
    ("5 km", "总距离是5公里。"),
    ("5000 m", "5 km"),
    ("0.5 m/s^2", "0.5 m/s²"),
    ("0.5 m/s^2", r"$0.5\ \mathrm{m/s^{2}}$"),
    ("0.5 m/s^2", "50 cm s^-2"),
    ("0.5 m/s^2", "0.5 meters per second squared"),
    ("0.5 m/s^2", "0.5 m/s/s"),
    ("0.5 m/s^2", r"\frac{1}{2}\,\frac{m}{s^2}"),
    ("10 m/s", "36 km/h"),
    ("36 km/h", "10 m/s"),
    ("36 km/h", "First it runs 36 km in 1 h, so its speed is 36 km per hour."),
    ("60 mph", "60 miles per hour"),
    ("60 mph", "88 feet per second"),
    ("25 °C", "298.15 K"),
    ("25 °C", "77 °F"),
    ("25 °C", r"25^\circ\text{C}"),
    ("25 °C", "25 degrees Celsius"),
    ("298.15 K", "25℃"),
    ("-40 °C", "-40 degrees Fahrenheit"),
    ("3 hours", "180 min"),
    ("3 hours", "three hours"),
    ("3 hours", "10,800 seconds"),
    ("90 minutes", "1 h 30 min"),
    ("90 minutes", "1 hour and 30 minutes"),
    ("1 h 30 min", "1.5 hours"),
    ("70 inches", "5 ft 10 in"),
    ("$5", "500 cents"),
    ("$5", r"\$5"),
    ("$5", "US$5.00"),
    ("$5", "5 dollars"),
    ("500 cents", "$5"),
    ("$1,500,000", "$1.5 million"),
    ("€5", "5 euros"),
    ("£3", "300 pence"),
    ("£3", "3 pounds"),
    ("¥100", "100 yen"),
    ("$5/hour", "5 dollars per hour"),
    ("50%", "50 percent"),
    ("50%", r"50\%"),
    ("50%", "0.5"),
    ("180°", "180 degrees"),
    ("180°", "3.141593 rad"),
    ("180°", r"\pi rad"),
    ("180°", "π radians"),
    ("1 kWh", "3.6 MJ"),
    ("5 N", "5 kg·m/s²"),
    ("8.314 J/mol·K", "8.314 J/(mol K)"),
    ("2 L", "2000 mL"),
    ("2 L", "2000 cm^3"),
    ("10 acres", "435600 square feet"),
    ("1 byte", "8 bits"),
    ("5 µm", r"5\,\mu\text{m}"),
    ("20 dB", "20 dB"),
    ("5‰", "0.5%"),
    ("2 kΩ", r"2000\,\Omega"),
    ("3 lbs", "48 oz"),
    ("#### 5 km", "#### 5000 m"),
    ("1e3 m", "6 × 10³ m minus 5 km is 1 km"),
]

WRONG = [
    ("5 km", "5", "unit_missing"),
    ("5 km", "5 miles", "value"),
    ("5 km", "5 m", "value"),
    ("5 km", "5001 m", "value"),
    ("5 km", "5 km/h", "unit_incompatible"),
    ("5 km", "5 km^2", "unit_incompatible"),
    ("5 km", "5 kg", "unit_incompatible"),
    ("5 km", "5 Mm", "value"),
    ("5 km", "5 apples", "unit_unknown"),
    ("5 km", "5 in total", "unit_unknown"),
    ("5 km", "I do not know", "no_number"),
    ("5 km", "", "no_number"),
    ("5 km", "The road has 5 km and 3 lanes", "unit_unknown"),
    ("5 km", "-5 km", "value"),
    ("5 km", "5 km or 6 km", "no_number"),
    ("5 km", "6 km or 5 km", "no_number"),
    ("5 km", "It is not 5 km", "no_number"),
    ("5 km", "5 cats", "unit_unknown"),
    ("5 km", "5 m**9**9**9", "unit_unknown"),
    ("5 km", "5 km^999999999", "unit_unknown"),
    ("5 km", "5 km^x", "unit_unknown"),
    ("5 km", "5 km/xyz", "unit_unknown"),
    ("5 km", "5 km per person", "unit_unknown"),
    ("5 km", "5 km/2", "unit_unknown"),
    ("5 km", "5 " + "(" * 400 + "km", "unit_missing"),
    ("5 km", "5 " + "km*" * 400, "unit_unknown"),
    ("5 km", "5 __import__('os').getcwd()", "unit_missing"),
    ("10 m/s", "10", "unit_missing"),
    ("10 m/s", "10 m/s^2", "unit_incompatible"),
    ("10 m/s", "10 s/m", "unit_incompatible"),
    ("10 m/s", "10 km/h", "value"),
    ("10 m/s", "36 m/h", "value"),
    ("25 °C", "25 K", "value"),
    ("25 °C", "25 °F", "value"),
    ("25 °C", "25°", "unit_incompatible"),
    ("25 °C", "25", "unit_missing"),
    ("3 hours", "180", "unit_missing"),
    ("3 hours", "3 min", "value"),
    ("3 hours", "180 minutes and 3 seconds", "value"),
    ("3 hours", "181 min", "value"),
    ("90 minutes", "1 h 30 s", "value"),
    ("90 minutes", "1 h, 90 min late, at 30 min", "value"),
    ("$5", "5", "unit_missing"),
    ("$5", "€5", "unit_incompatible"),
    ("$5", "£5", "unit_incompatible"),
    ("$5", "5 cents", "value"),
    ("$5", "5%", "unit_incompatible"),
    ("$5", "$5 million", "value"),
    ("$5", "$5/hour", "unit_incompatible"),
    ("$5", "$5$", "unit_missing"),
    ("€5", "5 dollars", "unit_incompatible"),
    ("£3", "3 lb", "unit_incompatible"),
    ("¥100", "100 won", "unit_incompatible"),
    ("50%", "50", "value"),
    ("50%", "0.5%", "value"),
    ("50%", "0.5 rad", "unit_incompatible"),
    ("50%", "0.5 apples", "unit_unknown"),
    ("180°", "180", "unit_missing"),
    ("180°", "180 rad", "value"),
    ("180°", "3.14 rad", "value"),
    ("1 kWh", "1 kW", "unit_incompatible"),
    ("1 kWh", "1 MJ", "value"),
    ("5 N", "5 kg·m/s", "unit_incompatible"),
    ("2 L", "2 m^2", "unit_incompatible"),
    ("2 L", "2 mL", "value"),
    ("1 byte", "8", "unit_missing"),
    ("3 lbs", "3 kg", "value"),
    ("1 Hz", "60 rpm", "unit_incompatible"),
    ("5 mm", "5 Mm", "value"),
    ("20 dB", "20 m", "unit_incompatible"),
]


@pytest.mark.parametrize(("reference", "response"), RIGHT)
def test_the_same_quantity_counts_in_any_unit(call: Any, reference: str, response: str) -> None:
    (result,) = call("score/numeric_match", {"response": response, "reference": reference}, unit="required")
    assert result["reward"] == 1.0, result
    assert result["details"]["mismatch"] is None


@pytest.mark.parametrize(("reference", "response", "mismatch"), WRONG)
def test_another_quantity_or_one_without_a_unit_does_not(
    call: Any, reference: str, response: str, mismatch: str
) -> None:
    (result,) = call("score/numeric_match", {"response": response, "reference": reference}, unit="required")
    assert result["reward"] == 0.0, result
    assert result["details"]["mismatch"] == mismatch


@pytest.mark.parametrize(
    "reference",
    ["5", "5 apples", "km", "", "about 5 km", "5 km or 6 km", "5 m**9**9**9", "5 km^2^3", "the 5 km", "5 xyz/s", "1/2"],
)
def test_a_reference_without_a_unit_that_is_known_is_an_error_of_its_item(call: Any, reference: str) -> None:
    bad, fine = call(
        "score/numeric_match",
        {"response": "5 km", "reference": reference},
        {"response": "5 km", "reference": "5 km"},
        unit="required",
    )
    assert bad["error"]["param"] == "reference"
    assert "unit" in bad["error"]["message"]
    assert fine["reward"] == 1.0


def test_the_details_say_what_was_read(call: Any) -> None:
    (result,) = call("score/numeric_match", {"response": "36 km/h", "reference": "11 m/s"}, unit="required")
    assert result["details"] == {"number": 36.0, "unit": "kilometer / hour", "mismatch": "value"}


def test_tolerances_are_in_the_references_unit(call: Any) -> None:
    def reward(**params: Any) -> float:
        item = {"response": "8.05 km", "reference": "5 miles"}
        (result,) = call("score/numeric_match", item, unit="required", **params)
        value: float = result["reward"]
        return value

    assert reward() == 0.0
    assert reward(rel_tol=0.001) == 1.0
    assert reward(abs_tol=0.001) == 0.0
    assert reward(abs_tol=0.01) == 1.0


def test_one_of_several_references_may_be_in_another_unit(call: Any) -> None:
    (result,) = call("score/numeric_match", {"response": "2 h", "reference": ["90 min", "120 min"]}, unit="required")
    assert result["reward"] == 1.0


def test_units_are_left_out_unless_they_are_required(call: Any) -> None:
    (result,) = call("score/numeric_match", {"response": "5 miles", "reference": "5 km"})
    assert result["reward"] == 1.0
    assert result["details"] == {"number": 5.0}


@pytest.mark.parametrize(
    ("response", "expected"),
    [("The answer is **42**.", 1.0), ("答案是**42**。", 1.0), ("**41**", 0.0), ("**42**km", 1.0)],
)
def test_bold_numbers_are_numbers(call: Any, response: str, expected: float) -> None:
    (result,) = call("score/numeric_match", {"response": response, "reference": "42"})
    assert result["reward"] == expected
