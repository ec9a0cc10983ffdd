"""Rows of many requests in few calls: who travels with whom, how many at once, and who pays for whose fault."""

import asyncio

import numpy as np
import pytest
from reward_gateway.backends import coalescer as module
from reward_gateway.backends.call_sizes import FIRST_ROWS
from reward_gateway.fair_queue import Share, charge_to
from reward_gateway.sample import Batch

from tests.clock import Clock

from .counting_model import POISON, UNREADABLE, Model, turn

pytestmark = pytest.mark.anyio


async def test_what_waits_in_the_same_moment_goes_together_and_comes_back_apart() -> None:
    model = Model()
    answers = await asyncio.gather(*(model.ask([i]) for i in range(8)))
    assert model.calls == [list(range(8))]
    assert [answer.values.tolist() for answer in answers] == [[[i]] for i in range(8)]
    assert [bool(answer.flags) for answer in answers] == [i % 2 == 0 for i in range(8)]


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
    assert [event for event, _ in model.observed if event != "queued"][-1] == "cancelled"


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
