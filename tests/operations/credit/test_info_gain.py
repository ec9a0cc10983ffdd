"""credit/info_gain (2510.27410)."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "credit/info_gain"
PRIOR = {"a": [1.0] * 4, "b": [1.0] * 2, "c": [1.0] * 8}
AFTER = {"a": [1.0, 0, 0, 0], "b": [1.0] * 2, "c": [1.0] * 2 + [0.0] * 6}


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"beliefs": [PRIOR, AFTER]})
    assert result["rewards"] == pytest.approx([4])
    assert result["details"]["entropy"] == pytest.approx([6, 2])
    (by_answer,) = call(OP, {"beliefs": [PRIOR], "constraints": [{"a": [0], "c": [0, 1]}]})
    assert by_answer["rewards"] == result["rewards"]


def test_asking_again_gains_nothing_and_spreading_costs(call: Any) -> None:
    (result,) = call(OP, {"beliefs": [PRIOR, AFTER, {}, {"a": [1.0, 1.0, 0, 0]}]})
    assert result["rewards"] == pytest.approx([4, 0, -1])


def test_a_contradiction_gains_nothing_and_is_said(call: Any) -> None:
    (result,) = call(OP, {"beliefs": [{"a": [1, 1, 0]}], "constraints": [{"a": [2]}, {"a": [0]}]})
    assert result["rewards"] == pytest.approx([0, 1])
    assert result["details"]["inconsistent"] == [1]
    assert result["details"]["flags"] == ["inconsistent"]


def test_what_cannot_be_a_belief_is_an_error(call: Any) -> None:
    for broken in call(
        OP,
        {"beliefs": []},
        {"beliefs": [{"a": [0, 0]}]},
        {"beliefs": [{"a": [1, -1]}]},
        {"beliefs": [{"a": [1]}, {"b": [1]}]},
        {"beliefs": [{"a": [1]}], "constraints": [{"a": [1]}]},
        {"beliefs": [{"a": [1]}, {"a": [1]}], "constraints": []},
    ):
        assert broken["error"]["code"] == "invalid_field"


def test_a_dialogue_without_turns_has_no_rewards(call: Any) -> None:
    assert call(OP, {"beliefs": [PRIOR]})[0]["rewards"] == []


WEIGHTS = st.lists(st.floats(0.0, 1e4), min_size=3, max_size=3).filter(any)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.fixed_dictionaries({"a": WEIGHTS, "b": WEIGHTS}), min_size=1, max_size=5))
def test_it_telescopes_and_scale_does_not_matter(call: Any, beliefs: list[dict[str, list[float]]]) -> None:
    halved = [{name: [w / 2 for w in values] for name, values in belief.items()} for belief in beliefs]
    result, other = call(OP, {"beliefs": beliefs}, {"beliefs": halved})
    entropies = result["details"]["entropy"]
    assert sum(result["rewards"]) == pytest.approx(entropies[0] - entropies[-1], abs=1e-9)
    assert all(-1e-12 <= h <= 2 * math.log2(3) + 1e-9 for h in entropies)
    assert other["rewards"] == pytest.approx(result["rewards"], abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sets(st.integers(0, 5), min_size=1), max_size=4))
def test_hard_constraints_on_a_uniform_prior_never_lose(call: Any, turns: list[set[int]]) -> None:
    (result,) = call(OP, {"beliefs": [{"a": [1.0] * 6}], "constraints": [{"a": sorted(turn)} for turn in turns]})
    assert all(gain >= -1e-12 for gain in result["rewards"])
