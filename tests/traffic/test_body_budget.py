"""The bytes of bodies: a total, shared so that nobody takes all of it."""

from contextlib import ExitStack

import pytest
from reward_gateway.errors import Overloaded
from reward_gateway.observer import Observer, RejectReason
from reward_gateway.traffic.body_budget import BodyBudget


def fill(budget: BodyBudget, held: ExitStack, caller: str, size: int) -> int:
    """How many bodies of a size a caller may hold at once."""
    count = 0
    while True:
        try:
            held.enter_context(budget.reserve(caller, size))
        except Overloaded:
            return count
        count += 1


def test_a_body_as_large_as_the_budget_passes_alone_and_no_larger_one_does() -> None:
    budget = BodyBudget(100)
    with budget.reserve("a", 100):
        assert budget.held == 100
    assert budget.held == 0
    with pytest.raises(Overloaded) as refused, budget.reserve("a", 101):
        pass
    assert refused.value.retry_after_s
    assert budget.held == 0


@pytest.mark.parametrize("callers", [1, 2, 3, 9])
def test_callers_come_to_equal_shares_and_leave_one_for_another(callers: int) -> None:
    budget = BodyBudget(1000)
    names = [str(number) for number in range(callers)]
    with ExitStack() as held:
        counts = dict.fromkeys(names, 0)
        growing = True
        while growing:
            growing = False
            for name in names:
                try:
                    held.enter_context(budget.reserve(name, 1))
                except Overloaded:
                    continue
                counts[name] += 1
                growing = True
        assert all(abs(count - 1000 / (callers + 1)) <= 2 for count in counts.values()), counts
        with budget.reserve("newcomer", 1000 // (callers + 1) - callers):
            pass
    assert budget.held == 0


def test_a_greedy_caller_takes_half_and_the_next_one_half_of_the_rest() -> None:
    budget = BodyBudget(100)
    with ExitStack() as held:
        assert fill(budget, held, "greedy", 1) == 50
        assert fill(budget, held, "next", 1) == 25
    assert fill(budget, ExitStack(), "greedy", 1) == 50, "what is released is free again"


def test_a_body_of_unknown_size_is_charged_as_it_arrives() -> None:
    budget = BodyBudget(100)
    with budget.reserve("a") as reservation:
        assert budget.held == 0
        reservation.grow(30)
        reservation.grow(20)
        assert budget.held == 30
        with budget.reserve("b", 70), pytest.raises(Overloaded):
            reservation.grow(31)
    assert budget.held == 0


def test_a_body_of_unknown_size_may_grow_as_large_as_one_whose_size_is_declared() -> None:
    budget = BodyBudget(100)
    with budget.reserve("a") as reservation:
        for size in range(10, 101, 10):
            reservation.grow(size)
        assert budget.held == 100
        with pytest.raises(Overloaded):
            reservation.grow(101)
    assert budget.held == 0
    with budget.reserve("a", 40), budget.reserve("a") as second:
        second.grow(10)
        second.grow(20)
        with pytest.raises(Overloaded):
            second.grow(21)


def test_what_is_refused_is_told() -> None:
    told: list[str] = []

    class Told(Observer):
        def admission_rejected(self, reason: RejectReason) -> None:
            told.append(reason)

    budget = BodyBudget(10, Told())
    with budget.reserve("a", 10), pytest.raises(Overloaded), budget.reserve("b", 1):
        pass
    assert told == ["body_bytes"]
