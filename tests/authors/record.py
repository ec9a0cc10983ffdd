"""The record of comparisons with authors' code: what was run, and inputs and outputs as numbers; see README.md."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reward_gateway.operations.worked_examples import WorkedExample

FOLDER = Path(__file__).with_name("comparisons")


@dataclass(frozen=True, slots=True)
class Case:
    """Inputs of an operation with the outputs that they must have.

    Attributes:
        origin: ``released``: the outputs are those of the authors' function; ``formula``: worked out by hand.
    """

    example: WorkedExample
    origin: Literal["released", "formula"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One function of an author, and the operation that computes the same."""

    name: str
    repository: str
    function: str
    operation: str
    inputs: str
    agreement: str
    cases: Sequence[Case]
    commit: str = ""
    differs: str = ""


def read_comparisons() -> list[Comparison]:
    """Every comparison, by name."""
    return [_read_file(file) for file in sorted(FOLDER.glob("*.json"))]


def find_largest_difference(expected: Any, answered: Any) -> float:
    """The largest difference of two numbers in the same place, relative to the greater of the expected one and 1."""
    if isinstance(expected, dict) and isinstance(answered, dict):
        pairs = [(value, answered.get(key)) for key, value in expected.items()]
    elif isinstance(expected, list) and isinstance(answered, list):
        pairs = list(zip(expected, answered, strict=False))
    elif isinstance(expected, int | float) and isinstance(answered, int | float):
        return abs(expected - answered) / max(1.0, abs(expected))
    else:
        return 0.0
    return max((find_largest_difference(*pair) for pair in pairs), default=0.0)


def _read_file(file: Path) -> Comparison:
    written = json.loads(file.read_text(encoding="utf-8"))
    cases = [
        Case(
            WorkedExample(
                case["title"],
                case["request"]["items"],
                case["request"]["params"],
                case["results"],
                case["tolerance"],
                case.get("given", {}),
            ),
            case["origin"],
        )
        for case in written.pop("cases")
    ]
    return Comparison(name=file.stem, cases=cases, **written)
