"""backends/math: real processes that compare, and that end when an expression does not."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import psutil
import pytest
from reward_gateway.backends.math import checker as checker_module
from reward_gateway.backends.math.checker import LATE, LOST, TOO_HARD, UNREADABLE, MathChecker, Verdict
from reward_gateway.backends.math.comparison import Tolerances
from reward_gateway.sample import Invalid

from tests.clock import turns, until
from tests.worker_processes import pids_of

pytestmark = pytest.mark.anyio

PATIENT_S = 60.0
"""More than a pair takes on any machine."""


@pytest.fixture(scope="module")
async def checker(anyio_backend: str) -> AsyncIterator[MathChecker]:
    checker = MathChecker(processes=1, pair_timeout_s=PATIENT_S)
    yield checker
    await checker.close()


async def begin_hastily(checker: MathChecker, pair: tuple[str, str]) -> "asyncio.Task[list[Verdict]]":
    """Have a pair compared that will not be in time; those that follow have all the time that they need."""
    checker._pair_timeout_s = 1.0
    comparing = asyncio.create_task(checker.compare([pair]))
    await turns()
    checker._pair_timeout_s = PATIENT_S
    return comparing


def math_children(checker: MathChecker) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in pids_of(checker.pool)]


async def equal(checker: MathChecker, *pairs: tuple[str, str], deadline: float | None = None) -> list[bool | Invalid]:
    """The verdicts, without what they go by."""
    verdicts = await checker.compare(pairs, deadline)
    return [verdict if isinstance(verdict, Invalid) else verdict[0] for verdict in verdicts]


_numbers = itertools.count(10)


def new_pair() -> tuple[str, str]:
    """Two equal expressions that no test has compared: verdicts are remembered."""
    number = next(_numbers)
    return f"x+{number}", f"{number}+x"


@pytest.mark.parametrize(
    ("reference", "response", "verdict"),
    [
        ("1/2", "0.5", True),
        (r"\frac{1}{2}", r"0.5", True),
        ("x+1", "1+x", True),
        (r"\sqrt{2}/2", r"\frac{1}{\sqrt2}", True),
        (r"\{1,2\}", r"\{2,1\}", True),
        ("12", "13", False),
        ("12", r"\text{I do not know}", False),
        ("x^2", "x^3", False),
        ("x", "X", False),
        (r"\Delta", r"\delta", False),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}", False),
        (r"6.02\times10^{-23}", r"6.02\times10^{-24}", False),
        (r"\sqrt{2}", "1.41", False),
        (r"\sqrt{2}", "1.414214", True),
        (r"e^{i\pi}", "-1", True),
        ("2^{100}", "2^{101}", False),
    ],
)
async def test_expressions_are_compared_as_mathematics(
    checker: MathChecker, reference: str, response: str, verdict: bool
) -> None:
    assert await equal(checker, (reference, response)) == [verdict]


async def test_a_decimal_is_no_exact_value_where_the_comparison_is_strict(checker: MathChecker) -> None:
    pair = (r"\sqrt{2}", "1.414214")
    assert await checker.compare([pair], tolerances=Tolerances(strict=True)) == [(False, "numeric")]
    assert await checker.compare([pair], tolerances=Tolerances(min_digits=8)) == [(False, "numeric")]


async def test_a_reference_that_is_no_mathematics_cannot_be_compared(checker: MathChecker) -> None:
    assert await equal(checker, ("", "4")) == [UNREADABLE]


async def test_pairs_are_answered_in_their_order(checker: MathChecker) -> None:
    assert await equal(checker, ("1", "1"), ("1", "2"), ("1", "1"), ("3", "3")) == [True, False, True, True]
    assert await equal(checker) == []


async def test_a_verdict_is_remembered(checker: MathChecker) -> None:
    pair = new_pair()
    assert await equal(checker, pair) == [True]
    for child in math_children(checker):
        child.suspend()
    assert await equal(checker, pair) == [True]
    for child in math_children(checker):
        child.resume()


@pytest.mark.parametrize("hostile", ["9^{9^{9^{9}}}", r"(10^{9})!+x", "{" * 4000])
async def test_an_expression_that_never_ends_is_given_up_and_the_next_is_answered(
    checker: MathChecker, hostile: str
) -> None:
    comparing = await begin_hastily(checker, ("3", hostile))
    assert await equal(checker, new_pair(), new_pair()) == [True, True]
    assert await comparing == [TOO_HARD]


async def test_a_pair_that_takes_long_makes_way_for_quick_ones_and_is_compared(
    checker: MathChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await equal(checker, new_pair())
    monkeypatch.setattr(checker_module, "QUICK_S", 1e-3)
    assert await equal(checker, new_pair(), new_pair()) == [True, True]
    assert pids_of(checker.slow_pool)


async def test_a_process_that_does_not_keep_its_time_is_replaced(
    checker: MathChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker_module, "MOST_TIMES", 1.0)
    await equal(checker, new_pair())
    for child in math_children(checker):
        child.suspend()
    comparing = await begin_hastily(checker, new_pair())
    assert await equal(checker, new_pair()) == [True]
    assert (await comparing)[0] in (TOO_HARD, (True, "symbolic")), "compared anew among the slow ones, if in time"


async def test_a_machine_that_has_else_to_do_makes_no_answer_too_hard(checker: MathChecker) -> None:
    """The process is kept from computing for longer than a pair may compute."""
    await equal(checker, new_pair())
    (child,) = math_children(checker)
    child.suspend()
    comparing = await begin_hastily(checker, new_pair())
    await asyncio.sleep(2.0)
    child.resume()
    assert await comparing == [(True, "symbolic")]


async def test_a_process_that_is_killed_is_replaced(checker: MathChecker) -> None:
    await equal(checker, new_pair())
    before = pids_of(checker.pool)
    for child in math_children(checker):
        child.kill()
    (verdict,) = await equal(checker, new_pair())
    assert verdict in (LOST, True), "asked of the dead process, or of the next"
    assert await equal(checker, new_pair()) == [True]
    assert not before & pids_of(checker.pool)


async def test_a_process_that_is_lost_while_it_compares_is_no_fault_of_the_answer(checker: MathChecker) -> None:
    await equal(checker, new_pair())
    (child,) = math_children(checker)
    child.suspend()
    comparing = asyncio.create_task(checker.compare([new_pair()]))
    await until(lambda: not checker.pool._idle)
    child.kill()
    assert await comparing == [LOST]
    assert LOST.retryable


async def test_after_the_deadline_nothing_is_asked(checker: MathChecker) -> None:
    now = asyncio.get_running_loop().time
    assert await equal(checker, new_pair(), deadline=now()) == [LATE]
    assert await equal(checker, ("3", "9^{9^{9^{9}}}"), deadline=now() + 0.3) == [LATE]
    assert await equal(checker, new_pair(), deadline=now() + 300.0) == [True]


async def test_every_request_has_its_own_place_in_the_line(checker: MathChecker) -> None:
    """What came first, from one request, does not all go before what came later, from another."""
    await equal(checker, new_pair())
    done: list[str] = []

    async def ask(name: str, count: int) -> None:
        await checker.compare([new_pair() for _ in range(count)])
        done.append(name)

    many = asyncio.create_task(ask("many", 40))
    await turns()
    await ask("few", 2)
    await many
    assert done == ["few", "many"]


async def test_closing_leaves_no_process_behind(anyio_backend: str) -> None:
    checker = MathChecker(processes=1, pair_timeout_s=300.0)
    await equal(checker, new_pair())
    (pid,) = pids_of(checker.pool)
    await checker.close()
    assert not psutil.pid_exists(pid)
