"""Rows per call: models of every kind, simulated, since what is learned is how long calls take."""

import heapq
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.backends.call_sizes import CallSizes

LIMIT_S = 0.05
ROW_BYTES = 100
MAX_CALLS = 4


class Simulation:
    """A server that computes calls in their order, on one or more instances, beside a queue that is never empty."""

    def __init__(
        self, call_s: Callable[[int], float], *, instances: int = 1, max_rows: int = 1024, gap_s: float = 0.0
    ) -> None:
        self.sizes = CallSizes(LIMIT_S)
        self.sizes.set_calls(instances, MAX_CALLS)
        self.call_s, self.instances, self.max_rows, self.gap_s = call_s, instances, max_rows, gap_s
        self.now = 0.0
        self.in_flight: list[int] = []
        self.rows = 0
        self.waits: list[float] = []

    def run(self, calls: int) -> None:
        """Send and answer calls as the coalescer does."""
        began: list[tuple[float, float, int]] = []  # end, begin, rows
        waiting: list[int] = []
        self.rows, started = 0, self.now
        for _ in range(calls):
            while self.send_next(began, waiting):
                pass
            assert began, "an instance is idle though rows wait"
            ahead = [end - self.now for end, _, _ in began] + [self.call_s(size) for size in waiting]
            self.waits.append(sum(ahead) / self.instances)
            end, begun, size = heapq.heappop(began)
            self.now = end + (0.0 if waiting else self.gap_s)
            self.rows += size
            self.sizes.learn(size, size * ROW_BYTES, end - begun, self.max_rows)
        self.rate = self.rows / (self.now - started)
        self.waits = sorted(self.waits[-calls // 2 :])

    def send_next(self, began: list[tuple[float, float, int]], waiting: list[int]) -> bool:
        """Send one more call, when its time has come, if no call in flight is answered before."""
        while waiting and len(began) < self.instances:
            size = waiting.pop(0)
            heapq.heappush(began, (self.now + self.call_s(size), self.now, size))
        sent = [(float(size), self.now - begun) for _, begun, size in began] + [(float(size), 0.0) for size in waiting]
        wait_s = self.sizes.predict_wait_s(sent)
        if len(sent) >= MAX_CALLS or (wait_s and wait_s > began[0][0] - self.now):
            return False
        self.now += wait_s
        rows = min(int(self.sizes.count_room([(size, elapsed_s + wait_s) for size, elapsed_s in sent])), self.max_rows)
        if rows:
            waiting.append(rows)
        return rows > 0

    @property
    def usual_wait(self) -> float:
        """What nine in ten newcomers would wait at most: now and then a larger call is tried."""
        return self.waits[int(0.9 * len(self.waits))]


@pytest.mark.parametrize("row_s", [1e-5, 1e-4, 1e-3, 5e-3, 9e-3, 0.02])
def test_calls_in_flight_take_about_the_limit_and_the_model_is_never_idle(row_s: float) -> None:
    simulation = Simulation(lambda rows: rows * row_s)
    simulation.run(100)
    assert simulation.usual_wait <= LIMIT_S * 1.01
    assert simulation.rate == pytest.approx(1 / row_s, rel=0.01)
    if row_s <= 1e-3:
        assert simulation.usual_wait >= min(LIMIT_S / 3, 1024 * row_s)


def test_a_row_that_takes_longer_than_the_limit_is_sent_alone() -> None:
    simulation = Simulation(lambda rows: rows * 0.2)
    simulation.run(50)
    assert int(simulation.sizes.count_room(())) == 1
    assert simulation.usual_wait <= 0.2 + 1e-9  # nothing waits behind it
    assert simulation.rate == pytest.approx(5, rel=0.01)


@pytest.mark.parametrize(("fixed_s", "row_s", "share"), [(0.02, 1e-4, 0.5), (0.1, 3e-4, 0.5), (0.01, 1e-3, 0.5)])
def test_a_call_whose_rows_cost_little_is_large(fixed_s: float, row_s: float, share: float) -> None:
    """A GPU: a call of one row takes nearly as long as one of 64."""
    simulation = Simulation(lambda rows: fixed_s + rows * row_s, max_rows=64)
    simulation.run(200)
    simulation.run(50)
    best = 64 / (fixed_s + 64 * row_s)
    assert simulation.rate >= share * best
    assert simulation.usual_wait <= max(LIMIT_S * 1.01, 1.6 * (fixed_s + row_s))


def test_calls_that_cost_much_beside_their_rows_go_one_at_a_time() -> None:
    """An encoder on a CPU: two calls that share the limit would do two thirds of the work."""
    simulation = Simulation(lambda rows: 0.0136 + rows * 0.0053, gap_s=0.002)
    simulation.run(200)
    simulation.run(100)
    assert simulation.rate >= 0.9 * 6 / (0.0136 + 6 * 0.0053)
    assert simulation.usual_wait <= LIMIT_S * 1.01


def test_the_next_call_is_sent_just_before_the_one_in_flight_ends() -> None:
    """So the instance is not idle until an answer has been read, and who comes waits for one call, not for two."""
    simulation = Simulation(lambda rows: 0.0136 + rows * 0.0053, gap_s=0.003)
    simulation.run(200)
    simulation.run(100)
    ready = int(simulation.sizes.count_room(()))
    call_s = simulation.call_s(ready)
    assert simulation.sizes.count_room([(ready, 0.5 * call_s)]) == 0
    assert simulation.sizes.predict_wait_s([(ready, 0.5 * call_s)]) == pytest.approx(0.5 * call_s, abs=0.008)
    assert 1 <= int(simulation.sizes.count_room([(ready, call_s)])) <= ready
    assert simulation.sizes.count_room([(ready, call_s), (1, 0.0)]) == 0
    assert simulation.rate >= 0.97 * ready / call_s  # 0.94 with a gap after each


def test_one_call_that_took_far_longer_is_not_believed_and_two_are() -> None:
    """The machine did something else meanwhile; or texts have become longer."""
    sizes = CallSizes(LIMIT_S)
    sizes.set_calls(1, MAX_CALLS)
    for rows in (16, 1, 1, *[8] * 50):
        sizes.learn(rows, rows * ROW_BYTES, rows * 5e-3, 1024)
    before = sizes.count_room(())
    for seconds in (0.4, 0.04, 0.04):
        sizes.learn(8, 8 * ROW_BYTES, seconds, 1024)
    assert sizes.count_room(()) == pytest.approx(before)
    for seconds in (0.4, 0.4, 0.4):
        sizes.learn(8, 8 * ROW_BYTES, seconds, 1024)
    assert sizes.count_room(()) < before


def test_calls_of_texts_of_mixed_lengths_take_about_the_limit() -> None:
    """A text model on a CPU: a text takes as long as its bytes say; two usual ones fit, or six short ones."""
    lengths = [round(20 * 75 ** (k * 29 % 64 / 63)) for k in range(64)]
    sizes = CallSizes(LIMIT_S)
    sizes.set_calls(1, MAX_CALLS)
    at, took = 0, []
    for _ in range(300):
        room, sent = sizes.count_room(()), [lengths[at % 64]]
        at += 1
        while sizes.lengths.weigh(len(sent) + 1, sum(sent) + lengths[at % 64]) <= room:
            sent.append(lengths[at % 64])
            at += 1
        took.append((0.003 + 6e-5 * sum(sent), len(sent)))
        sizes.learn(len(sent), sum(sent), took[-1][0], 256)
    took = took[100:]
    assert all(seconds <= 1.1 * LIMIT_S for seconds, rows in took if rows > 1)
    assert sum(seconds for seconds, _ in took) / len(took) >= 0.6 * LIMIT_S
    assert max(rows for _, rows in took) >= 3


def test_a_call_beside_which_no_other_fits_is_followed_at_once() -> None:
    """The next one is sent when it is nearly over, though two rows take longer than the limit."""
    sizes = CallSizes(LIMIT_S)
    sizes.set_calls(1, MAX_CALLS)
    for rows in (16, *[1] * 50):
        sizes.learn(rows, rows * ROW_BYTES, rows * 0.03, 1024)
    assert sizes.count_room([(1, 0.0)]) == 0
    assert sizes.predict_wait_s([(1, 0.0)]) == pytest.approx(0.03, abs=0.01)
    assert sizes.count_room([(1, 0.029)]) >= 1
    assert sizes.count_room([(1, 0.029), (1, 0.0)]) == 0


@pytest.mark.parametrize("instances", [2, 3, 4])
def test_every_instance_has_work(instances: int) -> None:
    simulation = Simulation(lambda rows: rows * 4e-3, instances=instances)
    simulation.run(200)
    simulation.run(100)
    assert simulation.rate == pytest.approx(instances / 4e-3, rel=0.1)
    assert simulation.usual_wait <= 2 * LIMIT_S


def test_a_model_that_becomes_slower_or_faster_is_followed() -> None:
    simulation = Simulation(lambda rows: rows * 1e-3)
    simulation.run(50)
    before = simulation.sizes.count_room(())
    simulation.call_s = lambda rows: rows * 1e-2
    simulation.run(50)
    assert simulation.sizes.count_room(()) <= before / 5
    simulation.call_s = lambda rows: rows * 1e-3
    simulation.run(50)
    assert simulation.sizes.count_room(()) >= before * 0.7


def test_small_calls_say_nothing_of_large_ones() -> None:
    simulation = Simulation(lambda rows: rows * 1e-3)
    simulation.run(50)
    before = simulation.sizes.count_room(())
    for _ in range(100):
        simulation.sizes.learn(1, ROW_BYTES, 1e-3, 1024)
    assert simulation.sizes.count_room(()) >= before - 1


def test_calls_that_were_computed_together_are_not_taken_for_fast_ones() -> None:
    """Triton joins calls that wait: both are answered in one moment."""
    sizes = CallSizes(LIMIT_S)
    for _ in range(50):
        sizes.learn(8, 8 * ROW_BYTES, 16 * 2e-3, 1024)
        sizes.learn(8, 8 * ROW_BYTES, 0.0, 1024)
    assert sizes.count_room(()) == pytest.approx(0.6 * LIMIT_S / 2e-3, abs=6)


@given(noise=st.integers(0, 10_000), row_s=st.floats(1e-5, 5e-3))
def test_noise_does_not_drive_the_size_away(noise: int, row_s: float) -> None:
    """A machine that others use: calls take up to three times as long, now and then ten times."""
    random.seed(noise)
    simulation = Simulation(lambda rows: rows * row_s * random.choice((1, 1, 1, 1.5, 2, 3)) + 1e-4)
    simulation.run(300)
    most = min(1024.0, LIMIT_S / row_s)
    assert most / 10 - 1 <= simulation.sizes.count_room(()) <= 1.1 * most + 1, "a tenth is noise of the estimate"
