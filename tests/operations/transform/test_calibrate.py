"""transform/calibrate and transform/length_debias: what is stored is played by the test."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.errors import NotFound
from reward_gateway.operations.apply import apply
from reward_gateway.operations.calibration.fit import fit_labels, fit_length, fit_moments
from reward_gateway.operations.effects import ReadSet
from reward_gateway.operations.registry import catalog

from tests.operations.conftest import call_operation

SCORES = np.random.default_rng(0).normal(1.0, 2.0, 200)
LABELS = np.random.default_rng(1).random(200) < 1 / (1 + np.exp(1.0 - SCORES))
LENGTHS = np.arange(200.0) + 10
STORED = {
    "platt": fit_labels("platt", SCORES, LABELS),
    "isotonic": fit_labels("isotonic", SCORES, LABELS),
    "temperature": fit_labels("temperature", SCORES, LABELS),
    "moments": fit_moments(SCORES),
    "length": fit_length(LENGTHS, SCORES + LENGTHS / 100, 2 / 3),
}
PROBABILITIES = ("platt", "isotonic", "temperature")
rewards = st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=20)


def ask(operation: str, method: str, *items: dict[str, float]) -> list[dict[str, Any]]:
    stored = STORED[method].model_dump(mode="json")
    return call_operation(f"transform/{operation}", *items, answers=[stored], name="x")


def calibrated(method: str, values: list[float]) -> list[float]:
    return [result["reward"] for result in ask("calibrate", method, *({"reward": value} for value in values))]


@pytest.mark.parametrize("method", PROBABILITIES)
@given(rewards)
def test_probabilities_rise_with_the_score_within_0_and_1(method: str, values: list[float]) -> None:
    found = calibrated(method, sorted(values))
    assert all(0 <= value <= 1 for value in found)
    assert all(a <= b for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("method", [*PROBABILITIES, "moments"])
@given(rewards)
def test_an_item_is_answered_alike_alone_and_in_any_batch(method: str, values: list[float]) -> None:
    assert calibrated(method, values) == [calibrated(method, [value])[0] for value in values]


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(0, 1e4)), min_size=1, max_size=10), st.floats(-1e4, 1e4))
def test_what_is_left_of_a_length_shifts_with_the_reward(points: list[tuple[float, float]], shift: float) -> None:
    plain = ask("length_debias", "length", *({"reward": r, "length": n} for r, n in points))
    shifted = ask("length_debias", "length", *({"reward": r + shift, "length": n} for r, n in points))
    for (reward, length), one, other in zip(points, plain, shifted, strict=True):
        assert other["reward"] == pytest.approx(one["reward"] + shift, abs=1e-9)
        assert one["reward"] == pytest.approx(reward - one["details"]["expected"])
        assert ask("length_debias", "length", {"reward": reward, "length": length}) == [one]


def test_beyond_the_stored_lengths_the_expectation_is_that_of_the_nearest() -> None:
    lengths = (0.0, 10.0, 209.0, 1e9)
    found = ask("length_debias", "length", *({"reward": 0.0, "length": length} for length in lengths))
    short, shortest, longest, long = (result["details"]["expected"] for result in found)
    assert (short, long) == (shortest, longest)


@pytest.mark.parametrize("operation", ["calibrate", "length_debias"])
def test_where_none_is_stored_every_item_says_what_to_put(operation: str) -> None:
    found = catalog().get("transform", operation)
    assert found is not None
    item = {"reward": 1.0, "length": 5.0} if operation == "length_debias" else {"reward": 1.0}
    steps = apply(found, [item, item], {"name": "helpful"})
    assert next(steps) == ReadSet("calibrations", "helpful")
    with pytest.raises(StopIteration) as end:
        steps.throw(NotFound("nothing"))
    for result in end.value.value:
        assert result["reward"] is None
        assert result["error"]["code"] == "operation_error"
        assert "there is no calibration 'helpful'" in result["error"]["message"]
        assert "PUT /v1/calibrations/helpful" in result["error"]["message"]


@pytest.mark.parametrize(
    ("operation", "method", "instead"),
    [("calibrate", "length", "transform/length_debias"), ("length_debias", "platt", "transform/calibrate")],
)
def test_another_kind_of_calibration_is_no_number(operation: str, method: str, instead: str) -> None:
    item = {"reward": 1.0, "length": 5.0} if operation == "length_debias" else {"reward": 1.0}
    (result,) = ask(operation, method, item)
    assert result["reward"] is None
    assert f"{method}, which {instead} applies" in result["error"]["message"]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [1.0],
        {"method": "platt", "n": 3, "parameters": {"a": 1.0}},
        {"method": "temperature", "n": 3, "parameters": {"temperature": 0.0}},
        {"method": "isotonic", "n": 3},
        {"method": "isotonic", "n": 3, "curve": {"x": [1.0, 1.0], "y": [0.0, 1.0]}},
    ],
)
def test_what_was_imported_and_is_no_calibration_is_no_number(broken: Any) -> None:
    (result,) = call_operation("transform/calibrate", {"reward": 1.0}, answers=[broken], name="x")
    assert result["reward"] is None
    assert "store it again" in result["error"]["message"]
