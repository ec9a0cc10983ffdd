"""Commits: a request's writes to named state and the records of its keys are stored together or not at all."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, Self

import msgspec
from redis.asyncio import Redis

from reward_gateway.errors import InternalError

from . import archives, labels, references
from .archives import LocalArchives, RedisArchives, make_size_error, pack_vectors
from .attempts import AttemptRecord, LeaseLost, LocalAttempts, attempt_key, lease_key
from .coefficients import LARGEST_EXPONENT, LocalCoefficients, RedisCoefficients
from .epoch import StoreEpoch
from .labels import LocalLabels, RedisLabels, encode_message
from .moments import LocalMoments, RedisMoments
from .namespace import Namespace
from .redis_store import RedisScripts, RedisVersionedStore
from .references import LocalReferences, RedisReferences, pack_rewards
from .sets import LocalSets, RedisSets, format_address
from .writes import StateWrites


class VersionTaken(Exception):
    """Another request has stored this version of a set in the meantime: nothing was written."""


class Commits(Protocol):
    """Commits the writes of requests."""

    async def commit(self, writes: StateWrites, *records: AttemptRecord) -> None:
        """Store the writes and the records of the attempts that they belong to: all, or none.

        Raises:
            InvalidRequest: an archive holds vectors of another size.
            LeaseLost: the request no longer holds one of the attempts.
            VersionTaken: a set's version is no longer the next one.
            StateUnavailable: the store cannot be reached; it is unknown whether the writes were stored.
        """


class LocalCommits:
    """Implements :class:`Commits` over the stores of this process. Awaits nothing, so it is atomic on the loop."""

    def __init__(
        self,
        moments: LocalMoments,
        coefficients: LocalCoefficients,
        references: LocalReferences,
        archives: LocalArchives,
        labels: LocalLabels,
        sets: LocalSets,
        attempts: LocalAttempts,
    ) -> None:
        self._moments, self._references, self._archives = moments, references, archives
        self._coefficients = coefficients
        self._labels, self._sets, self._attempts = labels, sets, attempts

    async def commit(self, writes: StateWrites, *records: AttemptRecord) -> None:
        if not all(self._attempts.holds_lease(record.address, record.token) for record in records):
            raise LeaseLost
        stored_archives, stored_sets = self._archives.within(writes.space), self._sets.within(writes.space)
        for archive, rows in writes.archives.items():
            stored_archives.check_size(archive, rows)
        for version in writes.sets:
            if await stored_sets.count_versions(version.kind, version.name) != version.version - 1:
                raise VersionTaken
        for stream, batch in writes.moments.items():
            self._moments.within(writes.space).merge_batch(stream, batch)
        for name, updates in writes.coefficients.items():
            self._coefficients.within(writes.space).update(name, updates)
        for archive, rows in writes.archives.items():
            stored_archives.append_vectors(archive, rows)
        for table, messages in writes.labels.items():
            self._labels.within(writes.space).enqueue_messages(table, messages)
        for name, write in writes.references.items():
            self._references.within(writes.space).add_rewards(name, write.groups, replace=write.replace)
        for version in writes.sets:
            stored_sets.add_version(version.kind, version.name, version.version, version.text)
        for record in records:
            self._attempts.record_answer(record)


class RedisCommits(RedisScripts):
    """Implements :class:`Commits` in Redis: one script, whose keys are all in one slot.

    Args:
        stores: of the kinds that are written; others read through them.
    """

    def __init__(self, client: Redis, timeout_s: float, epoch: StoreEpoch, stores: "RedisKinds") -> None:
        super().__init__(client, timeout_s, epoch)
        self._stores = stores

    async def commit(self, writes: StateWrites, *records: AttemptRecord) -> None:
        blobs = _Blobs()
        keys = [key for record in records for key in (attempt_key(record.address), lease_key(record.address))]
        encoded_records = [
            [record.token, blobs.add_value(record.record), record.complete, max(1, round(record.ttl_s * 1e3))]
            for record in records
        ]
        calls: list[list[Any]] = []
        stores = self._stores.within(writes.space)
        for store, name in stores.list_written(writes):
            await store.adopt_legacy(name)
        for kind, call_keys, arguments in _encode_writes(writes, stores, blobs):
            calls.append([kind, len(keys) + 1, *arguments])
            keys += call_keys
        request = {"records": encoded_records, "writes": calls}
        outcome, *details = await self.run_script(
            "commit_writes", keys, [msgspec.msgpack.encode(request), *blobs.arguments]
        )
        match outcome:
            case b"ok":
                return
            case b"lease_lost":
                raise LeaseLost
            case b"version_taken":
                raise VersionTaken
            case b"unequal":
                raise make_size_error(int(details[1]) // 8, writes.archives[details[0].decode()].shape[1])
        raise InternalError("the store of named state returned an unknown answer")


class RedisKinds(NamedTuple):
    """The stores of all kinds, whose keys a commit writes."""

    moments: RedisMoments
    coefficients: RedisCoefficients
    references: RedisReferences
    archives: RedisArchives
    labels: RedisLabels
    sets: RedisSets

    @classmethod
    def over(cls, client: Redis, timeout_s: float, epoch: StoreEpoch) -> Self:
        """The stores over one client."""
        return cls(
            RedisMoments(client, timeout_s, epoch),
            RedisCoefficients(client, timeout_s, epoch),
            RedisReferences(client, timeout_s, epoch),
            RedisArchives(client, timeout_s, epoch),
            RedisLabels(client, timeout_s, epoch),
            RedisSets(client, timeout_s, epoch),
        )

    def within(self, space: Namespace) -> "RedisKinds":
        """The stores as a namespace sees them."""
        return RedisKinds(
            self.moments.within(space),
            self.coefficients.within(space),
            self.references.within(space),
            self.archives.within(space),
            self.labels.within(space),
            self.sets.within(space),
        )

    def list_written(self, writes: StateWrites) -> Iterator[tuple[RedisVersionedStore, str]]:
        """Every name that is written, with its store."""
        for store, names in (
            (self.moments, writes.moments),
            (self.coefficients, writes.coefficients),
            (self.references, writes.references),
            (self.archives, writes.archives),
            (self.labels, writes.labels),
        ):
            yield from ((store, name) for name in names)
        yield from ((self.sets, format_address(version.kind, version.name)) for version in writes.sets)


class _Blobs:
    """Bytes, passed as separate arguments: MessagePack in Lua has no type for them."""

    def __init__(self) -> None:
        self.arguments: list[bytes] = []

    def add_value(self, value: bytes) -> int:
        """Add a value; returns its index in ARGV."""
        self.arguments.append(value)
        return len(self.arguments) + 1


def _encode_writes(
    writes: StateWrites, stores: RedisKinds, blobs: _Blobs
) -> Iterator[tuple[str, list[str], list[Any]]]:
    """Kind, keys and arguments of every write, as ``commit_writes.lua`` takes them."""
    for stream, batch in writes.moments.items():
        yield "moments", _list_keys(stores.moments, stream), [stream, *batch]
    for name, updates in writes.coefficients.items():
        keys = _list_keys(stores.coefficients, name)
        yield "coefficients", keys, [name, LARGEST_EXPONENT, updates]
    for archive, rows in writes.archives.items():
        vectors = [blobs.add_value(row) for row in pack_vectors(rows)]
        yield "archives", _list_keys(stores.archives, archive), [archive, archives.CAP, vectors]
    for table, messages in writes.labels.items():
        queued = [[labels.digest_message(message), blobs.add_value(encode_message(message))] for message in messages]
        yield "labels", _list_keys(stores.labels, table), [table, labels.QUEUE_CAP, queued]
    for name, write in writes.references.items():
        groups = [[group, blobs.add_value(pack_rewards(rewards))] for group, rewards in write.groups.items()]
        yield "references", _list_keys(stores.references, name), [name, references.CAP, write.replace, groups]
    for version in writes.sets:
        newest = format_address(version.kind, version.name)
        names = [format_address(version.kind, f"{version.name}@{version.version}"), newest]
        set_keys = [stores.sets.make_key(newest, "count"), *map(stores.sets.make_key, names)]
        arguments = [newest, version.version, names, version.text]
        yield "sets", [*set_keys, *stores.sets.list_version_keys(newest)], arguments


def _list_keys(store: RedisVersionedStore, name: str) -> list[str]:
    """The keys of a name's value and of its version."""
    return [*store.list_keys(name), *store.list_version_keys(name)]
