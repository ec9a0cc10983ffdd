"""The limit of a problem follows the times of its passing runs, within bounds."""

import pytest
from reward_gateway.backends.time_limits import FEWEST, LATEST, SHORTEST_S, TimeLimits


def known(*seconds: float, problem: str = "p") -> TimeLimits:
    limits = TimeLimits()
    for each in seconds:
        limits.note_passing(problem, each)
    return limits


def test_a_problem_has_no_limit_of_its_own_before_enough_runs_have_passed() -> None:
    assert TimeLimits().find("p", 3.0, 60.0) is None
    assert known(*[1.0] * (FEWEST - 1)).find("p", 3.0, 60.0) is None
    limits = known(*[1.0] * FEWEST)
    assert limits.find("p", 3.0, 60.0) == 3.0
    assert limits.find("another", 3.0, 60.0) is None


def test_the_limit_is_the_p99_times_the_factor() -> None:
    limits = known(*[1.0] * 98, 2.0, 50.0)
    assert limits.find("p", 2.0, 60.0) == 4.0


def test_a_limit_is_never_above_the_time_that_a_run_has_anyway() -> None:
    assert known(*[4.0] * FEWEST).find("p", 3.0, 6.0) == 6.0


def test_a_limit_is_never_so_short_that_noise_would_decide() -> None:
    assert known(*[0.001] * FEWEST).find("p", 3.0, 6.0) == SHORTEST_S


def test_the_latest_runs_count() -> None:
    limits = known(*[50.0] * LATEST, *[1.0] * LATEST)
    assert limits.find("p", 2.0, 60.0) == 2.0


def test_the_problems_that_were_run_last_are_remembered() -> None:
    limits = TimeLimits(most_problems=2)
    for problem in ("a", "b"):
        for _ in range(FEWEST):
            limits.note_passing(problem, 1.0)
    assert limits.find("a", 1.0, 60.0) == pytest.approx(1.0)
    limits.note_passing("c", 1.0)
    assert limits.find("b", 1.0, 60.0) is None
    assert limits.find("a", 1.0, 60.0) is not None
