"""The operations give the numbers of their authors' code, as recorded; see README.md."""

import pytest
from reward_gateway.operations.registry import catalog

from tests.authors.record import Comparison, find_largest_difference, read_comparisons
from tests.authors.run import answer_here, find_differences, main

COMPARISONS = [pytest.param(comparison, id=comparison.name) for comparison in read_comparisons()]
VERIFIED = [
    *("combine/gdpo", "combine/ensemble", "score/overlong_penalty", "score/linear_length", "score/cosine_length"),
    *("score/likelihood", "score/token_f1", "transform/group_normalise", "transform/length_debias"),
]


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_every_recorded_case_has_the_recorded_numbers(comparison: Comparison) -> None:
    lines, _ = find_differences(comparison, answer_here)
    assert lines == []


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_comparison_names_what_was_run_and_holds_numbers(comparison: Comparison) -> None:
    assert catalog().get(*comparison.operation.split("/")) is not None
    assert comparison.repository
    assert comparison.function
    assert comparison.inputs
    assert comparison.agreement
    assert comparison.cases
    assert all(0 < case.example.tolerance <= 1e-4 for case in comparison.cases)
    assert {case.origin for case in comparison.cases} <= {"released", "formula"}


@pytest.mark.parametrize("path", VERIFIED)
def test_what_agreed_with_its_authors_code_is_called_verified(path: str) -> None:
    operation = catalog().get(*path.split("/"))
    assert operation is not None
    assert operation.fidelity == "verified"
    assert path in {comparison.operation for comparison in read_comparisons()}


def test_the_runner_says_where_an_answer_differs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["grpo", "l1"]) == 0
    said = capsys.readouterr().out
    assert said.count("agrees") == 2
    assert "volcengine/verl" in said
    monkeypatch.setattr("tests.authors.run.answer_here", lambda path, example: [{"reward": 7.0}])
    assert main(["repetition"]) == 1
    assert "results[0].reward is 7.0, not -0.5" in capsys.readouterr().out


def test_a_difference_is_relative_to_large_numbers() -> None:
    assert find_largest_difference([{"a": 100.0, "b": [1, 2]}], [{"a": 101.0, "b": [1, 2.5]}]) == 0.25
