"""Mathematical answers: items per second beside Math-Verify in one process, and an easy item beside hostile ones.

    python loadtests/bench_math.py

Ordinary answers are those of the tests' cases with their references, each once; nothing is remembered from one round
to the next. ``groups`` is what a run asks: 16 answers to each reference, of which half are right in one of four forms
and the others are off in one of four ways. Plain numbers are integers, decimals, fractions and percentages, each once.
Both sides are warmed up, then timed in turn, and the medians of their ratios are printed.

Easy items are one that is decided at once and one that needs computer algebra. Sixteen clients send answers that never
end (powers, factorials, products) and are given up. All the while the event loop is asked how late it
is, which is what a health answer has to wait for.
"""

import argparse
import asyncio
import json
import logging
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from reward_gateway.backends.math.checker import MathChecker
from reward_gateway.operations.answers.numbers import read_number
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import CompareMath
from reward_gateway.operations.mathematics.decide import _decide_kept
from reward_gateway.operations.mathematics.evaluation import evaluate
from reward_gateway.operations.mathematics.notation import to_latex
from reward_gateway.operations.registry import catalog
from reward_gateway.operations.score.math_equivalence import _read_reference

CASES = Path(__file__).parents[1] / "tests/operations/verifiable/cases.jsonl"
HOSTILE = (
    "9^{9^{9^{9}}}",
    "(10^{9})!+x",
    r"\prod_{k=1}^{10^9} (k+x)",
)
ORDINARY = ("reported answers", "thousands & numbers", "units & text", "algebra & forms", "extraction", "same in a box")
GROUP = 16
PLAIN = 160
PROCESSES = 2
WARM_UP = 8
"""Rounds until nearly every process has met nearly every answer: what it knows of the grammar grows with each."""
_numbers = count(1_000)

REFERENCES = (
    ("42", ("42", "42.0", "\\frac{84}{2}", "x = 42"), ("41", "-42", "4.2", "42x")),
    (r"\frac{3}{7}", ("3/7", "\\frac37", "\\frac{6}{14}", "(3/7)"), ("7/3", "0.43", "\\frac{3}{8}", "3")),
    (r"2\sqrt{3}", ("\\sqrt{12}", "2 \\sqrt 3", "\\frac{6}{\\sqrt{3}}", "2√3"), ("3\\sqrt2", "\\sqrt{6}", "12", "2")),
    ("x^2+2x+1", ("(x+1)^2", "1+2x+x^2", "x(x+2)+1", "x^{2} + 2x + 1"), ("(x-1)^2", "x^2+1", "x+1", "2x^2")),
    (
        r"\left(-\infty, 2\right]",
        ("(-\\infty,2]", "x \\le 2", "(-\\infty, 4/2]", "x<=2"),
        ("x<2", "(2,\\infty)", "2", "[2,3]"),
    ),
    (
        r"\frac{\pi}{6}",
        ("\\pi/6", "pi/6", "30^\\circ", "\\frac{1}{6}\\pi"),
        ("\\pi/3", "60", "\\frac{6}{\\pi}", "\\pi"),
    ),
    (
        r"\sin 2x",
        ("2\\sin x\\cos x", "\\sin(2x)", "\\sin{2x}", "2 \\cos x \\sin x"),
        ("\\sin x", "2\\sin x", "\\cos 2x", "1"),
    ),
    (r"e^{2x}", ("e^{2x}", "(e^x)^2", "\\exp(2x)", "e^{x+x}"), ("e^x", "2e^x", "e^{x^2}", "2x")),
    ("(3, -4)", ("(3,-4)", "(3, -8/2)", "\\left(3, -4\\right)", "( 3 , -4 )"), ("(-4, 3)", "3", "(3, 4)", "7")),
    (r"\log_2 8", ("3", "\\log_{2}{8}", "\\frac{6}{2}", "1+2"), ("2", "8", "\\log 8", "4")),
)
"""References with right answers in four forms, and with four wrong ones."""


def read_ordinary() -> list[dict[str, str]]:
    cases = map(json.loads, CASES.read_text().splitlines())
    return [case["item"] for case in cases if case["operation"] == "math_equivalence" and case["class"] in ORDINARY]


def write_groups() -> list[dict[str, str]]:
    """Sixteen answers to each reference, as rollouts of one prompt: many say the same in other words."""
    chosen = random.Random(1)
    return [
        {"response": f"We compute.\n\nSo the answer is \\boxed{{{answer}}}.", "reference": reference}
        for reference, right, wrong in REFERENCES
        for answer in chosen.choices(right, k=GROUP // 2) + chosen.choices(wrong, k=GROUP // 2)
    ]


def write_plain() -> list[dict[str, str]]:
    """Numbers without anything to compute, half of them right, as most data sets have them."""
    chosen = random.Random(2)
    return [
        {"response": f"We compute.\n\nSo the answer is \\boxed{{{answer}}}.", "reference": reference}
        for reference, right, wrong in (_write_number(chosen, chosen.randrange(4)) for _ in range(PLAIN))
        for answer in [chosen.choice((right, wrong))]
    ]


def _write_number(chosen: random.Random, kind: int) -> tuple[str, str, str]:
    """A reference, and an answer that is right and one that is not."""
    number, divisor = chosen.randint(-999, 9_999), chosen.randint(2, 99)
    match kind:
        case 0:
            return f"{number}", f"{number}", f"{number + 1}"
        case 1:
            return f"{number / 100:.2f}", f"{number / 100:.3f}", f"{number / 100 + 1:.2f}"
        case 2:
            return f"{number}/{divisor}", f"\\frac{{{number}}}{{{divisor}}}", f"\\frac{{{divisor}}}{{{number or 1}}}"
        case _:
            return f"{number}\\%", f"{number / 100}", f"{number + 1}\\%"


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


FORGET = """
import time
from reward_gateway.backends.math.parsing import read_expression
read_expression.cache_clear()
time.sleep(0.1)
"""
"""What a process does to forget what it has read; it waits until each of the others does so, too."""


async def forget(checker: MathChecker) -> None:
    """Forget the verdicts, values and expressions of the round before."""
    checker._known.clear()
    for kept in (evaluate, _decide_kept, to_latex._read_kept, read_number._read_kept, _read_reference._read_kept):
        kept.cache_clear()
    await asyncio.gather(*(checker.pool.run(partial(exec, FORGET, {})) for _ in range(PROCESSES)))


class Clock:
    """Seconds by the clock, and those that this process and the checker's spend on a CPU."""

    def __init__(self, checker: MathChecker) -> None:
        self._workers = [psutil.Process(worker.process.pid) for worker in checker.pool._all]

    def _read(self) -> tuple[float, float]:
        times = [worker.cpu_times() for worker in self._workers]
        return time.perf_counter(), time.process_time() + sum(spent.user + spent.system for spent in times)

    async def time(self, work: Awaitable[object]) -> tuple[float, float]:
        begun = self._read()
        await work
        ended = self._read()
        return ended[0] - begun[0], ended[1] - begun[1]


async def measure_speed(name: str, items: list[dict[str, str]], pairs: int) -> None:
    checker = MathChecker(processes=PROCESSES)
    for _ in range(WARM_UP):
        await forget(checker)
        await score_items(items, checker)
        verify_items(items)
    ours, theirs = list[tuple[float, float]](), list[tuple[float, float]]()
    clock = Clock(checker)
    for _ in range(pairs):
        await forget(checker)
        ours.append(await clock.time(score_items(items, checker)))
        theirs.append(await clock.time(asyncio.to_thread(verify_items, items)))
    (again, _) = await clock.time(score_items(items, checker))
    for place, unit in enumerate(("s", "CPU second")):
        own, other = ([times[place] for times in side] for side in (ours, theirs))
        ratios = [theirs / ours for ours, theirs in zip(own, other, strict=True)]
        rate, other_rate = (len(items) / statistics.median(times) for times in (own, other))
        spread = f"median {statistics.median(ratios):.1f} times ({min(ratios):.1f} to {max(ratios):.1f})"
        print(f"{name}: {rate:,.0f} items/{unit}, Math-Verify {other_rate:,.0f}: {spread}")
    print(f"{name}: {len(items) / again:,.0f} items/s where all is remembered")
    await checker.close()


def p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def describe(times: Sequence[float]) -> str:
    return f"p50 {statistics.median(times) * 1e3:.2f} ms, p99 {p99(times) * 1e3:.2f} ms"


async def watch_loop(lateness: list[float]) -> None:
    """How late the event loop comes to what it is asked to do."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.01)
        lateness.append(time.perf_counter() - begun - 0.01)


async def measure_fairness(rounds: int) -> None:
    checker = MathChecker(processes=PROCESSES)
    await checker.compare([("\\sin x+1", "1+\\sin(x)+y"), ("\\sin y+1", "1+\\sin(y)+x")])

    async def time_easy(kind: str) -> float:
        number = next(_numbers)
        item = {"response": f"\\boxed{{x+{number}}}", "reference": f"{number}+x"}
        if kind == "computer algebra":
            item = {"response": f"\\boxed{{2\\sin x\\cos x+{number}}}", "reference": f"{number}+\\sin 2x"}
        begun = time.perf_counter()
        (result,) = await score_items([item], checker)
        assert result["reward"] == 1.0
        return time.perf_counter() - begun

    async def time_rounds(kind: str) -> list[float]:
        times = []
        for _ in range(rounds):
            times.append(await time_easy(kind))
            await asyncio.sleep(0.02)
        return times

    async def be_hostile(form: str) -> None:
        while True:
            await checker.compare([(f"{next(_numbers)}", f"{form}+{next(_numbers)}")])

    kinds = ("at once", "computer algebra")
    for kind in kinds:
        await time_rounds(kind)
    alone = {kind: await time_rounds(kind) for kind in kinds}
    lateness = list[float]()
    others = [asyncio.create_task(be_hostile(HOSTILE[i % len(HOSTILE)])) for i in range(16)]
    others.append(asyncio.create_task(watch_loop(lateness)))
    await asyncio.sleep(5.0)  # until those that nothing tells from easy ones have been given up by the quick processes
    beside = {kind: await time_rounds(kind) for kind in kinds}
    for kind in kinds:
        print(f"an easy item, {kind}: alone {describe(alone[kind])}; beside 16 hostile ones {describe(beside[kind])}")
        print(f"p99 beside / alone: {p99(beside[kind]) / p99(alone[kind]):.1f}")
    print(f"the event loop is late by {describe(lateness)}, at most {max(lateness) * 1e3:.0f} ms")
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await checker.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--parts", nargs="+", choices=("speed", "fairness"), default=("speed", "fairness"))
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    sets: dict[str, Callable[[], list[dict[str, str]]]] = {
        "ordinary": read_ordinary,
        "groups of 16": write_groups,
        "plain numbers": write_plain,
    }
    for name, read in sets.items() if "speed" in arguments.parts else ():
        asyncio.run(measure_speed(name, read(), arguments.pairs))
    if "fairness" in arguments.parts:
        asyncio.run(measure_fairness(arguments.rounds))


if __name__ == "__main__":
    main()
