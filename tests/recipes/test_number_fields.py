"""Combiners that take a number for each part: a component of the part's name, or the one that is bound to it."""

from typing import Any

import pytest
from reward_gateway.errors import InvalidRecipe

TWO = """
components:
  {first}: {{score: given, inputs: {{value: {{feature: r}}}}}}
  {second}: {{score: given, inputs: {{value: {{feature: c}}}}}}
combine: {combine}
"""
FEATURES = [{"r": 2.0, "c": 0.5}, {"r": 1.0, "c": 0.0}]


@pytest.mark.parametrize(
    ("first", "second", "combine"),
    [
        ("reward", "cost", "{lagrangian: {name: x}}"),
        ("reward", "harm", "{lagrangian: {name: x, cost: {component: harm}}}"),
        ("cost", "reward", "{lagrangian: {name: x, reward: {component: cost}, cost: {component: reward}}}"),
        ("reward", "unused", "{lagrangian: {name: x, cost: {feature: c}}, then: {add: [unused]}}"),
    ],
)
def test_parts_are_components_of_their_names_or_those_that_are_bound(
    evaluated: Any, first: str, second: str, combine: str
) -> None:
    text = TWO.format(first=first, second=second, combine=combine)
    result = evaluated(text, features=FEATURES, answers=[2.0])
    added = [0.5, 0.0] if second == "unused" else [0.0, 0.0]
    assert result.reward.tolist() == [1.0 + added[0], 1.0 + added[1]]


def test_barfi_blends_what_its_parts_are_named(evaluated: Any) -> None:
    text = TWO.format(first="primary", second="aux", combine="{barfi: {phi: [1, 2]}}")
    assert evaluated(text, features=FEATURES).reward.tolist() == [3.0, 1.0]


@pytest.mark.parametrize(
    ("first", "second", "combine", "said"),
    [
        ("help", "cost", "{lagrangian: {name: x}}", "name a component reward, or say which one it is"),
        ("reward", "cost", "{lagrangian: {name: x, cost: {component: cots}}}", "no component 'cots'"),
        ("reward", "other", "{lagrangian: {name: x, cost: {feature: c}}}", "'other' is not read by combine/lagrangian"),
        ("reward", "cost", "{lagrangian: {}}", "Field required"),
    ],
)
def test_a_part_that_nothing_gives_and_a_component_that_nothing_reads_are_faults(
    compiled: Any, first: str, second: str, combine: str, said: str
) -> None:
    with pytest.raises(InvalidRecipe, match=said):
        compiled(TWO.format(first=first, second=second, combine=combine))
