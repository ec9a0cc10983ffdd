"""Attempts as time passes: leases end unless they are renewed, and records are forgotten when their time is over."""

import pytest
from reward_gateway.state.attempts import AttemptRecord, Begun, LocalAttempts
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> LocalAttempts:
    return LocalAttempts(clock)


async def test_a_lease_ends_unless_it_is_renewed(attempts: LocalAttempts, clock: Clock) -> None:
    assert await attempts.begin_attempt("a", "body", "first", 10.0, 60.0) == Begun("begun")
    clock.now += 9.0
    assert await attempts.begin_attempt("a", "body", "second", 10.0, 60.0) == Begun("busy")
    assert not await attempts.renew_lease("a", "second", 10.0)
    assert await attempts.renew_lease("a", "first", 10.0)
    clock.now += 9.0
    assert attempts.holds_lease("a", "first")
    clock.now += 1.0
    assert not attempts.holds_lease("a", "first")
    assert not await attempts.renew_lease("a", "first", 10.0)
    assert await attempts.begin_attempt("a", "body", "second", 10.0, 60.0) == Begun("begun")
    assert attempts.holds_lease("a", "second")
    assert not attempts.holds_lease("a", "first")


async def test_a_record_answers_until_its_time_is_over(attempts: LocalAttempts, clock: Clock) -> None:
    await attempts.begin_attempt("a", "body", "token", 10.0, 20.0)
    clock.now += 5.0
    attempts.record_answer(AttemptRecord("a", "token", b"answer", True, 60.0))
    assert not attempts.holds_lease("a", "token")
    clock.now += 59.0
    assert await attempts.begin_attempt("a", "body", "later", 10.0, 60.0) == Begun("done", b"answer")
    assert await attempts.begin_attempt("a", "other body", "later", 10.0, 60.0) == Begun("conflict")
    clock.now += 1.5
    assert await attempts.begin_attempt("a", "other body", "later", 10.0, 60.0) == Begun("begun")


async def test_an_attempt_that_is_held_outlives_its_time(attempts: LocalAttempts, clock: Clock) -> None:
    await attempts.begin_attempt("a", "body", "token", 30.0, 1.0)
    clock.now += 20.0
    assert await attempts.begin_attempt("a", "other body", "later", 10.0, 60.0) == Begun("conflict")
    assert attempts.holds_lease("a", "token")
    clock.now += 11.0
    assert await attempts.begin_attempt("a", "other body", "later", 10.0, 60.0) == Begun("begun")


async def test_what_has_expired_is_forgotten(attempts: LocalAttempts, clock: Clock) -> None:
    for number in range(3):
        assert await attempts.remember_body(f"old {number}", "body", 60.0) == "new"
    clock.now += 61.0
    assert await attempts.remember_body("old 1", "another body", 60.0) == "new"
    assert list(attempts._attempts) == ["old 1"]


async def test_an_attempt_with_a_part_of_its_answer_is_kept_when_it_is_released(
    attempts: LocalAttempts, clock: Clock
) -> None:
    await attempts.begin_attempt("a", "body", "token", 10.0, 60.0)
    attempts.record_answer(AttemptRecord("a", "token", b"half", False, 60.0))
    assert await attempts.begin_attempt("a", "body", "second", 10.0, 60.0) == Begun("begun", b"half")
    await attempts.release_lease("a", "second")
    assert not attempts.holds_lease("a", "second")
    assert await attempts.begin_attempt("a", "other body", "third", 10.0, 60.0) == Begun("conflict")


async def test_a_lease_ends_in_every_home(store: StateStore) -> None:
    attempts = store.attempts
    assert await attempts.begin_attempt("a", "body", "first", 0.001, 60.0) == Begun("begun")
    while (await attempts.begin_attempt("a", "body", "second", 60.0, 60.0)) == Begun("busy"):
        pass
    assert not await attempts.renew_lease("a", "first", 60.0)
    assert await attempts.renew_lease("a", "second", 60.0)
