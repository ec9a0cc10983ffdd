"""All named state: running moments, coefficients, references, archives, labels and sets, each name with a version.

store = StateStore.on_redis(client)      # shared by processes
store = StateStore.in_process()          # this process only
space = Namespace("alice", "run-42")
await store.commit(StateWrites(space).merge_moments("rewards", 8.0, 0.3, 1.2))
await store.within(space).list_names()   # [{"kind": "moments", "name": "rewards", "version": 1, "owner": "run"}]
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from redis.asyncio import Redis

from reward_gateway.errors import NotFound
from reward_gateway.fair_queue import WEIGHTS
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.redis_servers.clients import connect

from .archives import LocalArchives
from .attempts import AttemptRecord, AttemptStore, LocalAttempts, RedisAttempts
from .coefficients import LocalCoefficients
from .commits import Commits, LocalCommits, RedisCommits, RedisKinds
from .epoch import StoreEpoch
from .jobs import JobStore
from .labels import LocalLabels
from .local_jobs import LocalJobs
from .moments import LocalMoments
from .namespace import TAG, Namespace
from .port import (
    ArchiveStore,
    CoefficientStore,
    LabelStore,
    MomentsStore,
    ReferenceStore,
    ResultStore,
    SessionStore,
    SetStore,
    VersionedStore,
)
from .redis_jobs import RedisJobs
from .redis_store import TIMEOUT_S, RedisMarker, connect_client
from .references import LocalReferences
from .results import LocalResults, RedisResults
from .runs import LocalRuns, RedisRuns, RunList
from .sessions import LocalSessions, RedisSessions
from .sets import LocalSets
from .writes import StateWrites


@dataclass(frozen=True, slots=True)
class StateStore:
    """Named state by kind. Every call may raise :class:`reward_gateway.errors.StateUnavailable`."""

    moments: MomentsStore
    coefficients: CoefficientStore
    references: ReferenceStore
    archives: ArchiveStore
    labels: LabelStore
    sets: SetStore
    attempts: AttemptStore
    """Idempotency keys and their recorded answers; not listed."""
    commits: Commits
    release: Callable[[], Awaitable[None]] | None = None
    """Called by :meth:`close`; releases the connections if this store owns them."""
    results: ResultStore = field(default_factory=LocalResults)
    """Answers that clients fetch later; they have tokens instead of names and are not listed."""
    marker: RedisMarker | None = None
    """Tells whether the store has lost its state; None: a store that lives as long as this process cannot."""
    sessions: SessionStore = field(default_factory=LocalSessions)
    """Sessions of clients that ask in several requests; not listed."""
    runs: RunList = field(default_factory=LocalRuns)
    """The runs of the namespace's tenant that have state."""
    jobs: JobStore = field(default_factory=partial(LocalJobs, WEIGHTS))
    """Bodies that are scored later, and the queues of their results; not listed."""

    @classmethod
    def in_process(cls) -> Self:
        """State that lives as long as this process, for use without Redis."""
        kinds = (
            LocalMoments(),
            LocalCoefficients(),
            LocalReferences(),
            LocalArchives(),
            LocalLabels(),
            LocalSets(),
        )
        attempts = LocalAttempts()
        return cls(*kinds, attempts, LocalCommits(*kinds, attempts), runs=LocalRuns(*kinds))

    @classmethod
    def on_redis(cls, client: Redis, timeout_s: float = TIMEOUT_S, epoch: StoreEpoch | None = None) -> Self:
        """State in Redis, through a client that returns bytes and that its owner closes.

        Args:
            epoch: what is remembered of the store; None: nothing yet.
        """
        arguments = client, timeout_s, epoch or StoreEpoch()
        kinds = RedisKinds.over(*arguments)
        return cls(
            *kinds,
            RedisAttempts(*arguments),
            RedisCommits(*arguments, kinds),
            results=RedisResults(*arguments),
            sessions=RedisSessions(*arguments),
            marker=RedisMarker(*arguments),
            runs=RedisRuns(*arguments),
            jobs=RedisJobs(*arguments, weights=WEIGHTS),
        )

    @classmethod
    def connect(
        cls,
        address: RedisAddress | str,
        timeout_s: float = TIMEOUT_S,
        epoch: StoreEpoch | None = None,
        written: Path | None = None,
    ) -> Self:
        """State in the Redis at an address, through connections of its own; arguments as for :meth:`on_redis`.

        Args:
            written: as for :class:`.redis_jobs.RedisJobs`.
        """
        client = connect_client(address, timeout_s)
        epoch = epoch or StoreEpoch()
        store = cls.on_redis(client, timeout_s, epoch)
        subscriber = connect(address, TAG, socket_connect_timeout=timeout_s)
        jobs = RedisJobs(client, timeout_s, epoch, weights=WEIGHTS, subscriber=subscriber, written=written)

        async def release() -> None:
            await jobs.close()
            await client.aclose()

        return replace(store, jobs=jobs, release=release)

    def within(self, space: Namespace) -> Self:
        """The state that a namespace reads and changes by name; :meth:`commit` goes by the writes' own namespace."""
        return replace(
            self,
            moments=self.moments.within(space),
            coefficients=self.coefficients.within(space),
            references=self.references.within(space),
            archives=self.archives.within(space),
            labels=self.labels.within(space),
            sets=self.sets.within(space),
            results=self.results.within(space),
            sessions=self.sessions.within(space),
            runs=self.runs.within(space),
        )

    async def commit(self, writes: StateWrites, *records: AttemptRecord) -> None:
        """Store changes, all or none; see :meth:`.commits.Commits.commit`."""
        await self.commits.commit(writes, *records)

    @property
    def stores(self) -> tuple[VersionedStore, ...]:
        return (self.moments, self.coefficients, self.references, self.archives, self.labels, self.sets)

    def store_of(self, kind: str) -> VersionedStore:
        """The store of one kind.

        Raises:
            NotFound: there is no such kind.
        """
        found = next((store for store in self.stores if store.kind == kind), None)
        if found is None:
            raise NotFound(f"there is no state of this kind; there are {', '.join(s.kind for s in self.stores)}")
        return found

    async def list_names(self, kind: str | None = None) -> list[dict[str, Any]]:
        """``kind``, ``name``, ``version`` and ``owner`` of all values that are read, sorted by kind and name."""
        stores = self.stores if kind is None else (self.store_of(kind),)
        return [
            {"kind": store.kind, "name": name, **stored._asdict()}
            for store in stores
            for name, stored in sorted((await store.list_versions()).items())
        ]

    async def export_value(self, kind: str, name: str) -> dict[str, Any]:
        """One name as JSON: ``kind``, ``name``, ``version``, ``owner``, ``value``; for :meth:`restore_value`.

        Raises:
            NotFound: nothing is stored under this name.
        """
        store = self.store_of(kind)
        value, stored = await store.export_value(name), (await store.list_versions()).get(name)
        if value is None or stored is None:
            raise NotFound(f"there is no state of kind {kind} under this name")
        return {"kind": kind, "name": name, **stored._asdict(), "value": value}

    async def restore_value(self, kind: str, name: str, value: Any) -> None:
        """Replace the stored value by an exported one.

        Raises:
            NotFound: there is no such kind.
            InvalidRequest: the value is not of this kind.
        """
        await self.store_of(kind).restore_value(name, value)

    async def reset(self, kind: str, name: str) -> None:
        """Delete a name; its next version will be a new one.

        Raises:
            NotFound: nothing is stored under this name.
        """
        if not await self.store_of(kind).reset(name):
            raise NotFound(f"there is no state of kind {kind} under this name")

    async def reset_run(self) -> list[dict[str, str]]:
        """Delete all that scoring wrote for this namespace's run; what belongs to the tenant stays.

        Returns:
            ``kind`` and ``name`` of what was deleted.
        """
        deleted = []
        for store in self.stores:
            for name, stored in (await store.list_versions()).items():
                if stored.owner == "run":
                    await store.reset(name)
                    deleted.append({"kind": store.kind, "name": name})
        deleted += [{"kind": "queues", "name": table} for table in await self.labels.drop_queues()]
        return deleted

    async def move_legacy(self, *, discard: bool) -> list[dict[str, Any]]:
        """Move all state of a version without namespaces to this namespace, so that no other reads it any more.

        Args:
            discard: delete what remains of names that the namespace has written itself; else it stays where it is.

        Returns:
            ``kind``, ``name`` and ``moved`` of each name; False if the namespace had written it itself.
        """
        return [
            {"kind": store.kind, "name": name, "moved": moved}
            for store in self.stores
            for name, moved in (await store.move_legacy(discard=discard)).items()
        ]

    @property
    def known_fault(self) -> str:
        """Why the store could not be used when last asked: it is away, or has lost its state; empty if it could."""
        return self.marker.known_fault if self.marker is not None else ""

    def mark_away(self) -> None:
        """The store cannot be reached, until it next answers."""
        if self.marker is not None:
            self.marker.mark_away()

    async def is_lost(self) -> bool:
        """Ask whether the store has lost its state."""
        return self.marker is not None and await self.marker.is_lost()

    async def accept_reset(self) -> bool:
        """Begin anew in a store that has lost its state; False if it has not."""
        return self.marker is not None and await self.marker.accept_reset()

    async def close(self) -> None:
        """Release the connections that :meth:`connect` made."""
        if self.release is not None:
            await self.release()
