"""sample/labels.py: ground truths of data sets as references."""

from typing import Any

import pytest
from reward_gateway.operations.registry import catalog
from reward_gateway.sample.labels import RULE_FIELDS, read_label


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ("4", "4"),
        (4, "4"),
        (True, "true"),
        (None, None),
        (["4", "four"], ["4", "four"]),
        ({"answer": "B", "choices": ["x", "y"]}, {"answer": "B", "choices": ["x", "y"]}),
        ({"pattern": "^a"}, {"pattern": "^a"}),
        ({"target": ["Paris", "paris"]}, ["Paris", "paris"]),
        ({"ground_truth": 4}, "4"),
        ({"inputs": ["1"], "outputs": ["2"]}, {"inputs": ["1"], "outputs": ["2"]}),
        ({"input": "1", "output": "2"}, '{"input": "1", "output": "2"}'),
        ({"b": None}, '{"b": null}'),
    ],
)
def test_lists_and_fields_of_rules_stay_what_they_are_and_all_else_is_text(value: Any, reference: Any) -> None:
    assert read_label(value) == reference


def test_the_fields_of_rules_are_those_that_operations_declare() -> None:
    declared = {name for operation in catalog() for name in operation.rule_fields}
    assert declared - {"key", "input", "output", "language"} == RULE_FIELDS
