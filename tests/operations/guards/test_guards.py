"""operations/guards: a guard flags suspicious samples and decides nothing."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from reward_gateway.errors import InvalidRecipe
from reward_gateway.operations.guards import GUARDS, GuardView

from .judging import flagged, judge


def test_every_guard_has_a_summary_and_takes_an_empty_batch() -> None:
    arguments: dict[str, dict[str, Any]] = {
        "too_long": {"max_words": 1},
        "saturated": {"component": "a", "high": 1.0},
        "drifted": {"component": "a", "mean": 0.0, "std": 1.0},
        "ensemble_disagreement": {"components": ["a", "b"], "threshold": 1.0},
        "embedding_outlier": {"encoder": "e", "set": "s"},
    }
    nothing = {"a": np.empty(0), "b": np.empty(0)}
    for guard in GUARDS.values():
        assert guard.summary.endswith(".")
        caught = judge(guard.name, GuardView([], [], nothing, {}), **arguments.get(guard.name, {}))
        assert len(caught.suspicious) == len(caught.invalid) == 0


def test_a_blank_response_is_empty() -> None:
    assert flagged("empty_response", "", " \n", "a") == [True, True, False]


def test_a_master_key_is_caught_unless_it_is_the_reference() -> None:
    assert flagged("master_key", "Solution", "Solution", "7", references=[None, "solution", "8"]) == [
        True,
        False,
        False,
    ]


def test_a_loop_is_repetition_and_a_long_varied_text_is_not() -> None:
    loop = "the same words again " * 20
    varied = " ".join(f"word{i}" for i in range(80))
    assert flagged("repetition", loop, varied, "no no no") == [True, False, False]
    assert flagged("repetition", "no no no no", min_words=1, n=1, share=0.75) == [True]


def test_the_exact_limit_is_not_too_long() -> None:
    assert flagged("too_long", "a b", "a b c", max_words=2) == [False, True]
    assert flagged("too_long", "abc", "abcd", max_characters=3) == [False, True]
    with pytest.raises(ValidationError):
        flagged("too_long", "a")


def test_a_value_at_an_end_of_its_range_is_saturated() -> None:
    values = {"p": [0.0, 0.5, 1.0, 0.999, np.nan]}
    assert flagged("saturated", components=values, component="p", low=0.0, high=1.0) == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert flagged("saturated", components=values, component="p", high=1.0, margin=0.01) == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_a_value_far_from_where_values_used_to_be_has_drifted() -> None:
    values = {"p": [1.0, 3.0, 3.1, -1.1, np.nan]}
    assert flagged("drifted", components=values, component="p", mean=1.0, std=0.5, deviations=4) == [
        False,
        False,
        True,
        True,
        False,
    ]
    with pytest.raises(ValidationError):
        flagged("drifted", components=values, component="p", mean=1.0, std=0.0)


def test_members_that_lie_far_apart_disagree() -> None:
    members = {"a": [0.0, 0.0, np.nan], "b": [0.1, 4.0, 1.0]}
    view = GuardView([""] * 3, [[]] * 3, {name: np.array(column) for name, column in members.items()}, {})
    caught = judge("ensemble_disagreement", view, components=["a", "b"], threshold=1.0)
    assert caught.suspicious.tolist() == [False, True, False]


def test_a_models_own_warning_is_passed_on() -> None:
    flags = {1: ("truncated", "out_of_distribution"), 2: ("truncated",)}
    assert flagged("out_of_distribution", "a", "b", "c", flags=flags) == [False, True, False]


def test_a_component_that_the_recipe_lacks_is_the_recipes_fault() -> None:
    with pytest.raises(InvalidRecipe, match="'q'"):
        flagged("saturated", components={"p": [1.0]}, component="q", high=1.0)
