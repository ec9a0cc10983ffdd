"""Worked examples of the operations: a request and the answer that it must get, as data for tests, pages and people.

One file an operation, ``examples/<kind>/<name>.json``: a list of

    {"title": "…", "request": {"items": […], "params": {…}}, "results": […], "tolerance": 5e-05}

``results`` holds what is expected of each result, which may say more; numbers agree to ``tolerance``, relative for
large ones. ``given`` names what stands behind the operation in this example: the scores of a model by its name, the
log-probabilities that a language model gives to the texts that it is asked for, the numbers that a process model gives
to their steps, what the sandbox answers, or what was put beforehand, by its path.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("examples")


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """A request to ``POST /v1/{kind}/{name}`` and what it is answered.

    Attributes:
        results: what each result must hold, numbers rounded as in their source.
        tolerance: largest difference of a number, relative to the greater of it and 1.
        given: ``{"models": {name: [score per row]}}``, ``{"logprobs": [one list per text]}``,
            ``{"steps": [one list per answer]}``, ``{"sandbox": [result a program]}`` or ``{"put": {path: body}}``,
            where needed.
    """

    title: str
    items: list[dict[str, Any]]
    params: dict[str, Any]
    results: list[dict[str, Any]]
    tolerance: float
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def request(self) -> dict[str, Any]:
        """The request's body."""
        return {"items": self.items, "params": self.params}

    def differences(self, answered: Any) -> list[str]:
        """Where an answer (the body's ``results``) is not what was expected: a line per place; none if it agrees."""
        return _find_differences(self.results, answered, self.tolerance, "results")


@cache
def examples_of(kind: str, name: str) -> tuple[WorkedExample, ...]:
    """The worked examples of an operation; none where it has no file."""
    file = FOLDER / kind / f"{name}.json"
    if not file.is_file():
        return ()
    return tuple(
        WorkedExample(
            title=entry["title"],
            items=entry["request"]["items"],
            params=entry["request"]["params"],
            results=entry["results"],
            tolerance=entry["tolerance"],
            given=entry.get("given", {}),
        )
        for entry in json.loads(file.read_text(encoding="utf-8"))
    )


def _find_differences(expected: Any, got: Any, tolerance: float, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            if key in got:
                found += _find_differences(value, got[key], tolerance, f"{path}.{key}")
            else:
                found.append(f"{path}.{key} is missing")
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for i, (value, answer) in enumerate(zip(expected, got, strict=True)):
            found += _find_differences(value, answer, tolerance, f"{path}[{i}]")
    elif _is_number(expected) and _is_number(got):
        if not abs(expected - got) <= tolerance * max(1.0, abs(expected)):
            found.append(f"{path} is {got!r}, not {expected!r}")
    elif type(expected) is not type(got) or expected != got:
        found.append(f"{path} is {got!r}, not {expected!r}")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
