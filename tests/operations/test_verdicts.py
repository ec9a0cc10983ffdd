"""How rules came to their verdicts, as numbers: the same names always, and nothing that a sample says."""

from collections.abc import Sequence
from typing import Any, get_args

import pytest
from reward_gateway.operations.mathematics.decision import By
from reward_gateway.operations.outcome import Outcome
from reward_gateway.operations.registry import catalog
from reward_gateway.operations.verdicts import VERDICTS, find_verdict_names, read_verdicts


def names_of(kind: str, name: str, **params: object) -> tuple[str, ...]:
    operation = catalog().get(kind, name)
    assert operation is not None
    return find_verdict_names(operation, operation.params.model_validate(params))


def test_mathematics_says_by_what_it_compared_and_what_it_saw() -> None:
    ways = tuple(f"by_{by}" for by in get_args(By))
    assert names_of("score", "math_equivalence") == (*ways, "several_answers", "matched", "unfinished_reasoning")


@pytest.mark.parametrize(
    ("name", "params", "names"),
    [
        ("exact_match", {}, ("matched", "unfinished_reasoning")),
        ("exact_match", {"text": "whole"}, ("matched",)),
        ("exact_match", {"unfinished": "read"}, ("matched",)),
        ("regex_match", {"pattern": "a"}, ("unfinished_reasoning",)),
        ("response_length", {}, ()),
    ],
)
def test_other_rules_have_what_their_parameters_make_possible(
    name: str, params: dict[str, object], names: tuple[str, ...]
) -> None:
    assert names_of("score", name, **params) == names


def test_every_operation_has_names_of_the_closed_set() -> None:
    for operation in catalog():
        assert set(find_verdict_names(operation, operation.params.model_construct())) <= set(VERDICTS)


def test_details_become_one_number_per_sample() -> None:
    details: dict[str, Sequence[Any]] = {
        "by": ["exact", None, "text"],
        "several_answers": [None, True, False],
        "matched": [0, None, 2],
        "answer": ["secret"] * 3,
    }
    read = read_verdicts(VERDICTS, Outcome(details=details), 3)
    assert tuple(read) == VERDICTS
    assert {name: column.tolist() for name, column in read.items() if column.any()} == {
        "by_exact": [1, 0, 0],
        "by_text": [0, 0, 1],
        "several_answers": [0, 1, 0],
        "matched": [1, 0, 1],
    }
