"""The samples of a stream as they are received: what each is scored by, until when, and a bounded line of those that
wait.

A message that holds a sample and nothing else, as all but the first of most streams do, is parsed only where its sample
is scored.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from reward_gateway.errors import GatewayError, MalformedBody
from reward_gateway.intake.request import Options
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.protobuf_wire import BYTES, read_varint, tag

from .calls import parse

_SAMPLE = tag(pb.ScoreStreamRequest, "sample", BYTES)
_SAMPLE_TAG = _SAMPLE[0]
_SHORT = len(_SAMPLE) + 1
"""Where a sample of less than 128 bytes begins."""


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What a sample is scored by, and how.

    Attributes:
        allowed_s: seconds from when a sample is received within which it must be answered.
    """

    reward: str
    options: Options
    allowed_s: float


class WaitingSample(NamedTuple):
    """A sample that was received.

    Attributes:
        place: its place in the stream, which is its id if it has none.
        size: bytes of its message.
        content: itself, or a message that holds nothing else and is not parsed yet.
        start: where it begins in that message.
        deadline: when it is too late for it.
    """

    place: int
    size: int
    content: pb.Sample | bytes
    start: int
    terms: Terms
    deadline: float


def find_sample(message: bytes) -> int:
    """Where the sample of a message begins, if the message holds nothing else; else 0."""
    size = len(message)
    if size < _SHORT or message[0] != _SAMPLE_TAG:
        return 0
    if message[1] < 0x80:
        return _SHORT if message[1] == size - _SHORT else 0
    try:
        length, start = read_varint(message, len(_SAMPLE))
    except IndexError:
        return 0
    return start if start + length == size else 0


def parse_samples(waiting: Sequence[WaitingSample]) -> tuple[list[pb.Sample], MalformedBody | None]:
    """The samples before the first message that is none, each with an id, and what is wrong with that one."""
    samples: list[pb.Sample] = []
    try:
        for place, _, sample, start, _, _ in waiting:
            if isinstance(sample, bytes):
                sample = parse(pb.Sample, sample[start:], pb.ScoreStreamRequest)
            if not sample.HasField("id"):
                sample.id = str(place)
            samples.append(sample)
    except MalformedBody as error:
        return samples, error
    return samples, None


T = TypeVar("T")


class Line(Generic[T]):
    """Items that wait for one who takes all that are there.

    Args:
        most: items that may wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: list[T] = []
        self._end: GatewayError | bool = False
        self._arrival: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    async def wait_for_room(self) -> None:
        """Return once there is room for an item."""
        while len(self._items) >= self._most:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def add(self, item: T) -> bool:
        """Add an item at the end; False if there is no room for another one now."""
        self._items.append(item)
        if self._arrival is not None:
            _settle(self._arrival)
        return len(self._items) < self._most

    def end(self, error: GatewayError | None = None) -> None:
        """Nothing comes after what is here, either because of an error or because that is all."""
        if self._end is False:
            self._end = error or True
        if self._arrival is not None:
            _settle(self._arrival)

    async def take(self) -> list[T]:
        """The items that wait now, one at least; none if nothing comes any more.

        Raises:
            GatewayError: what ended the line, once all before it was taken.
        """
        while not self._items:
            if isinstance(self._end, GatewayError):
                raise self._end
            if self._end:
                return []
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
            self._arrival = None
        taken, self._items = self._items, []
        if self._room is not None:
            _settle(self._room)
        return taken


def _settle(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
