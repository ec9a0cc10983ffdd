"""The rate that a wait is predicted from: right under steady load, and slow to refuse while little is known."""

import pytest
from reward_gateway.traffic.completion_rate import FORGET_S, MIN_COMPLETIONS, CompletionRate


def completed(rate: CompletionRate, times: list[float]) -> CompletionRate:
    for time in times:
        rate.count_completion(time)
    return rate


def test_a_steady_rate_is_found_at_once() -> None:
    rate = completed(CompletionRate(256), [100 + k / 73 for k in range(20)])
    assert rate.predict_s(73, 100 + 19 / 73) == pytest.approx(1.0)


def test_nothing_is_predicted_from_a_few_completions() -> None:
    rate = completed(CompletionRate(256), [float(k) for k in range(MIN_COMPLETIONS)])
    assert rate.predict_s(1000, 1e3) == 0
    rate.count_completion(8.0)
    assert rate.predict_s(1000, 8.0) == pytest.approx(1000)


def test_requests_that_end_together_are_not_taken_for_slow_ones() -> None:
    """512 requests of 2 s each, all at once, again and again: 256 a second."""
    rate = CompletionRate(512)
    for k in range(20):
        rate.count_completion(2.0 + k * 1e-5)
        assert rate.predict_s(4096, 2.0 + k * 1e-5) < 1
    for round_ in range(1, 6):
        completed(rate, [2.0 * round_ + k * 1e-5 for k in range(512)])
        assert rate.predict_s(256, 2.0 * round_ + 1.9) == pytest.approx(1.0, rel=0.5)


def test_a_stall_is_noticed_without_a_completion() -> None:
    rate = completed(CompletionRate(32), [k / 100 for k in range(1000)])
    assert rate.predict_s(100, 10.0) == pytest.approx(1.0, rel=0.1)
    assert rate.predict_s(100, 70.0) > 60


def test_time_in_which_nothing_waits_does_not_count() -> None:
    rate = completed(CompletionRate(32), [k / 100 for k in range(1000)])
    rate.pause(10.0)
    completed(rate, [40 + k / 100 for k in range(10)])
    assert rate.predict_s(100, 40.09) == pytest.approx(1.0, rel=0.1)


def test_what_was_measured_long_ago_is_forgotten() -> None:
    rate = completed(CompletionRate(32), [float(k) for k in range(100)])
    rate.pause(100.0)
    assert rate.predict_s(1000, 101.0) > 0
    assert rate.predict_s(1000, 101.0 + FORGET_S) == 0
    completed(rate, [1000.0 + k / 1000 for k in range(MIN_COMPLETIONS + 1)])
    assert rate.predict_s(1000, 1000.0 + MIN_COMPLETIONS / 1000) == pytest.approx(1.0, rel=0.1)


def test_what_takes_long_is_noticed_before_a_rate_is_known() -> None:
    """16 at work since 10 s, none of them done: the 48th of the queue waits 20 s at least, if all 16 end now."""
    rate = CompletionRate(16)
    rate.resume(100.0)
    assert rate.predict_s(48, 100.0) == 0
    assert rate.predict_s(48, 110.0) == pytest.approx(20.0)
    assert rate.predict_s(16, 110.0) == 0  # those in flight may end at any moment
    rate.count_completion(110.0)
    assert rate.predict_s(48, 110.0) == pytest.approx(32 * 10 / 17)


def test_what_is_known_before_a_rate_is_forgotten_with_the_queue() -> None:
    rate = CompletionRate(16)
    rate.resume(100.0)
    rate.pause(110.0)
    assert rate.predict_s(1000, 120.0) == 0
    rate.resume(130.0)
    assert rate.predict_s(1000, 130.0) == 0


def test_a_rate_is_settled_once_a_round_of_slots_was_seen() -> None:
    rate = completed(CompletionRate(16), [k / 10 for k in range(16)])
    assert not rate.is_settled
    rate.count_completion(1.6)
    assert rate.is_settled
