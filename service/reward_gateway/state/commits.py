"""The one way in which a request changes named state: all of its writes, and the record of its key, or none."""

from typing import Any, Protocol

import msgspec

from reward_gateway.errors import InternalError

from . import archives, labels, references
from .archives import LocalArchives, packed, unequal
from .attempts import AttemptRecord, LeaseLost, LocalAttempts, attempt_key, lease_key
from .labels import LocalLabels, encoded
from .moments import LocalMoments
from .redis_store import RedisScripts, clock_key, data_key, index_key
from .references import LocalReferences, packed_rewards
from .sets import LocalSets, address
from .writes import StateWrites


class VersionTaken(Exception):
    """Another one has stored this version of a set in between: nothing was written."""


class Commits(Protocol):
    """Where the writes of requests are committed."""

    async def commit(self, writes: StateWrites, record: AttemptRecord | None = None) -> None:
        """Make the changes, and keep the record of the attempt that they belong to.

        Raises:
            InvalidRequest: an archive holds vectors of another size.
            LeaseLost: the attempt is no longer this request's.
            VersionTaken: a set's version is no longer the next one.
            StateUnavailable: the store cannot be reached; whether it has made the changes is not known.
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

    async def commit(self, writes: StateWrites, record: AttemptRecord | None = None) -> None:
        if record is not None and not self._attempts.holds(record.address, record.token):
            raise LeaseLost
        for archive, rows in writes.archives.items():
            self._archives.check(archive, rows)
        for own in writes.sets:
            if await self._sets.versions(own.kind, own.name) != own.version - 1:
                raise VersionTaken
        for stream, batch in writes.moments.items():
            self._moments.merge(stream, batch)
        for archive, rows in writes.archives.items():
            self._archives.append(archive, rows)
        for table, messages in writes.labels.items():
            self._labels.enqueue(table, messages)
        for name, write in writes.references.items():
            self._references.add(name, write.groups, replace=write.replace)
        for own in writes.sets:
            self._sets.add_version(own.kind, own.name, own.version, own.text)
        if record is not None:
            self._attempts.record(record)


class RedisCommits(RedisScripts):
    """Implements :class:`Commits` in Redis: one script, whose keys all lie in one slot."""

    async def commit(self, writes: StateWrites, record: AttemptRecord | None = None) -> None:
        own = "" if record is None else record.address  # no attempt has the empty address
        keys = [attempt_key(own), lease_key(own)]
        calls: list[list[Any]] = []
        blobs = _Blobs()
        for kind, touched, arguments in _calls(writes, blobs):
            calls.append([kind, len(keys) + 1, *arguments])
            keys += touched
        request = {
            "token": "" if record is None else record.token,
            "record": blobs.add(b"" if record is None else record.record),
            "complete": record is not None and record.complete,
            "ttl_ms": 0 if record is None else max(1, round(record.ttl_s * 1e3)),
            "writes": calls,
        }
        outcome, *details = await self._run("commit_writes", keys, [msgspec.msgpack.encode(request), *blobs.arguments])
        match outcome:
            case b"ok":
                return
            case b"lease_lost":
                raise LeaseLost
            case b"version_taken":
                raise VersionTaken
            case b"unequal":
                raise unequal(int(details[1]) // 8, writes.archives[details[0].decode()].shape[1])
        raise InternalError("the store of named state gave an answer that is not known")


class _Blobs:
    """Bytes, which are arguments of their own: MessagePack in Lua has no type for them."""

    def __init__(self) -> None:
        self.arguments: list[bytes] = []

    def add(self, value: bytes) -> int:
        """The place of the value in ARGV."""
        self.arguments.append(value)
        return len(self.arguments) + 1


def _calls(writes: StateWrites, blobs: _Blobs) -> list[tuple[str, list[str], list[Any]]]:
    """Kind, keys and arguments of every write, as ``commit_writes.lua`` takes them."""
    calls: list[tuple[str, list[str], list[Any]]] = []
    for stream, batch in writes.moments.items():
        calls.append(("moments", _keys("moments", stream), [stream, *batch]))
    for archive, rows in writes.archives.items():
        calls.append(
            ("archives", _keys("archives", archive), [archive, archives.CAP, [blobs.add(row) for row in packed(rows)]])
        )
    for table, messages in writes.labels.items():
        queued = [[labels.digest(message), blobs.add(encoded(message))] for message in messages]
        calls.append(("labels", _keys("labels", table, *labels.QUEUE_PARTS), [table, labels.QUEUE_CAP, queued]))
    for name, write in writes.references.items():
        groups = [[group, blobs.add(packed_rewards(rewards))] for group, rewards in write.groups.items()]
        calls.append(("references", _keys("references", name), [name, references.CAP, write.replace, groups]))
    for own in writes.sets:
        names = [address(own.kind, f"{own.name}@{own.version}"), address(own.kind, own.name)]
        own_keys = [data_key("sets", names[1], "count"), *(data_key("sets", name) for name in names)]
        arguments = [names[1], own.version, names, own.text]
        calls.append(("sets", [*own_keys, index_key("sets"), clock_key("sets")], arguments))
    return calls


def _keys(kind: str, name: str, *parts: str) -> list[str]:
    """The keys of a name's value, and those of its kind's versions."""
    return [data_key(kind, name), *(data_key(kind, name, part) for part in parts), index_key(kind), clock_key(kind)]
