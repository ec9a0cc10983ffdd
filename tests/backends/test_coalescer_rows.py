"""Rows of a backend of any kind, and rows that take long to encode."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from reward_gateway.backends.coalescer import CallAnswer, Coalescer
from reward_gateway.backends.encoded_rows import Encoded, Piece, SizedRows
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.sample import Batch

from tests.clock import LONGEST_WAIT_S, until

pytestmark = pytest.mark.anyio


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
