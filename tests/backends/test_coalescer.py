"""Rows of many requests in few calls: who travels with whom, how many at once, and who pays for whose fault."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from reward_gateway.backends import coalescer as module
from reward_gateway.backends.call_sizes import FIRST_ROWS, CallSizes, InFlight
from reward_gateway.backends.coalescer import CallAnswer, CallFailed, Coalescer
from reward_gateway.backends.encoded_rows import Encoded, Piece, SizedRows
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.backends.triton.tensors import TensorRows, frame_texts, join_pieces, unframe_values
from reward_gateway.fair_queue import Share, charge_to
from reward_gateway.observer import Observer
from reward_gateway.sample import Batch, Invalid

from tests.clock import LONGEST_WAIT_S, Clock, until

pytestmark = pytest.mark.anyio

UNREADABLE = Invalid("missing_field", "It cannot be read.")
POISON = Invalid("model_error", "The model failed.")


def encode_responses(_: str, batch: Batch, rows: Sequence[int]) -> Encoded[TensorRows]:
    """The responses; a row whose response is "unreadable" cannot be sent."""
    positions = [k for k, row in enumerate(rows) if batch.responses[row] != "unreadable"]
    texts = [str(batch.responses[rows[k]]) for k in positions]
    invalid = {k: UNREADABLE for k in range(len(rows)) if k not in positions}
    return Encoded(TensorRows.of({"response": frame_texts(texts)}, len(texts)), positions, invalid)


class Model(Observer):
    """Scores a row by the number in its text, and keeps what each call held. Calls wait at the gate, if it is shut."""

    def __init__(self, max_calls: int = 2, max_queued: int = 10_000, instances: int = 1) -> None:
        self.instances = instances
        self.calls: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.poison: set[int] = set()
        self.divisible = True
        self.cancelled = 0
        self.in_flight = self.most_in_flight = 0
        self.observed: list[tuple[str, int]] = []
        self.version = "1"
        self.queue = Coalescer(
            "m",
            encode_responses,
            self.send,
            max_calls=max_calls,
            max_queued=max_queued,
            max_in_flight_s=3600.0,  # no call takes long
            observer=self,
        )

    async def send(self, pieces: Sequence[Piece[TensorRows]], deadline: float) -> CallAnswer:
        rows = sum(stop - start for _, start, stop in pieces)
        numbers = [int(value) for value in unframe_values(join_pieces(pieces)["response"], rows)]
        self.calls.append(numbers)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        if self.poison & set(numbers):
            raise CallFailed(POISON, divisible=self.divisible)
        answer = CallAnswer(np.array(numbers, float).reshape(-1, 1), self.version)
        answer.invalid = {row: POISON for row, number in enumerate(numbers) if number < 0}
        answer.flags = {row: ("even",) for row, number in enumerate(numbers) if number % 2 == 0}
        return answer

    def rows_queued(self, model: str, rows: int) -> None:
        self.observed.append(("queued", rows))

    def model_call_started(self, model: str, rows: int) -> None:
        self.observed.append(("started", rows))

    def model_call_finished(self, model: str, rows: int, seconds: float, outcome: str) -> None:
        self.observed.append((outcome, rows))

    async def ask(self, numbers: Sequence[int], seconds: float = 3600.0, max_rows: int = 8) -> ModelAnswer:
        batch = Batch([""] * len(numbers), [""] * len(numbers), [str(number) for number in numbers])
        deadline = asyncio.get_running_loop().time() + seconds
        return await self.queue.score(
            "m", batch, range(batch.size), width=1, deadline=deadline, max_rows=max_rows, instances=self.instances
        )

    def start(self, numbers: Sequence[int], seconds: float = 3600.0) -> "asyncio.Task[ModelAnswer]":
        return asyncio.ensure_future(self.ask(numbers, seconds))


async def turn(times: int = 5) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def test_what_waits_in_the_same_moment_goes_together_and_comes_back_apart() -> None:
    model = Model()
    answers = await asyncio.gather(*(model.ask([i]) for i in range(8)))
    assert model.calls == [list(range(8))]
    assert [answer.values.tolist() for answer in answers] == [[[i]] for i in range(8)]
    assert [bool(answer.flags) for answer in answers] == [i % 2 == 0 for i in range(8)]


async def test_a_single_row_does_not_wait_for_company() -> None:
    model = Model()
    task = model.start([1])
    await turn(3)
    assert model.calls == [[1]]
    await task


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows gather for as long as the test takes, however slow the machine is."""
    monkeypatch.setattr(module, "GATHER_S", 3600.0)


@pytest.mark.usefixtures("patience")
async def test_requests_that_come_one_at_a_time_gather_behind_a_call_until_it_is_answered() -> None:
    """As those of gRPC do, of which each turn of the event loop brings one."""
    model = Model(max_calls=4)
    model.gate.clear()
    tasks = []
    for i in range(6):
        tasks.append(model.start([i]))
        await turn()
    assert model.calls == [[0]]
    model.gate.set()
    await asyncio.gather(*tasks)
    assert model.calls == [[0], [1, 2, 3, 4, 5]]


async def shared_call(model: Model) -> None:
    """A call that two requests share."""
    await asyncio.gather(model.ask([0]), model.ask([1]))
    assert model.calls.pop() == [0, 1]


@pytest.mark.usefixtures("patience")
async def test_after_a_shared_call_rows_are_sent_once_no_more_come_at_once() -> None:
    model = Model()
    await shared_call(model)
    tasks = []
    for i in range(5):
        tasks.append(model.start([i]))
        await turn(module.QUIET_TURNS - 2)
    await asyncio.gather(*tasks)
    assert model.calls == [[0, 1, 2, 3, 4]]


async def test_rows_that_come_without_a_pause_are_sent_after_a_while(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_TURNS", 1_000_000)
    model = Model()
    await shared_call(model)
    task = model.start([2])
    await clock.advance(module.GATHER_S)
    assert model.calls == [[2]]
    await task


@pytest.mark.usefixtures("patience")
async def test_a_full_call_does_not_wait_for_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_TURNS", 1_000_000)
    model = Model()
    await shared_call(model)
    await model.ask(range(2, 10))
    assert model.calls == [[2, 3, 4, 5, 6, 7, 8, 9]]


async def test_behind_a_call_that_takes_longer_the_next_one_is_sent_while_it_is_computed(clock: Clock) -> None:
    model = Model(max_calls=4)
    model.gate.clear()
    tasks = [model.start([1], seconds=1e6)]
    await turn()
    tasks.append(model.start([2], seconds=1e6))
    await clock.advance(module.GATHER_S)
    assert model.calls == [[1], [2]]
    model.gate.set()
    await asyncio.gather(*tasks)


async def test_a_full_call_waits_for_nobody() -> None:
    model = Model(max_calls=4)
    model.gate.clear()
    tasks = [model.start([1])]
    await turn()
    tasks.append(model.start(range(2, 10)))
    await turn()
    assert model.calls == [[1], [2, 3, 4, 5, 6, 7, 8, 9]]
    model.gate.set()
    await asyncio.gather(*tasks)


@pytest.mark.usefixtures("patience")
async def test_every_instance_has_a_call_before_rows_gather() -> None:
    model = Model(max_calls=4, instances=2)
    model.gate.clear()
    tasks = []
    for i in range(4):
        tasks.append(model.start([i]))
        await turn()
    assert model.calls == [[0], [1]]
    model.gate.set()
    await asyncio.gather(*tasks)
    assert model.calls == [[0], [1], [2, 3]]


async def test_what_comes_while_calls_are_in_flight_goes_in_one_call(clock: Clock) -> None:
    model = Model(max_calls=2)
    model.gate.clear()
    early = [model.start([1])]
    await turn()
    early.append(model.start([2]))
    await clock.advance(module.GATHER_S)
    late = [model.start([i]) for i in range(3, 9)]
    await turn()
    assert model.calls == [[1], [2]]
    model.gate.set()
    await asyncio.gather(*early, *late)
    assert model.calls == [[1], [2], [3, 4, 5, 6, 7, 8]]
    assert model.most_in_flight == 2


class OneAhead(CallSizes):
    """One call at a time, of two rows and predicted to take two hours; the next one is sent when it should be over."""

    def count_room(self, calls: Sequence[InFlight]) -> int:
        return 2 if not calls or (len(calls) == 1 and self.predict_wait_s(calls) == 0.0) else 0

    def predict_wait_s(self, calls: Sequence[InFlight]) -> float:
        return max(0.0, 7200.0 - calls[0][1]) if calls else 0.0


async def test_the_next_call_is_sent_when_the_one_in_flight_should_be_over(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CallSizes", OneAhead)
    model = Model(max_calls=4)
    model.gate.clear()
    answer = model.start(range(8), seconds=1e6)
    await clock.advance(3600.0)
    assert model.calls == [[0, 1]]
    await clock.advance(3600.0)
    assert model.calls == [[0, 1], [2, 3]]
    model.gate.set()
    assert (await answer).values.ravel().tolist() == list(range(8))
    assert model.most_in_flight == 2


async def test_a_large_request_is_cut_and_put_together_again() -> None:
    model = Model(max_calls=3)
    answer = await model.ask(range(100))
    assert answer.values[:, 0].tolist() == list(range(100))
    assert (answer.calls, max(map(len, model.calls)), model.most_in_flight) == (13, 8, 3)
    assert answer.version == "1"


async def test_a_single_row_is_not_starved_by_a_large_request() -> None:
    model = Model(max_calls=1)
    large = model.start(range(4096))
    await turn()
    small = model.start([-7])
    await small
    assert len(model.calls) <= 3  # the one that was out, the one it travelled in, and one just begun
    large.cancel()


async def test_waiting_requests_share_a_call_evenly() -> None:
    model = Model(max_calls=1)
    model.gate.clear()
    first = model.start([0])
    await turn()
    tasks = [model.start([k] * 100) for k in (1, 2)]
    await turn()
    model.gate.set()
    await first
    await turn(20)
    assert sorted(model.calls[1]) == [1] * 4 + [2] * 4
    for task in tasks:
        task.cancel()


async def test_rows_keep_their_own_reasons() -> None:
    model = Model()
    answers = await asyncio.gather(model.ask([1, -2, 3]), model.ask([4]), model.ask([-5]))
    assert [list(answer.invalid) for answer in answers] == [[1], [], [0]]


async def test_a_passed_deadline_keeps_what_was_answered_and_leaves_the_queue(clock: Clock) -> None:
    model = Model(max_calls=1)
    model.gate.clear()
    task = model.start(range(20), seconds=3600)
    await turn()
    model.gate.set()
    await turn()  # the first call is answered, the second is out
    model.gate.clear()
    await clock.advance(3601)
    answer = await task
    known = ~np.isnan(answer.values[:, 0])
    assert 8 <= known.sum() < 20
    assert {reason.code for reason in answer.invalid.values()} == {"deadline_exceeded"}
    assert set(answer.invalid) == set(np.flatnonzero(~known).tolist())
    await turn()
    assert model.cancelled == 1  # nobody waits for it any more
    assert ("queued", 0) in model.observed
    assert model.observed[-1][0] == "cancelled"


async def test_a_cancelled_caller_leaves_the_queue_and_its_neighbours_in_their_call() -> None:
    model = Model(max_calls=1)
    model.gate.clear()
    first, second = model.start([1]), model.start([2])
    await turn()
    waiting = model.start([3])
    await turn()
    first.cancel()
    waiting.cancel()
    await turn()
    model.gate.set()
    assert (await second).values[0, 0] == 2
    await turn()
    assert (model.calls, model.cancelled) == ([[1, 2]], 0)


async def test_a_call_that_nobody_waits_for_is_called_off() -> None:
    model = Model(max_calls=1)
    model.gate.clear()
    task = model.start([1])
    await turn()
    task.cancel()
    await turn()
    model.gate.set()
    assert model.cancelled == 1
    assert (await model.ask([2])).values[0, 0] == 2


async def test_a_poisoned_request_fails_alone() -> None:
    model = Model()
    model.poison = {3}
    answers = await asyncio.gather(*(model.ask([i]) for i in range(6)))
    assert [list(answer.invalid.values()) for answer in answers] == [[POISON] if i == 3 else [] for i in range(6)]
    assert [answer.values[0, 0] for i, answer in enumerate(answers) if i != 3] == [0, 1, 2, 4, 5]
    assert len(model.calls) == 7  # together once, then each alone


async def test_the_poisoned_row_of_a_request_is_found_by_halving() -> None:
    model = Model()
    model.poison = {700}
    answer = await model.ask(range(1000), max_rows=256)
    assert list(answer.invalid) == [700]
    assert len(model.calls) <= 1000 / FIRST_ROWS + 1 + 2 * 8


async def test_a_model_that_always_fails_is_not_asked_forever() -> None:
    model = Model()
    model.poison = set(range(1000))
    answer = await model.ask(range(1000), max_rows=256)
    assert len(answer.invalid) == 1000
    assert len(model.calls) <= 1000 / FIRST_ROWS + 1 + module.EXTRA_CALLS


async def test_a_fault_of_the_server_is_not_tried_again_on_every_row() -> None:
    model = Model()
    model.poison, model.divisible = {3}, False
    answers = await asyncio.gather(*(model.ask([i]) for i in range(6)))
    assert all(answer.invalid for answer in answers)
    assert len(model.calls) == 1


async def test_a_full_queue_is_overloaded_at_once() -> None:
    model = Model(max_calls=1, max_queued=10)
    model.gate.clear()
    tasks = [model.start([i]) for i in range(1)]
    await turn()
    tasks.append(model.start(range(9)))
    await turn()
    refused = await model.ask([1, 2])
    assert {reason.code for reason in refused.invalid.values()} == {"overloaded"}
    assert len(refused.invalid) == 2
    model.gate.set()
    assert not any(answer.invalid for answer in await asyncio.gather(*tasks))


async def test_a_caller_that_waits_for_many_rows_keeps_no_other_out() -> None:
    model = Model(max_calls=1, max_queued=10)
    model.gate.clear()
    tasks = [model.start([0])]
    await turn()
    with charge_to(Share("greedy")):
        tasks.append(model.start(range(1, 11)))
        await turn()
        refused = await model.ask([11])
    assert {reason.code for reason in refused.invalid.values()} == {"overloaded"}
    with charge_to(Share("modest")):
        tasks.append(model.start(range(20, 30)))
    await turn()
    assert [rows for told, rows in model.observed if told == "queued"][-1] == 20
    model.gate.set()
    assert not any(answer.invalid for answer in await asyncio.gather(*tasks))
    assert [rows for told, rows in model.observed if told == "queued"][-1] == 0


async def test_a_request_larger_than_the_queue_passes_an_empty_one() -> None:
    model = Model(max_queued=10)
    assert (await model.ask(range(50))).invalid == {}


async def test_a_call_ends_before_it_holds_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CALL_BYTES", 21)  # a row of one digit is framed in 5
    model = Model(max_calls=1)
    answers = await asyncio.gather(model.ask(range(9)), model.ask([10**30]))
    assert [list(answer.invalid) for answer in answers] == [[], []]
    assert sorted(map(len, model.calls)) == [1, 1, 4, 4]


async def test_versions_that_change_between_calls_are_not_one_version() -> None:
    model = Model(max_calls=1)
    model.gate.clear()
    task = model.start(range(16))
    await turn()
    model.gate.set()
    await turn(1)
    model.version = "2"
    assert (await task).version is None


async def test_closing_answers_what_waits() -> None:
    model = Model(max_calls=1)
    model.gate.clear()
    tasks = [model.start([1]), model.start(range(20))]
    await turn()
    await model.queue.close()
    for answer in await asyncio.gather(*tasks):
        assert {reason.code for reason in answer.invalid.values()} == {"model_unavailable"}


async def test_the_observer_hears_of_every_call() -> None:
    model = Model()
    model.poison = {2}
    await asyncio.gather(model.ask([1]), model.ask([2]))
    assert [said for said in model.observed if said[0] not in ("queued", "started")] == [
        ("model_error", 2),
        ("ok", 1),
        ("model_error", 1),
    ]


async def test_rows_that_cannot_be_encoded_keep_their_reason_and_their_place() -> None:
    model = Model()
    batch = Batch([""] * 4, [""] * 4, ["unreadable", "2", "unreadable", "-3"])
    deadline = asyncio.get_running_loop().time() + 5.0
    answer = await model.queue.score("m", batch, [3, 2, 1, 0], width=1, deadline=deadline, max_rows=8)
    assert np.nan_to_num(answer.values[:, 0], nan=0.5).tolist() == [-3.0, 0.5, 2.0, 0.5]
    assert answer.invalid == {0: POISON, 1: UNREADABLE, 3: UNREADABLE}
    assert answer.flags == {2: ("even",)}
    assert model.calls == [[-3, 2]]


class Lists(SizedRows):
    """Rows of another backend: plain objects instead of tensors."""

    def __init__(self, items: list[str]) -> None:
        super().__init__(np.cumsum([len(item) for item in items]).tolist())
        self.items = items


async def test_a_backend_of_another_kind_has_its_own_rows() -> None:
    calls: list[list[str]] = []

    def encode(prefix: str, batch: Batch, rows: Sequence[int]) -> Encoded[Lists]:
        return Encoded(Lists([f"{prefix}{batch.responses[row]}" for row in rows]), list(range(len(rows))), {})

    async def send(pieces: Sequence[Piece[Lists]], deadline: float) -> CallAnswer:
        calls.append([item for rows, start, stop in pieces for item in rows.items[start:stop]])
        return CallAnswer(np.array([[float(len(item))] for item in calls[-1]]), "1")

    queue: Coalescer[str, Lists] = Coalescer("m", encode, send, max_calls=1, max_queued=100)
    deadline = asyncio.get_running_loop().time() + 5.0
    batch = Batch([""] * 3, [""] * 3, ["a", "bb", "ccc"])
    first, second = await asyncio.gather(
        queue.score("x", batch, [0, 1], width=1, deadline=deadline, max_rows=2),
        queue.score("yy", batch, [2], width=1, deadline=deadline, max_rows=2),
    )
    assert (first.values[:, 0].tolist(), second.values[:, 0].tolist()) == ([2.0, 3.0], [5.0])
    assert calls == [["xa", "yyccc"], ["xbb"]]


async def test_rows_that_take_long_to_encode_hold_up_no_others() -> None:
    may_end, on_loop = threading.Event(), list[bool]()

    def encode(model: str, batch: Batch, rows: Sequence[int]) -> Encoded[Lists]:
        on_loop.append(threading.current_thread() is threading.main_thread())
        assert on_loop[-1] or may_end.wait(LONGEST_WAIT_S)
        return Encoded(Lists([str(batch.responses[row]) for row in rows]), list(range(len(rows))), {})

    async def send(pieces: Sequence[Piece[Lists]], deadline: float) -> CallAnswer:
        return CallAnswer(np.array([[1.0] for _, start, stop in pieces for _ in range(start, stop)]), "1")

    queue: Coalescer[str, Lists] = Coalescer(
        "m", encode, send, max_calls=1, max_queued=100, takes_long=lambda model, batch, rows: len(rows) > 1
    )
    batch = Batch([""] * 3, [""] * 3, ["a", "b", "c"])

    async def score(*rows: int) -> ModelAnswer:
        deadline = asyncio.get_running_loop().time() + 3600.0
        return await queue.score("m", batch, rows, width=1, deadline=deadline, max_rows=2)

    long = asyncio.create_task(score(0, 1))
    await until(lambda: on_loop == [False])
    assert (await score(2)).values.tolist() == [[1.0]]
    assert on_loop == [False, True]
    assert not long.done()
    may_end.set()
    assert (await long).values.tolist() == [[1.0], [1.0]]
    may_end.clear()
    late = asyncio.create_task(score(0, 1))
    await until(lambda: len(on_loop) == 3)
    await queue.close()
    may_end.set()
    assert {reason.code for reason in (await late).invalid.values()} == {"model_unavailable"}
