"""Runs the recorded comparisons: ``python -m tests.authors.run [--url URL] [NAME ...]``; see README.md."""

import argparse
import asyncio
import json
import sys
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from reward_gateway.admin.calibrations import put_calibration, read_calibration_body
from reward_gateway.cache.null import NullCache
from reward_gateway.operations.apply import apply
from reward_gateway.operations.registry import Operation, catalog
from reward_gateway.operations.worked_examples import WorkedExample
from reward_gateway.pages.answers import NoModels, compute_answer
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime, run_effects
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import NO_SCOPE
from reward_gateway.state.store import StateStore

from tests.authors.record import Comparison, find_largest_difference, read_comparisons

Answer = Callable[[str, WorkedExample], Any]


def answer_here(path: str, example: WorkedExample) -> Any:
    """The results of an operation in this process, with state that is discarded."""
    operation = catalog().get(*path.split("/"))
    if operation is None:
        raise LookupError(f"there is no operation {path}")
    return asyncio.run(answer_after_put(operation, example) if example.given else compute_answer(operation, example))


async def answer_after_put(operation: Operation, example: WorkedExample) -> Any:
    """The results of an operation in this process, once it has the calibrations that the example puts beforehand."""
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process())
    for path, body in example.given["put"].items():
        name = path.removeprefix("/v1/calibrations/")
        fitted = read_calibration_body(64, json.dumps(body).encode())
        await put_calibration(runtime, name, fitted, b"", NO_SCOPE)
    return await run_effects(apply(operation, example.items, example.params), runtime, RequestContext())


def answer_by(url: str) -> Answer:
    """The results of a running service."""

    def send(method: str, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        address = f"{url.rstrip('/')}{path}"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answered:
            return json.load(answered)

    def ask(path: str, example: WorkedExample) -> Any:
        for place, body in example.given.get("put", {}).items():
            send("PUT", place, body)
        return send("POST", f"/v1/{path}", example.request)["results"]

    return ask


def find_differences(comparison: Comparison, answer: Answer) -> tuple[list[str], float]:
    """Where the operation's answers are not those recorded, a line a place; and the largest difference of a number."""
    lines: list[str] = []
    largest = 0.0
    for case in comparison.cases:
        results = answer(comparison.operation, case.example)
        lines += [f"{case.example.title}: {line}" for line in case.example.differences(results)]
        largest = max(largest, find_largest_difference(case.example.results, results))
    return lines, largest


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compare the operations with what authors' code answered.")
    parser.add_argument("names", nargs="*", help="Comparisons; all if none is named.")
    parser.add_argument("--url", help="Ask a running service; else all is computed in this process.")
    given = parser.parse_args(arguments)
    recorded = {comparison.name: comparison for comparison in read_comparisons()}
    if unknown := [name for name in given.names if name not in recorded]:
        parser.error(f"there is no comparison {', '.join(unknown)}; there are {', '.join(recorded)}")
    failed = 0
    for name in given.names or recorded:
        comparison = recorded[name]
        lines, largest = find_differences(comparison, answer_by(given.url) if given.url else answer_here)
        failed += bool(lines)
        verdict = "DIFFERS" if lines else "agrees"
        print(f"{verdict}  {comparison.operation:28} {comparison.repository:38} {largest:.1e}  {name}")
        for line in lines:
            print(f"         {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
