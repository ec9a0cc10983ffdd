"""What answers say of groups: numbers of their valid members, and whether the recipe's rule keeps them."""

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.group_stats import measure_groups
from reward_gateway.recipes.schema import KeepSpec
from reward_gateway.sample import GroupStats

NAN = math.nan


def test_a_group_is_described_by_its_valid_members() -> None:
    names = ["a", "b", "a", "b", "a", "c", "\0sample-6"]
    stats = measure_groups(names, np.array([1.0, 2.0, 0.0, 2.0, NAN, NAN, 1.0]), None)
    assert stats == {
        "a": GroupStats(2, 0.5, math.sqrt(0.5), False, 0.5, None),
        "b": GroupStats(2, 2.0, 0.0, True, 1.0, None),
        "c": GroupStats(0, None, None, True, None, None),
    }


def test_one_member_has_no_spread() -> None:
    assert measure_groups(["a"], np.array([0.3]), KeepSpec(std_above=0)) == {
        "a": GroupStats(1, 0.3, None, True, 0.0, False)
    }


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ({"std_above": 0}, [False, True, True, False]),
        ({"std_above": 0.5}, [False, False, True, False]),  # strict: the spread of the second is .5
        ({"accuracy_in": [0.25, 0.5]}, [False, True, True, False]),  # inclusive
        ({"accuracy_in": [0.0, 0.3]}, [True, True, False, False]),
        ({"std_above": 0, "accuracy_in": [0.0, 0.3]}, [False, True, False, False]),
    ],
)
def test_the_rule_of_the_recipe_keeps_groups(keep: dict[str, Any], kept: list[bool]) -> None:
    members = {"none": [0, 0, 0, 0], "few": [1, 0, 0, 0], "half": [1, 1, 0, 0], "all": [1, 1, 1, 1]}
    names = [name for name, values in members.items() for _ in values]
    values = np.array([float(value) for column in members.values() for value in column])
    stats = measure_groups(names, values, KeepSpec.model_validate(keep))
    assert [stats[name].keep for name in members] == kept


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-1e3, 1e3) | st.just(NAN)), max_size=30))
def test_the_numbers_are_those_of_each_group_alone(rows: list[tuple[str, float]]) -> None:
    stats = measure_groups([name for name, _ in rows], np.array([value for _, value in rows]), None)
    assert list(stats) == list(dict.fromkeys(name for name, _ in rows))
    for name, found in stats.items():
        values = [value for other, value in rows if other == name and not math.isnan(value)]
        assert found.n == len(values)
        assert found.mean == (None if not values else pytest.approx(statistics.fmean(values), abs=1e-9))
        assert found.std == (None if len(values) < 2 else pytest.approx(statistics.stdev(values), abs=1e-9))
        assert found.accuracy == (None if not values else sum(value > 0.5 for value in values) / len(values))
        if values:
            assert found.all_equal == (len(set(values)) == 1)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("{keep: {std_above: 0}}", "compares no samples"),
        ("{normalize: mean, keep: {of: b, std_above: 0}}", "no component 'b'"),
        ("{normalize: mean, keep: {of: a}}", "give std_above"),
        ("{normalize: mean, keep: {accuracy_in: [0.8, 0.2]}}", "the smaller first"),
        ("{normalize: mean, cohort: {size: 4}, keep: {std_above: 0}}", "knows the whole group"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_a_fault(group: str, message: str) -> None:
    recipe = f"rewards:\n  r:\n    components: {{a: {{score: given}}}}\n    group: {group}\n"
    with pytest.raises(InvalidRecipe, match=message):
        load_book(recipe)
