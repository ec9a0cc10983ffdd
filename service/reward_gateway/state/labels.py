"""Labels of messages: a table that an annotator fills, and the queue of unknown messages that it works through.

A message is known by its digest, so that a table stays small; its text is kept only while it waits.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .local_store import LocalVersionedStore
from .redis_store import RedisVersionedStore
from .values import mapping, numbers

QUEUE_CAP = 10_000
"""Messages that may wait for a label a table; beyond it, unknown messages are not queued."""


QUEUE_PARTS = ("queued", "queue")
"""The keys beside a table's labels: digest -> stream id of what waits, and the stream."""


def digest(message: str) -> str:
    """The name of a message in a table: 128 bits of BLAKE2b, in hex."""
    return hashlib.blake2b(message.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _checked(value: Any) -> dict[str, float]:
    table = mapping(value, "labels")
    return dict(zip(table, numbers(list(table.values()), "labels"), strict=True))


@dataclass(slots=True)
class _Table:
    labels: dict[str, float] = field(default_factory=dict)
    queue: dict[str, str] = field(default_factory=dict)


class LocalLabels(LocalVersionedStore[_Table]):
    """Implements :class:`.port.LabelStore` in this process."""

    kind = "labels"

    def __init__(self, queue_cap: int = QUEUE_CAP) -> None:
        super().__init__()
        self._queue_cap = queue_cap

    async def look_up(self, table: str, messages: Sequence[str]) -> list[float | None]:
        labels = self._values.get(table, _Table()).labels
        return [labels.get(digest(message)) for message in messages]

    def enqueue(self, table: str, messages: Iterable[str]) -> None:
        """Queue the messages that have no label, each once, while there is room; now."""
        stored = self._values.get(table, _Table())
        waiting = len(stored.queue)
        for message in messages:
            if digest(message) not in stored.labels and len(stored.queue) < self._queue_cap:
                stored.queue.setdefault(digest(message), message)
        if len(stored.queue) > waiting:
            self._put(table, stored)

    async def put(self, table: str, labels: Mapping[str, float]) -> None:
        stored = self._values.get(table, _Table())
        for message, label in _checked(dict(labels)).items():
            stored.labels[digest(message)] = label
            stored.queue.pop(digest(message), None)
        self._put(table, stored)

    async def pending(self, table: str, limit: int = 100) -> list[str]:
        return list(self._values.get(table, _Table()).queue.values())[:limit]

    async def export(self, name: str) -> dict[str, float] | None:
        return dict(self._values[name].labels) if name in self._values else None

    async def restore(self, name: str, value: Any) -> None:
        self._put(name, _Table(labels=_checked(value)))


class RedisLabels(RedisVersionedStore):
    """Implements :class:`.port.LabelStore` in Redis: a hash of labels and a stream of waiting messages a table."""

    kind = "labels"

    def _parts(self, name: str) -> list[str]:
        return [self._key(name), *(self._key(name, part) for part in QUEUE_PARTS)]

    async def look_up(self, table: str, messages: Sequence[str]) -> list[float | None]:
        known = {message: digest(message) for message in messages}
        if not known:
            return []
        async with self._asking() as client:
            answers = await client.hmget(self._key(table), list(known.values()))
        labels = {m: None if answer is None else float(answer) for m, answer in zip(known, answers, strict=True)}
        return [labels[message] for message in messages]

    async def put(self, table: str, labels: Mapping[str, float]) -> None:
        pairs = [part for message, label in _checked(dict(labels)).items() for part in (digest(message), repr(label))]
        await self._run("put_labels", [*self._parts(table), self._index, self._clock], [table, *pairs])

    async def pending(self, table: str, limit: int = 100) -> list[str]:
        async with self._asking() as client:
            entries = await client.xrange(self._key(table, "queue"), count=limit)
        return [fields[b"message"].decode("utf-8", "surrogatepass") for _, fields in entries]

    async def export(self, name: str) -> dict[str, float] | None:
        async with self._asking() as client:
            if not await client.hexists(self._index, name):
                return None
            stored = await client.hgetall(self._key(name))
        return {key.decode(): float(label) for key, label in stored.items()}

    async def restore(self, name: str, value: Any) -> None:
        labels = {key: repr(label) for key, label in _checked(value).items()}
        async with self._replacing(name) as pipeline:
            if labels:
                pipeline.hset(self._key(name), mapping=labels)


def encoded(message: str) -> bytes:
    """A message as Redis keeps it; a lone surrogate included, which JSON may carry and UTF-8 may not."""
    return message.encode("utf-8", "surrogatepass")
