"""backends/math: real processes that compare, and that end when an expression does not."""

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest
from reward_gateway.backends.math import checker as checker_module
from reward_gateway.backends.math.checker import LATE, LOST, TOO_HARD, UNREADABLE, MathChecker, Verdict

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


@pytest.mark.parametrize(
    ("reference", "response", "equal"),
    [
        ("1/2", "0.5", True),
        (r"\frac{1}{2}", r"\boxed{0.5}", True),
        ("$x+1$", "$1+x$", True),
        (r"\sqrt{2}/2", r"$\frac{1}{\sqrt2}$", True),
        (r"\{1,2\}", r"$\{2,1\}$", True),
        ("12", "So it is 12.", True),
        ("12", "So it is 13.", False),
        ("12", "I do not know", False),
        ("x^2", "$x^3$", False),
    ],
)
async def test_answers_are_compared_as_mathematics(
    checker: MathChecker, reference: str, response: str, equal: bool
) -> None:
    assert await checker.compare([(reference, response)]) == [equal]


async def test_a_reference_that_is_no_mathematics_cannot_be_compared(checker: MathChecker) -> None:
    assert await checker.compare([("", "4")]) == [UNREADABLE]


async def test_pairs_are_answered_in_their_order(checker: MathChecker) -> None:
    assert await checker.compare([("1", "1"), ("1", "2"), ("1", "1"), ("3", "3")]) == [True, False, True, True]
    assert await checker.compare([]) == []


@pytest.mark.parametrize("hostile", [r"$10^{10^{10}}-10^{10^{10}}+3$", r"$(10^{9})!$", "$" + "{" * 4000 + "$"])
async def test_an_expression_that_never_ends_is_given_up_and_the_next_is_answered(
    checker: MathChecker, hostile: str
) -> None:
    comparing = await begin_hastily(checker, ("3", hostile))
    assert await checker.compare([("7", "$7$"), ("8", "$8$")]) == [True, True]
    assert await comparing == [TOO_HARD]


async def test_a_process_that_does_not_keep_its_time_is_replaced(
    checker: MathChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker_module, "MOST_TIMES", 1.0)
    await checker.compare([("1", "1")])
    for child in math_children(checker):
        child.suspend()
    comparing = await begin_hastily(checker, ("2", "3"))
    assert await checker.compare([("2", "2")]) == [True]
    assert await comparing == [TOO_HARD]


async def test_a_machine_that_has_else_to_do_makes_no_answer_too_hard(checker: MathChecker) -> None:
    """The process is kept from computing for longer than a pair may compute."""
    await checker.compare([("1", "1")])
    (child,) = math_children(checker)
    child.suspend()
    comparing = await begin_hastily(checker, ("1/2", "0.5"))
    await asyncio.sleep(2.0)
    child.resume()
    assert await comparing == [True]


async def test_a_process_that_is_killed_is_replaced(checker: MathChecker) -> None:
    await checker.compare([("1", "1")])
    before = pids_of(checker.pool)
    for child in math_children(checker):
        child.kill()
    (verdict,) = await checker.compare([("2", "3")])
    assert verdict in (LOST, False), "asked of the dead process, or of the next"
    assert await checker.compare([("2", "2")]) == [True]
    assert not before & pids_of(checker.pool)


async def test_a_process_that_is_lost_while_it_compares_is_no_fault_of_the_answer(checker: MathChecker) -> None:
    await checker.compare([("1", "1")])
    (child,) = math_children(checker)
    child.suspend()
    comparing = asyncio.create_task(checker.compare([("2", "3")]))
    await until(lambda: not checker.pool._idle)
    child.kill()
    assert await comparing == [LOST]
    assert LOST.retryable


async def test_after_the_deadline_nothing_is_asked(checker: MathChecker) -> None:
    now = asyncio.get_running_loop().time
    assert await checker.compare([("1", "1")], deadline=now()) == [LATE]
    assert await checker.compare([("3", r"$(10^{9})!$")], deadline=now() + 0.3) == [LATE]
    assert await checker.compare([("1", "1")], deadline=now() + 300.0) == [True]


async def test_closing_leaves_no_process_behind(anyio_backend: str) -> None:
    checker = MathChecker(processes=1, pair_timeout_s=300.0)
    await checker.compare([("1", "1")])
    (pid,) = pids_of(checker.pool)
    await checker.close()
    assert not psutil.pid_exists(pid)
