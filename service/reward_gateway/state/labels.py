"""Labels of messages: a table that an annotator fills, and a queue of messages without a label.

Tables store digests of messages, so that they stay small; the text is kept only while a message is queued. A table
belongs to the tenant; each run queues its messages for itself.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from reward_gateway.errors import InvalidRequest

from .local_store import LocalVersionedStore, OwnedNames
from .namespace import Namespace, is_shared
from .redis_store import RedisVersionedStore, data_key
from .values import check_mapping, check_numbers

QUEUE_CAP = 10_000
"""Maximum number of queued messages per table; further messages are not queued."""


QUEUES = "queues"
"""The kind of the queues for :mod:`.namespace`: scoring writes them, so that they belong to a run."""

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


class LocalLabels(LocalVersionedStore[dict[str, float]]):
    """Implements :class:`.port.LabelStore` in this process."""

    kind = "labels"

    def __init__(self, queue_cap: int = QUEUE_CAP) -> None:
        super().__init__()
        self._queue_cap = queue_cap
        self._queues: OwnedNames[dict[str, str]] = OwnedNames(QUEUES)

    def within(self, space: Namespace) -> Self:
        view = super().within(space)
        view._queues = self._queues.within(space)
        return view

    async def look_up(self, table: str, messages: Sequence[str]) -> list[float | None]:
        labels = self._values.get(table, {})
        return [labels.get(digest_message(message)) for message in messages]

    def enqueue_messages(self, table: str, messages: Iterable[str]) -> None:
        """Queue the messages that have no label, each once, while there is room; immediately."""
        labels, queue = self._values.get(table, {}), self._queues.setdefault(table, {})
        waiting = len(queue)
        for message in messages:
            if digest_message(message) not in labels and len(queue) < self._queue_cap:
                queue.setdefault(digest_message(message), message)
        if len(queue) > waiting:
            self._store_value(table, labels)

    async def put(self, table: str, labels: Mapping[str, float]) -> None:
        stored, queue = self._values.get(table, {}), self._queues.get(table, {})
        for message, label in _check_labels(dict(labels)).items():
            stored[digest_message(message)] = label
            queue.pop(digest_message(message), None)
        self._store_value(table, stored)

    async def list_pending(self, table: str, limit: int = 100) -> list[str]:
        labels, queue = self._values.get(table, {}), self._queues.get(table, {})
        for digest in [digest for digest in queue if digest in labels]:  # labelled through another run
            del queue[digest]
        return list(queue.values())[:limit]

    def list_queueing_runs(self, tenant: str) -> set[str]:
        """The runs of a tenant that have queued messages."""
        return self._queues.list_runs(tenant, lambda queue: bool(queue))

    async def drop_queues(self) -> list[str]:
        tables = [table for table, queue in self._queues.items() if queue and not is_shared(QUEUES, table)]
        for table in tables:
            del self._queues[table]
        return tables

    async def reset(self, name: str) -> bool:
        self._queues.pop(name, None)
        return await super().reset(name)

    async def export_value(self, name: str) -> dict[str, float] | None:
        return dict(self._values[name]) if name in self._values else None

    async def restore_value(self, name: str, value: Any) -> None:
        self._store_value(name, _check_table(value))
        self._queues.pop(name, None)


class RedisLabels(RedisVersionedStore):
    """Implements :class:`.port.LabelStore` in Redis: a hash of labels and a stream of queued messages per table."""

    kind = "labels"

    def make_key(self, name: str, part: str = "data", *, legacy: bool = False) -> str:
        if legacy or part not in QUEUE_PARTS:
            return super().make_key(name, part, legacy=legacy)
        return data_key(self._space.find_keys(QUEUES, name), self.kind, name, part)

    def list_keys(self, name: str, *, legacy: bool = False) -> list[str]:
        return [self.make_key(name, part, legacy=legacy) for part in ("data", *QUEUE_PARTS)]

    async def look_up(self, table: str, messages: Sequence[str]) -> list[float | None]:
        known = {message: digest_message(message) for message in messages}
        if not known:
            return []

        async def fetch(legacy: bool) -> list[bytes | None] | None:
            (values,) = await self.read_commands(("HMGET", self.make_key(table, legacy=legacy), *known.values()))
            return values if any(value is not None for value in values) else None

        answers = await self._read_stored(table, fetch) or [None] * len(known)
        labels = {m: None if answer is None else float(answer) for m, answer in zip(known, answers, strict=True)}
        return [labels[message] for message in messages]

    async def put(self, table: str, labels: Mapping[str, float]) -> None:
        pairs = [
            part
            for message, label in _check_labels(dict(labels)).items()
            for part in (digest_message(message), repr(label))
        ]
        await self.adopt_legacy(table)
        await self.run_script("put_labels", [*self.list_keys(table), *self.list_version_keys(table)], [table, *pairs])

    async def list_pending(self, table: str, limit: int = 100) -> list[str]:
        async def fetch(legacy: bool) -> list[tuple[bytes, dict[bytes, bytes]]] | None:
            if not legacy:
                await self.run_script("drop_labelled", self.list_keys(table), [])
            queue = self.make_key(table, "queue", legacy=legacy)
            (entries,) = await self.read_commands(("XRANGE", queue, "-", "+", "COUNT", limit))
            return entries or None

        entries = await self._read_stored(table, fetch) or []
        return [fields[b"message"].decode("utf-8", "surrogatepass") for _, fields in entries]

    async def drop_queues(self) -> list[str]:
        tables = [table for table in await self.list_versions() if not is_shared(QUEUES, table)]
        keys = [[self.make_key(table, part) for part in QUEUE_PARTS] for table in tables]
        dropped = [await self.run_script("drop_queue", own, []) for own in keys]
        return [table for table, count in zip(tables, dropped, strict=True) if count]

    async def export_value(self, name: str) -> dict[str, float] | None:
        async def fetch(legacy: bool) -> dict[bytes, bytes] | None:
            (stored,) = await self.read_commands(("HGETALL", self.make_key(name, legacy=legacy)))
            return stored or None

        stored = await self._read_stored(name, fetch)
        if stored is None and name not in await self.list_versions():
            return None
        return {key.decode(): float(label) for key, label in (stored or {}).items()}

    async def restore_value(self, name: str, value: Any) -> None:
        pairs = [part for key, label in _check_table(value).items() for part in (key, repr(label))]
        await self._replace_value(name, "HSET", self.make_key(name), pairs)


def encode_message(message: str) -> bytes:
    """A message encoded for Redis; it may contain lone surrogates, which JSON allows and UTF-8 does not."""
    return message.encode("utf-8", "surrogatepass")
