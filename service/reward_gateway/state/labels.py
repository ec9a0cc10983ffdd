"""Labels of messages: a table that an annotator fills, and a queue of messages without a label.

Tables store digests of messages, so that they stay small; the text is kept only while a message is queued.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reward_gateway.errors import InvalidRequest

from .local_store import LocalVersionedStore
from .redis_store import RedisVersionedStore
from .values import check_mapping, check_numbers

QUEUE_CAP = 10_000
"""Maximum number of queued messages per table; further messages are not queued."""


QUEUE_PARTS = ("queued", "queue")
"""The keys of a table's queue: digest -> stream id of queued messages, and the stream."""


_DIGEST = re.compile(r"[0-9a-f]{32}")


def digest_message(message: str) -> str:
    """The key of a message in a table: 128 bits of BLAKE2b, in hex."""
    return hashlib.blake2b(message.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _check_labels(value: Any) -> dict[str, float]:
    table = check_mapping(value, "labels")
    return dict(zip(table, check_numbers(list(table.values()), "labels"), strict=True))


def _check_table(value: Any) -> dict[str, float]:
    """Check an exported table: labels by the digests of their messages."""
    labels = _check_labels(value)
    if not all(map(_DIGEST.fullmatch, labels)):
        raise InvalidRequest("labels: expected the digests of messages, as the export has them", param="value")
    return labels


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
        return [labels.get(digest_message(message)) for message in messages]

    def enqueue_messages(self, table: str, messages: Iterable[str]) -> None:
        """Queue the messages that have no label, each once, while there is room; immediately."""
        stored = self._values.get(table, _Table())
        waiting = len(stored.queue)
        for message in messages:
            if digest_message(message) not in stored.labels and len(stored.queue) < self._queue_cap:
                stored.queue.setdefault(digest_message(message), message)
        if len(stored.queue) > waiting:
            self._store_value(table, stored)

    async def put(self, table: str, labels: Mapping[str, float]) -> None:
        stored = self._values.get(table, _Table())
        for message, label in _check_labels(dict(labels)).items():
            stored.labels[digest_message(message)] = label
            stored.queue.pop(digest_message(message), None)
        self._store_value(table, stored)

    async def list_pending(self, table: str, limit: int = 100) -> list[str]:
        return list(self._values.get(table, _Table()).queue.values())[:limit]

    async def export_value(self, name: str) -> dict[str, float] | None:
        return dict(self._values[name].labels) if name in self._values else None

    async def restore_value(self, name: str, value: Any) -> None:
        self._store_value(name, _Table(labels=_check_table(value)))


class RedisLabels(RedisVersionedStore):
    """Implements :class:`.port.LabelStore` in Redis: a hash of labels and a stream of queued messages per table."""

    kind = "labels"

    def _list_keys(self, name: str) -> list[str]:
        return [self._make_key(name), *(self._make_key(name, part) for part in QUEUE_PARTS)]

    async def look_up(self, table: str, messages: Sequence[str]) -> list[float | None]:
        known = {message: digest_message(message) for message in messages}
        if not known:
            return []
        async with self._use_client() as client:
            answers = await client.hmget(self._make_key(table), list(known.values()))
        labels = {m: None if answer is None else float(answer) for m, answer in zip(known, answers, strict=True)}
        return [labels[message] for message in messages]

    async def put(self, table: str, labels: Mapping[str, float]) -> None:
        pairs = [
            part
            for message, label in _check_labels(dict(labels)).items()
            for part in (digest_message(message), repr(label))
        ]
        await self._run_script("put_labels", [*self._list_keys(table), self._index, self._clock], [table, *pairs])

    async def list_pending(self, table: str, limit: int = 100) -> list[str]:
        async with self._use_client() as client:
            entries = await client.xrange(self._make_key(table, "queue"), count=limit)
        return [fields[b"message"].decode("utf-8", "surrogatepass") for _, fields in entries]

    async def export_value(self, name: str) -> dict[str, float] | None:
        async with self._use_client() as client:
            if not await client.hexists(self._index, name):
                return None
            stored = await client.hgetall(self._make_key(name))
        return {key.decode(): float(label) for key, label in stored.items()}

    async def restore_value(self, name: str, value: Any) -> None:
        labels = {key: repr(label) for key, label in _check_table(value).items()}
        async with self._replace_value(name) as pipeline:
            if labels:
                pipeline.hset(self._make_key(name), mapping=labels)


def encode_message(message: str) -> bytes:
    """A message encoded for Redis; it may contain lone surrogates, which JSON allows and UTF-8 does not."""
    return message.encode("utf-8", "surrogatepass")
