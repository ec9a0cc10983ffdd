"""Programs: tests per second beside one process per test, and a short honest program beside time bombs.

    python loadtests/bench_code.py

A sample of 200 tests, and many samples of ten: for ``code_stdio`` (standard input) and ``unit_tests``. The baseline
starts Python once per test, as many graders do, two at a time, without any sandbox; both take turns, and medians are
printed. Then a short program is timed alone and while sixteen clients send programs that never end. All the while the
event loop is asked how late it is, which is what a health answer has to wait for.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import count
from typing import Any

from bench_math import describe, p99, watch_loop
from reward_gateway.backends.sandbox.sandbox import Sandbox
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import RunSandboxed
from reward_gateway.operations.registry import catalog

PROCESSES = 2
BOMB = "while True:\n    pass"
BOMB_S = 0.5
"""Time for a test of a bomb."""
_numbers = count(1)

Item = dict[str, Any]


def write_stdio(tests: int) -> Item:
    """A program that sums a line, with its tests; every one is another, so that nothing can be remembered."""
    program = f"print(sum(map(int, input().split())) + {next(_numbers)} * 0)"
    pairs = [{"input": f"{i} {i + 1}\n", "output": f"{2 * i + 1}\n"} for i in range(tests)]
    return {"response": f"```python\n{program}\n```", "tests": pairs}


def write_units(tests: int) -> Item:
    program = f"def add(a, b):\n    return a + b + {next(_numbers)} * 0"
    return {
        "response": f"```python\n{program}\n```",
        "tests": [f"assert add({i}, {i + 1}) == {2 * i + 1}" for i in range(tests)],
    }


WRITERS: dict[str, Callable[[int], Item]] = {"code_stdio": write_stdio, "unit_tests": write_units}


async def score_items(name: str, items: Sequence[Item], sandbox: Sandbox, **params: Any) -> list[Any]:
    """A rule over items, with the programs that it has run."""
    operation = catalog().get("score", name)
    assert operation is not None
    steps, reply = apply(operation, list(items), params), None
    while True:
        try:
            asked = steps.send(reply)
        except StopIteration as stop:
            return list(stop.value)
        assert isinstance(asked, RunSandboxed)
        reply = await sandbox.run(asked.language, asked.programs, asked.inputs, asked.timeout_s)


async def run_tests_alone(items: Sequence[Item]) -> None:
    """Python once per test, two at a time."""
    slots = asyncio.Semaphore(PROCESSES)

    async def run(program: str, given: str, expected: str | None) -> None:
        async with slots:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", program),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate(given.encode())
        assert process.returncode == 0
        assert expected is None or output.decode().split() == expected.split()

    runs = list[Awaitable[None]]()
    for item in items:
        program = item["response"].removeprefix("```python\n").removesuffix("\n```")
        for test in item["tests"]:
            if isinstance(test, str):
                runs.append(run(f"{program}\n{test}", "", None))
            else:
                runs.append(run(program, test["input"], test["output"]))
    await asyncio.gather(*runs)


async def timed(work: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


async def measure_speed(name: str, samples: int, tests: int, pairs: int, sandbox: Sandbox) -> None:
    ours, theirs = list[float](), list[float]()
    for _ in range(pairs):
        items = [WRITERS[name](tests) for _ in range(samples)]
        begun = time.perf_counter()
        results = await score_items(name, items, sandbox)
        ours.append(time.perf_counter() - begun)
        assert all(result["reward"] == 1.0 for result in results), results[0]
        theirs.append(await timed(run_tests_alone(items)))
    ratio = statistics.median(other / own for own, other in zip(ours, theirs, strict=True))
    rate, other_rate = (samples * tests / statistics.median(times) for times in (ours, theirs))
    print(
        f"{name}, {samples} samples of {tests} tests: {rate:,.0f} tests/s ({samples / statistics.median(ours):,.1f} "
        f"samples/s); a process per test {other_rate:,.0f}: median {ratio:.1f} times"
    )


async def measure_fairness(rounds: int, sandbox: Sandbox) -> None:
    async def time_honest() -> list[float]:
        times = []
        for _ in range(rounds):
            times.append(await timed(score_items("code_stdio", [write_stdio(1)], sandbox)))
        return times

    async def send_bombs() -> None:
        bomb = {"response": BOMB, "tests": [{"input": "", "output": "1"}]}
        while True:
            await score_items("code_stdio", [bomb], sandbox, timeout_s=BOMB_S)

    await time_honest()
    alone, lateness = await time_honest(), list[float]()
    others = [asyncio.create_task(send_bombs()) for _ in range(16)]
    others.append(asyncio.create_task(watch_loop(lateness)))
    await asyncio.sleep(2.0)
    beside = await time_honest()
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    print(f"a short program: alone {describe(alone)}; beside 16 time bombs {describe(beside)}")
    print(f"p50 beside / alone: {statistics.median(beside) / statistics.median(alone):.1f}", end=", ")
    print(f"p99: {p99(beside) / p99(alone):.1f}")
    print(f"the event loop is late by {describe(lateness)}, at most {max(lateness) * 1e3:.0f} ms")


async def measure(parts: Collection[str], pairs: int, rounds: int) -> None:
    sandbox = Sandbox(processes=PROCESSES)
    await sandbox.start()
    for name in WRITERS if "speed" in parts else ():
        for samples, tests in ((1, 200), (20, 10)):
            await measure_speed(name, samples, tests, pairs, sandbox)
    if "fairness" in parts:
        await measure_fairness(rounds, sandbox)
    await sandbox.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--parts", nargs="+", choices=("speed", "fairness"), default=("speed", "fairness"))
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.parts, arguments.pairs, arguments.rounds))


if __name__ == "__main__":
    main()
