"""``rewards check --data``: references that cannot be read are found before a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ended, Run

RECIPES = """
default: math
rewards:
  math: {components: {right: {score: math_equivalence}}}
  number: {components: {right: {score: numeric_match}}}
  letter: {components: {right: {score: multiple_choice}}}
  program: {components: {tests: {score: code_stdio}}}
  query: {components: {rows: {score: sql_execution}}}
  length: {components: {words: {score: response_length}}}
  listed:
    components: {right: {score: numeric_match}}
    references: json
"""
BROKEN: list[Any] = ["", r"\frac{1}{", None, " ", "$$", r"\boxed{}", r"\sqrt{", r"\left(", "x" * 5_001, []]
GOOD: list[Any] = [r"\frac{1}{2}", "1,000", "no solution", 42, ["4", "four"], "(1, 2)", r"x \in [1, 2)", "x^2+1"]


def check(run: Run, references: list[Any], *more: str) -> Ended:
    Path("rewards.yaml").write_text(RECIPES)
    rows = [{"prompt": "p", "response": "r", "reference": reference} for reference in references]
    Path("data.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return run("rewards", "check", "rewards.yaml", "--data", "data.jsonl", *more)


def test_ten_broken_references_among_good_ones_are_found_with_their_rows(run: Run) -> None:
    mixed = [reference for pair in zip(BROKEN, [*GOOD, *GOOD], strict=False) for reference in pair]
    found = check(run, mixed)
    assert found.code == 1
    assert [line.split(": ")[1] for line in found.out.splitlines()] == [f"row {2 * i + 1}" for i in range(len(BROKEN))]
    assert "10 of 20 references" in found.err


def test_a_data_set_that_can_be_read_is_told_so(run: Run) -> None:
    found = check(run, GOOD)
    assert (found.code, found.out) == (0, "")
    assert "8 references, all of them read by math" in found.err


def test_the_rule_of_the_recipe_that_is_named_decides(run: Run) -> None:
    numbers = check(run, ["4", "four", "x", "1/2"], "--reward", "number")
    assert (numbers.code, numbers.out) == (1, "data.jsonl: row 3: reference: is no single number\n")
    assert check(run, ["A", "(B)", "maybe"], "--reward", "letter").code == 1
    assert check(run, ['["4", "5"]'], "--reward", "listed").code == 0


def test_tests_and_queries_are_read_and_not_run(run: Run) -> None:
    tests = {"inputs": ["1"], "outputs": ["1"]}
    programs = check(run, [tests, json.dumps(tests), {"inputs": ["1"]}, "none"], "--reward", "program")
    assert [line.split(": ")[1] for line in programs.out.splitlines()] == ["row 3", "row 4"]
    queries = check(run, [{"answer": "SELECT 1", "database": "shop"}, {"database": "shop"}], "--reward", "query")
    assert [line.split(": ")[1] for line in queries.out.splitlines()] == ["row 2"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--reward", "length"), "reads a reference"),
        (("--reward", "none"), "there is no reward"),
        (("--reference-column", "gold"), "no column gold"),
    ],
)
def test_what_cannot_be_checked_is_said_at_once(run: Run, more: tuple[str, ...], told: str) -> None:
    found = check(run, ["4"], *more)
    assert (found.code, found.out) == (2, "")
    assert told in found.err
