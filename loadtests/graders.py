"""Mathematical graders side by side, on the cases of the tests: ours, Math-Verify's, TRL's and verl's four.

    pip install --no-deps --target others trl==1.16.0 verl==0.9.1 pylatexenc==2.11
    python loadtests/graders.py --others others

Each is called as its authors call it. A grader that cannot be imported is left out of the table, with the reason. The
cases are those of ``tests/operations/verifiable/cases.jsonl``; ``--cases`` names another file of that form.
"""

import argparse
import importlib.util
import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from reward_gateway.backends.math.comparison import compare_answers
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import CompareMath
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid

CASES = Path(__file__).parents[1] / "tests/operations/verifiable/cases.jsonl"
LIMIT_S = 6
"""Seconds for one case, after which a grader has none right."""

Grader = Callable[[str, str], float]
"""Response and reference to reward."""


@contextmanager
def limited() -> Iterator[None]:
    """End what takes too long: hostile expressions are among the cases."""

    def end(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def grade_here(response: str, reference: str) -> float:
    """``score/math_equivalence`` in this process."""
    operation = catalog().get("score", "math_equivalence")
    assert operation is not None
    steps, reply = apply(operation, [{"response": response, "reference": reference}], {}), None
    while True:
        try:
            asked = steps.send(reply)
        except StopIteration as stop:
            return float(stop.value[0]["reward"] or 0.0)
        assert isinstance(asked, CompareMath)
        unread = Invalid("invalid_field", "unreadable")
        reply = [compare_answers(*pair) or unread for pair in asked.pairs]


def grade_by_math_verify(response: str, reference: str) -> float:
    """Math-Verify with its defaults; a bare reference in dollar signs, as its documentation says."""
    from math_verify import parse, verify

    gold = parse(reference if any(mark in reference for mark in ("$", "\\(", "\\[", "\\boxed")) else f"${reference}$")
    return float(verify(gold, parse(response)))


def stand_in(folder: Path) -> None:
    """verl's packages by their folders, without what they import: Ray, tensordict and all that trains. Of its metrics,
    which its helpers import, no grader uses anything."""
    for name in ("verl", "verl.utils"):
        package = ModuleType(name)
        package.__path__ = [str(folder / name.replace(".", "/"))]
        sys.modules[name] = package
    metric = ModuleType("verl.utils.metric")
    metric.Metric = object  # type: ignore[attr-defined]
    sys.modules[metric.__name__] = metric


def load(folder: Path, path: str) -> ModuleType:
    """A module of a package by its file, without the package's own imports."""
    file = folder / path
    name = path.replace("/", ".").removesuffix(".py").removesuffix(".__init__")
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(file.parent)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_trl(folder: Path) -> Grader:
    sys.path.append(str(folder))
    from trl.rewards import accuracy_reward

    def grade(response: str, reference: str) -> float:
        solution = reference if "$" in reference or "\\boxed" in reference else f"${reference}$"
        (reward,) = accuracy_reward([[{"role": "assistant", "content": response}]], [solution])
        return float(reward or 0.0)

    return grade


def load_verl(folder: Path, name: str) -> Grader:
    scores = "verl/utils/reward_score"
    module = load(
        folder, f"{scores}/{name}/__init__.py" if (folder / scores / name).is_dir() else f"{scores}/{name}.py"
    )

    def grade(response: str, reference: str) -> float:
        found = module.compute_score(response, reference)
        if isinstance(found, tuple):
            found = found[0]
        value = found["acc"] if isinstance(found, dict) else found
        return float(value > 0)

    return grade


def find_graders(others: Path | None) -> tuple[dict[str, Grader], dict[str, str]]:
    """The graders that can be called here, and why the others cannot."""
    graders: dict[str, Grader] = {"reward-gateway": grade_here, "Math-Verify": grade_by_math_verify}
    missing: dict[str, str] = {}
    if others is not None:
        stand_in(others)
        loaders: dict[str, Callable[[], Grader]] = {
            "TRL accuracy_reward": lambda: load_trl(others),
            **{
                f"verl {name}": lambda name=name: load_verl(others, name)  # type: ignore[misc]
                for name in ("gsm8k", "math_reward", "math_dapo", "prime_math")
            },
        }
        for name, loader in loaders.items():
            try:
                graders[name] = loader()
            except Exception as error:
                missing[name] = f"{type(error).__name__}: {error}"
    return graders, missing


def is_right(grade: Grader, case: dict[str, Any]) -> bool:
    try:
        with limited():
            reward = grade(case["item"]["response"], case["item"]["reference"])
    except Exception:
        return False
    return bool(abs(reward - case["expected"]) < 1e-5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--others", type=Path, help="Folder with trl and verl.")
    parser.add_argument("--cases", type=Path, default=CASES)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    cases = [json.loads(line) for line in arguments.cases.read_text().splitlines()]
    cases = [case for case in cases if case["operation"] == "math_equivalence"]
    graders, missing = find_graders(arguments.others)
    table: dict[str, dict[str, int]] = {}
    for name, grade in graders.items():
        for case in cases:
            table.setdefault(case["class"], dict.fromkeys(graders, 0))[name] += is_right(grade, case)
    sizes = {kind: sum(case["class"] == kind for case in cases) for kind in table}
    print("| class | cases |", " | ".join(graders), "|")
    print("|---|---|", "---|" * len(graders), sep="")
    for kind, row in table.items():
        print(f"| {kind} | {sizes[kind]} |", " | ".join(map(str, row.values())), "|")
    totals = [sum(row[name] for row in table.values()) for name in graders]
    print(f"| all | {len(cases)} |", " | ".join(f"{total} ({total / len(cases):.0%})" for total in totals), "|")
    for name, reason in missing.items():
        print(f"left out: {name} ({reason})", file=sys.stderr)


if __name__ == "__main__":
    main()
