"""The breaker: who opens it, who closes it, and whose word no longer counts."""

from reward_gateway.cache.breaker import Breaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def breaker(failures: int = 3) -> tuple[Breaker, Clock, list[str]]:
    clock = Clock()
    states: list[str] = []
    return Breaker(failures, clock, pause_s=1.0, max_pause_s=3.0, changed=states.append), clock, states


def fail(one: Breaker) -> None:
    ticket = one.begin_call()
    assert ticket is not None
    one.record_failure(ticket)


def test_failures_in_a_row_open_it() -> None:
    one, _, states = breaker()
    for _ in range(2):
        fail(one)
    one.record_success()
    for _ in range(2):
        fail(one)
    assert one.state == "closed"
    fail(one)
    assert (one.state, one.begin_call(), states) == ("open", None, ["open"])


def test_a_failure_that_began_before_a_success_does_not_count() -> None:
    one, _, _ = breaker(failures=1)
    slow = one.begin_call()
    assert slow is not None
    one.record_success()
    one.record_failure(slow)
    assert one.state == "closed"


def test_after_the_pause_one_call_may_try() -> None:
    one, clock, _ = breaker(failures=1)
    fail(one)
    assert one.begin_probe() is None
    clock.now += 1.0
    assert one.begin_probe() is not None
    assert one.begin_probe() is None
    assert one.begin_call() is None
    one.record_success()
    assert (one.state, one.begin_call() is not None) == ("closed", True)


def test_a_failed_probe_waits_longer_up_to_a_limit_and_success_forgets_it() -> None:
    one, clock, states = breaker(failures=1)
    fail(one)
    for pause in (1.0, 2.0, 3.0, 3.0):
        clock.now += pause - 0.01
        assert one.begin_probe() is None
        clock.now += 0.01
        ticket = one.begin_probe()
        assert ticket is not None
        one.record_failure(ticket)
    clock.now += 3.0
    assert one.begin_probe() is not None
    one.record_success()
    fail(one)
    clock.now += 1.0
    assert one.begin_probe() is not None
    assert states == ["open", *["half_open", "open"] * 4, "half_open", "closed", "open", "half_open"]


def test_a_late_failure_cannot_undo_the_probe_that_got_through() -> None:
    one, clock, _ = breaker(failures=1)
    slow, quick = one.begin_call(), one.begin_call()
    assert slow is not None
    assert quick is not None
    one.record_failure(quick)
    clock.now += 1.0
    one.begin_probe()
    one.record_success()
    one.record_failure(slow)
    assert one.state == "closed"


def test_calls_that_fail_together_while_it_is_open_change_nothing() -> None:
    one, clock, states = breaker(failures=1)
    tickets = [one.begin_call() for _ in range(5)]
    for ticket in tickets:
        assert ticket is not None
        one.record_failure(ticket)
        clock.now += 0.1
    clock.now += 0.6
    assert states == ["open"]
    assert one.begin_probe() is not None
