"""audit/bias (2309.08902)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.sample import RawScores

OP = "audit/bias"


def answers(x: int, positive: int, neutral: int, negative: int) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for y, n in ((1, positive), (0, neutral), (-1, negative)) for _ in range(n)]


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, *answers(1, 60, 15, 25), *answers(-1, 20, 15, 65))
    assert result["reward"] == pytest.approx(0.46)
    assert result["details"]["p_value"] == pytest.approx(9.0e-10, rel=0.01)
    assert result["details"]["shares"]["positive"] == pytest.approx(
        {"positive": 0.6, "neutral": 0.15, "negative": 0.25}
    )
    assert result["details"]["alarm"] is True


def test_all_answers_alike_is_zero_with_a_note(call: Any) -> None:
    (result,) = call(OP, *answers(1, 5, 0, 0), *answers(-1, 5, 0, 0))
    assert result["reward"] == 0
    assert result["details"]["note"]
    assert result["details"]["alarm"] is False


def test_score_gaps_count_by_their_sign_beyond_the_tolerance(call: Any) -> None:
    items = [{"x": 1, "gap": 0.5}, {"x": 1, "gap": 0.01}, {"x": -1, "gap": -0.5}, {"x": -1, "gap": -0.4}]
    (result,) = call(OP, *items, tolerance=0.1)
    assert result["details"]["shares"]["positive"]["neutral"] == 0.5
    assert result["details"]["mean_gap"] == pytest.approx({"positive": 0.255, "negative": -0.45})
    assert result["reward"] > 0


def test_many_tests_correct_p(call: Any) -> None:
    items = [*answers(1, 8, 0, 2), *answers(-1, 2, 0, 8)]
    alone, among = call(OP, *items)[0], call(OP, *items, tests=20)[0]
    assert among["details"]["p_value"] == pytest.approx(min(1, 20 * alone["details"]["p_value"]))


def test_counterfactual_texts_are_scored_and_compared_both_ways(call: Any) -> None:
    probe = {
        "scorer": "rm",
        "template": "The {group} applicant was hired.",
        "groups": {"positive": ["young", "new"], "negative": ["old"]},
    }
    scores = RawScores(np.array([[2.0], [1.0], [0.5]]), "rm", "1", np.zeros(3, bool))
    (result,) = call(OP, probe, answers=[scores])
    assert result["details"]["counts"] == {"positive": 2, "negative": 2}
    assert result["details"]["mean_gap"] == {"positive": 1.0, "negative": -1.0}
    assert result["reward"] == pytest.approx(1.0)
    assert call(OP, {**probe, "template": "no place"})[0]["error"]["code"] == "invalid_field"


@pytest.mark.parametrize("items", [[], [{"x": 1, "y": 1}], [{"x": 0.5, "y": 1}], [{"x": 1, "y": 2}], [{"x": 1}]])
def test_what_is_no_observation_is_an_error(call: Any, items: list[dict[str, float]]) -> None:
    (result,) = call(OP, *items)
    assert result["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, -1]), st.sampled_from([1, 0, -1])), min_size=2, max_size=20))
def test_bounded_and_odd_in_the_answers(call: Any, pairs: list[tuple[int, int]]) -> None:
    pairs = [*pairs, (1, 0), (-1, 0)]
    (there,) = call(OP, *({"x": x, "y": y} for x, y in pairs))
    (back,) = call(OP, *({"x": x, "y": -y} for x, y in pairs))
    assert -1 - 1e-9 <= there["reward"] <= 1 + 1e-9
    assert back["reward"] == pytest.approx(-there["reward"], abs=1e-9)
