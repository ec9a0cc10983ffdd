"""Mathematical answers: items per second beside Math-Verify in one process, and an easy item beside hostile ones.

    python loadtests/bench_math.py

Ordinary answers are those of the tests' cases with their references, each written anew so that nothing is remembered.
Both sides are timed alternately, and the medians of their ratios are printed. The easy item is an answer that needs
computer algebra; the hostile ones never end, and are given up after their three seconds.
"""

import argparse
import asyncio
import json
import logging
import statistics
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from reward_gateway.backends.math.checker import MathChecker
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import CompareMath
from reward_gateway.operations.registry import catalog

CASES = Path(__file__).parents[1] / "tests/operations/verifiable/cases.jsonl"
HOSTILE = "9^{9^{9^{9}}}"
ORDINARY = ("reported answers", "thousands & numbers", "units & text", "algebra & forms", "extraction", "same in a box")
_numbers = count(1_000)


def read_items() -> list[dict[str, str]]:
    cases = map(json.loads, CASES.read_text().splitlines())
    return [case["item"] for case in cases if case["operation"] == "math_equivalence" and case["class"] in ORDINARY]


async def score_items(items: Sequence[dict[str, str]], checker: MathChecker) -> list[Any]:
    """The rule over items, with the comparisons that it asks for."""
    operation = catalog().get("score", "math_equivalence")
    assert operation is not None
    steps, reply = apply(operation, list(items), {}), None
    while True:
        try:
            asked = steps.send(reply)
        except StopIteration as stop:
            return list(stop.value)
        assert isinstance(asked, CompareMath)
        reply = await checker.compare(asked.pairs)


def verify_items(items: Sequence[dict[str, str]]) -> None:
    """Math-Verify in this process, as its documentation calls it."""
    from math_verify import parse, verify

    for item in items:
        gold, answer = (
            parse(f"${item['reference']}$", parsing_timeout=None),
            parse(item["response"], parsing_timeout=None),
        )
        verify(gold, answer, timeout_seconds=None)


async def measure_speed(pairs: int) -> None:
    items = read_items()
    checker = MathChecker(processes=2)
    await checker.compare([("x+1", "1+x"), ("y+1", "1+y")])
    verify_items(items[:3])
    ratios = []
    for _ in range(pairs):
        checker._known.clear()
        begun = time.perf_counter()
        await score_items(items, checker)
        ours = time.perf_counter() - begun
        begun = time.perf_counter()
        verify_items(items)
        theirs = time.perf_counter() - begun
        ratios.append(theirs / ours)
        rates = f"{len(items) / ours:,.0f}/s, Math-Verify {len(items) / theirs:,.0f}/s"
        print(f"{len(items)} items: {rates}: {ratios[-1]:.1f} times")
    begun = time.perf_counter()
    await score_items(items, checker)
    print(f"again, remembered: {len(items) / (time.perf_counter() - begun):,.0f}/s")
    print(f"median {statistics.median(ratios):.1f} times")
    await checker.close()


def describe(times: Sequence[float]) -> str:
    return f"p50 {statistics.median(times) * 1e3:.2f} ms, p99 {statistics.quantiles(times, n=100)[98] * 1e3:.2f} ms"


async def measure_fairness(rounds: int) -> None:
    checker = MathChecker(processes=2)
    await checker.compare([("x+1", "1+x"), ("y+1", "1+y")])

    async def time_easy(kind: str) -> float:
        number = next(_numbers)
        item = {"response": f"\\boxed{{{number}}}", "reference": str(number)}
        if kind == "algebra":
            item = {"response": f"\\boxed{{x+{number}}}", "reference": f"{number}+x"}
        begun = time.perf_counter()
        (result,) = await score_items([item], checker)
        assert result["reward"] == 1.0
        return time.perf_counter() - begun

    async def be_hostile() -> None:
        while True:
            await checker.compare([(f"{next(_numbers)}", HOSTILE)])

    for kind in ("number", "algebra"):
        alone = [await time_easy(kind) for _ in range(rounds)]
        others = [asyncio.create_task(be_hostile()) for _ in range(16)]
        await asyncio.sleep(1.0)
        beside = []
        for _ in range(rounds):
            beside.append(await time_easy(kind))
            await asyncio.sleep(0.05)
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        shares = [statistics.quantiles(times, n=100)[98] for times in (alone, beside)]
        print(f"an easy {kind} alone: {describe(alone)}; beside 16 hostile ones: {describe(beside)}")
        print(f"p99 beside / alone: {shares[1] / shares[0]:.1f}")
    await checker.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    asyncio.run(measure_speed(arguments.pairs))
    asyncio.run(measure_fairness(arguments.rounds))


if __name__ == "__main__":
    main()
