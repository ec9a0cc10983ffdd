"""A model behind a coalescer that keeps what each of its calls held."""

import asyncio
from collections.abc import Sequence

import numpy as np
from reward_gateway.backends.coalescer import CallAnswer, CallFailed, Coalescer
from reward_gateway.backends.encoded_rows import Encoded, Piece
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.backends.triton.tensors import TensorRows, encode_texts, join_pieces
from reward_gateway.observer import Observer
from reward_gateway.sample import Batch, Invalid

UNREADABLE = Invalid("missing_field", "It cannot be read.")
POISON = Invalid("model_error", "The model failed.")


def encode_responses(_: str, batch: Batch, rows: Sequence[int]) -> Encoded[TensorRows]:
    """The responses; a row whose response is "unreadable" cannot be sent."""
    positions = [k for k, row in enumerate(rows) if batch.responses[row] != "unreadable"]
    texts = [str(batch.responses[rows[k]]) for k in positions]
    invalid = {k: UNREADABLE for k in range(len(rows)) if k not in positions}
    return Encoded(TensorRows.of({"response": encode_texts(texts)}, len(texts)), positions, invalid)


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
        numbers = [int(value) for value in join_pieces(pieces)["response"]]
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
