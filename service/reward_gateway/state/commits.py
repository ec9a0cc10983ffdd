"""Commits: a request's writes to named state and the records of its keys are stored together or not at all."""

from typing import Any, Protocol

import msgspec

from reward_gateway.errors import InternalError

from . import archives, labels, references
from .archives import LocalArchives, make_size_error, pack_vectors
from .attempts import AttemptRecord, LeaseLost, LocalAttempts, attempt_key, lease_key
from .labels import LocalLabels, encode_message
from .moments import LocalMoments
from .redis_store import RedisScripts, clock_key, data_key, index_key
from .references import LocalReferences, pack_rewards
from .sets import LocalSets, format_address
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
        references: LocalReferences,
        archives: LocalArchives,
        labels: LocalLabels,
        sets: LocalSets,
        attempts: LocalAttempts,
    ) -> None:
        self._moments, self._references, self._archives = moments, references, archives
        self._labels, self._sets, self._attempts = labels, sets, attempts

    async def commit(self, writes: StateWrites, *records: AttemptRecord) -> None:
        if not all(self._attempts.holds_lease(record.address, record.token) for record in records):
            raise LeaseLost
        for archive, rows in writes.archives.items():
            self._archives.check_size(archive, rows)
        for version in writes.sets:
            if await self._sets.count_versions(version.kind, version.name) != version.version - 1:
                raise VersionTaken
        for stream, batch in writes.moments.items():
            self._moments.merge_batch(stream, batch)
        for archive, rows in writes.archives.items():
            self._archives.append_vectors(archive, rows)
        for table, messages in writes.labels.items():
            self._labels.enqueue_messages(table, messages)
        for name, write in writes.references.items():
            self._references.add_rewards(name, write.groups, replace=write.replace)
        for version in writes.sets:
            self._sets.add_version(version.kind, version.name, version.version, version.text)
        for record in records:
            self._attempts.record_answer(record)


class RedisCommits(RedisScripts):
    """Implements :class:`Commits` in Redis: one script, whose keys are all in one slot."""

    async def commit(self, writes: StateWrites, *records: AttemptRecord) -> None:
        blobs = _Blobs()
        keys = [key for record in records for key in (attempt_key(record.address), lease_key(record.address))]
        encoded_records = [
            [record.token, blobs.add_value(record.record), record.complete, max(1, round(record.ttl_s * 1e3))]
            for record in records
        ]
        calls: list[list[Any]] = []
        for kind, call_keys, arguments in _encode_writes(writes, blobs):
            calls.append([kind, len(keys) + 1, *arguments])
            keys += call_keys
        request = {"records": encoded_records, "writes": calls}
        outcome, *details = await self._run_script(
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


class _Blobs:
    """Bytes, passed as separate arguments: MessagePack in Lua has no type for them."""

    def __init__(self) -> None:
        self.arguments: list[bytes] = []

    def add_value(self, value: bytes) -> int:
        """Add a value; returns its index in ARGV."""
        self.arguments.append(value)
        return len(self.arguments) + 1


def _encode_writes(writes: StateWrites, blobs: _Blobs) -> list[tuple[str, list[str], list[Any]]]:
    """Kind, keys and arguments of every write, as ``commit_writes.lua`` takes them."""
    calls: list[tuple[str, list[str], list[Any]]] = []
    for stream, batch in writes.moments.items():
        calls.append(("moments", _make_keys("moments", stream), [stream, *batch]))
    for archive, rows in writes.archives.items():
        calls.append(
            (
                "archives",
                _make_keys("archives", archive),
                [archive, archives.CAP, [blobs.add_value(row) for row in pack_vectors(rows)]],
            )
        )
    for table, messages in writes.labels.items():
        queued = [[labels.digest_message(message), blobs.add_value(encode_message(message))] for message in messages]
        calls.append(("labels", _make_keys("labels", table, *labels.QUEUE_PARTS), [table, labels.QUEUE_CAP, queued]))
    for name, write in writes.references.items():
        groups = [[group, blobs.add_value(pack_rewards(rewards))] for group, rewards in write.groups.items()]
        calls.append(("references", _make_keys("references", name), [name, references.CAP, write.replace, groups]))
    for version in writes.sets:
        names = [
            format_address(version.kind, f"{version.name}@{version.version}"),
            format_address(version.kind, version.name),
        ]
        set_keys = [data_key("sets", names[1], "count"), *(data_key("sets", name) for name in names)]
        arguments = [names[1], version.version, names, version.text]
        calls.append(("sets", [*set_keys, index_key("sets"), clock_key("sets")], arguments))
    return calls


def _make_keys(kind: str, name: str, *parts: str) -> list[str]:
    """The keys of a name's value and of its kind's versions."""
    return [data_key(kind, name), *(data_key(kind, name, part) for part in parts), index_key(kind), clock_key(kind)]
