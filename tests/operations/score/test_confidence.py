"""score/self_certainty and score/negative_entropy: the published values, what is refused, and laws of both."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.recipes.conftest import batch_of, compile_recipe, run_plan

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BOTH = pytest.mark.parametrize("name", ["self_certainty", "negative_entropy"])
SKEWED = [math.log(p) for p in (0.7, 0.1, 0.1, 0.1)]
UNIFORM = [math.log(0.25)] * 4
SURE = [0.0, -1e9, -1e9, -1e9]


def score(call: Any, name: str, item: dict[str, Any], **params: Any) -> Any:
    (result,) = call(f"score/{name}", item, **params)
    assert result["error"] is None, result["error"]
    return result["reward"]


def fault(call: Any, name: str, item: dict[str, Any], **params: Any) -> Any:
    (result,) = call(f"score/{name}", item, **params)
    assert result["reward"] is None
    assert result["error"]["code"] == "invalid_field"
    return result["error"]


@pytest.mark.parametrize(("name", "expected"), [("self_certainty", 0.42981), ("negative_entropy", -0.94045)])
def test_the_published_values(call: Any, name: str, expected: float) -> None:
    assert score(call, name, {"logprobs": [SKEWED]}) == pytest.approx(expected, abs=5e-6)


def test_a_guess_is_the_least_and_certainty_the_most(call: Any) -> None:
    assert score(call, "self_certainty", {"logprobs": [UNIFORM]}) == pytest.approx(0, abs=1e-12)
    assert score(call, "negative_entropy", {"logprobs": [UNIFORM]}) == pytest.approx(-math.log(4))
    assert score(call, "negative_entropy", {"logprobs": [SURE]}) == 0


def test_what_is_sent_instead_of_the_table_gives_the_same(call: Any) -> None:
    rows = [SKEWED, UNIFORM]
    whole = score(call, "self_certainty", {"logprobs": rows})
    means = [float(np.mean(row)) for row in rows]
    assert score(call, "self_certainty", {"mean_logprob": means, "vocabulary": 4}) == pytest.approx(whole)
    assert score(call, "self_certainty", {"mean_logprob": means}, vocabulary=4) == pytest.approx(whole)
    entropy = [-float(np.exp(row) @ np.array(row)) for row in rows]
    assert score(call, "negative_entropy", {"entropy": entropy}) == pytest.approx(
        score(call, "negative_entropy", {"logprobs": rows})
    )


def test_an_items_own_vocabulary_goes_before_that_of_the_request(call: Any) -> None:
    item = {"mean_logprob": [-math.log(4)], "vocabulary": 4}
    assert score(call, "self_certainty", item, vocabulary=2) == pytest.approx(0, abs=1e-12)


def test_in_a_recipe_the_numbers_are_features_and_the_vocabulary_is_written() -> None:
    plan = compile_recipe("components: {a: {score: self_certainty, params: {vocabulary: 4}}}")
    features: list[dict[str, Any]] = [{"mean_logprob": [-1.8]}, {"logprobs": [SKEWED]}, {"mean_logprob": [-0.1]}, {}]
    result = run_plan(plan, batch_of(4, features=features))
    assert result.reward[:2] == pytest.approx([1.8 - math.log(4), 0.42981], abs=5e-6)
    assert {row: reason.code for row, reason in result.invalid.items()} == {2: "invalid_field", 3: "invalid_field"}
    plan = compile_recipe("components: {a: {score: negative_entropy, inputs: {entropy: {feature: h}}}}")
    result = run_plan(plan, batch_of(2, features=[{"h": [0.5, 1.5]}, {"h": []}]))
    assert result.reward[0] == -1
    assert list(result.invalid) == [1]


@BOTH
@pytest.mark.parametrize(("last", "counted"), [(1.0, 4), (0.75, 3), (0.5, 2), (0.3, 2), (0.25, 1), (0.01, 1)])
def test_the_last_tokens_count_rounded_up(call: Any, name: str, last: float, counted: int) -> None:
    rows = [UNIFORM, SKEWED, SURE, SKEWED]
    (result,) = call(f"score/{name}", {"logprobs": rows}, last=last)
    assert result["details"]["tokens"] == counted
    assert result["reward"] == pytest.approx(score(call, name, {"logprobs": rows[4 - counted :]}))


@BOTH
@pytest.mark.parametrize(
    "logprobs",
    [[-0.1, -0.2, -0.05], [[-0.1], [-0.2]], [[-0.1, -0.2, -0.05]], [SKEWED[:3]], [SKEWED, SKEWED[1:]], [[0.0], [0.0]]],
)
def test_log_probabilities_of_sampled_tokens_are_another_quantity(call: Any, name: str, logprobs: Any) -> None:
    error = fault(call, name, {"logprobs": logprobs})
    assert error["param"].startswith("logprobs")
    assert "whole vocabulary" in error["message"] or "every entry of the vocabulary" in error["message"]


def test_a_mean_that_no_whole_vocabulary_has_is_refused(call: Any) -> None:
    error = fault(call, "self_certainty", {"mean_logprob": [-2.0, -0.2], "vocabulary": 4})
    assert error["param"] == "mean_logprob[1]"


@BOTH
def test_a_row_adds_up_to_1_within_the_tolerance(call: Any, name: str) -> None:
    rounded = [[math.log(p) for p in (0.7, 0.1, 0.1, 0.095)]]
    assert "0.995" in fault(call, name, {"logprobs": rounded})["message"]
    assert math.isfinite(score(call, name, {"logprobs": rounded}, tolerance=0.01))


@pytest.mark.parametrize(
    ("name", "item", "param"),
    [
        ("self_certainty", {}, None),
        ("self_certainty", {"logprobs": [SKEWED], "mean_logprob": [-2.0]}, None),
        ("self_certainty", {"logprobs": []}, "logprobs"),
        ("self_certainty", {"mean_logprob": [], "vocabulary": 4}, "mean_logprob"),
        ("self_certainty", {"mean_logprob": [-2.0]}, "vocabulary"),
        ("self_certainty", {"mean_logprob": [-2.0], "vocabulary": 1}, "vocabulary"),
        ("self_certainty", {"logprobs": [SKEWED], "vocabulary": 5}, "logprobs"),
        ("self_certainty", {"logprobs": [[1e308, 1.0]]}, "logprobs[0]"),
        ("negative_entropy", {"entropy": []}, "entropy"),
        ("negative_entropy", {"entropy": [0.1, -0.1]}, "entropy[1]"),
        ("negative_entropy", {"logprobs": [SKEWED], "entropy": [0.1]}, None),
    ],
)
def test_what_cannot_be_read_is_an_error_of_its_item_alone(
    call: Any, name: str, item: dict[str, Any], param: str | None
) -> None:
    bad, good = call(f"score/{name}", item, {"logprobs": [SKEWED]})
    assert (bad["reward"], bad["error"]["param"]) == (None, param)
    assert good["error"] is None


@st.composite
def tables(draw: st.DrawFn) -> list[list[float]]:
    size = draw(st.integers(2, 6))
    weights = st.lists(st.floats(1e-6, 1.0), min_size=size, max_size=size)
    rows = draw(st.lists(weights, min_size=1, max_size=5))
    return [np.log(np.array(row) / sum(row)).tolist() for row in rows]


@given(tables())
@LAWS
def test_both_are_within_their_bounds(call: Any, rows: list[list[float]]) -> None:
    assert score(call, "self_certainty", {"logprobs": rows}) >= -1e-9
    assert -math.log(len(rows[0])) - 1e-9 <= score(call, "negative_entropy", {"logprobs": rows}) <= 1e-9


@BOTH
@given(rows=tables(), data=st.data())
@LAWS
def test_neither_the_order_of_the_vocabulary_nor_of_the_tokens_counts(
    call: Any, name: str, rows: list[list[float]], data: st.DataObject
) -> None:
    places = data.draw(st.permutations(range(len(rows[0]))))
    shuffled = data.draw(st.permutations([[row[place] for place in places] for row in rows]))
    assert score(call, name, {"logprobs": shuffled}) == pytest.approx(score(call, name, {"logprobs": rows}), abs=1e-12)


@BOTH
@given(first=tables(), second=tables())
@LAWS
def test_a_batch_is_its_items_alone(call: Any, name: str, first: Any, second: Any) -> None:
    together = call(f"score/{name}", {"logprobs": first}, {"logprobs": second})
    assert [result["reward"] for result in together] == [
        score(call, name, {"logprobs": rows}) for rows in (first, second)
    ]
