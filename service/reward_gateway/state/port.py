"""The ports of named state. Every name has a version that grows with each change, also across a reset.

Each port has two implementations: in Redis, where updates from many processes are atomic, and in this process, for use
without Redis. Both give the same numbers. Scoring only reads here; its changes are committed together
(:mod:`.commits`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self

from reward_gateway.sample import FloatArray

from .namespace import Namespace


class StoredName(NamedTuple):
    """A name in a listing.

    Attributes:
        owner: ``run`` or ``tenant``; ``legacy``: stored before namespaces, and read until the namespace writes it.
    """

    version: int
    owner: Literal["run", "tenant", "legacy"]


class VersionedStore(Protocol):
    """Named values of one kind, as one namespace sees them."""

    kind: str

    def within(self, space: Namespace) -> Self:
        """The same store as another namespace sees it."""

    async def list_versions(self) -> dict[str, StoredName]:
        """name -> version and owner of all values that the namespace reads."""

    async def export_value(self, name: str) -> Any:
        """The value as JSON, or None if nothing is stored."""

    async def restore_value(self, name: str, value: Any) -> None:
        """Replace the stored value by an exported one.

        Raises:
            InvalidRequest: the value is not of this kind.
        """

    async def reset(self, name: str) -> bool:
        """Delete a name; False if it did not exist."""

    async def move_legacy(self, *, discard: bool) -> dict[str, bool]:
        """Move all legacy names to the namespace, where other namespaces no longer read them.

        Args:
            discard: delete the legacy values of names that the namespace has written itself; else they stay.

        Returns:
            name -> True if moved, False if the namespace had written it itself.
        """


class MomentsStore(VersionedStore, Protocol):
    """Running moments of streams."""

    async def read(self, stream: str) -> tuple[float, float, float]:
        """Count, mean and sum of squared deviations; zeros for an empty stream."""


class CoefficientStore(VersionedStore, Protocol):
    """Coefficients that batches adapt."""

    async def read(self, name: str) -> float | None:
        """The value; None if nothing is stored."""


class ReferenceStore(VersionedStore, Protocol):
    """Reference rewards by reward or model (its version included) and group."""

    async def read(self, name: str, groups: Sequence[str]) -> list[FloatArray | None]:
        """[m] float64 per group, oldest first; None for groups without rewards."""


class ArchiveStore(VersionedStore, Protocol):
    """Archives of vectors."""

    async def read(self, archive: str) -> FloatArray:
        """[m, d] float64, oldest first; [0, 0] for an empty archive."""


class LabelStore(VersionedStore, Protocol):
    """Tables of labelled messages, and a queue of unlabelled ones for an annotator."""

    async def look_up(self, table: str, messages: Sequence[str]) -> list[float | None]:
        """The label of each message; None for messages without one."""

    async def put(self, table: str, labels: Mapping[str, float]) -> None:
        """Label messages and remove them from the queue."""

    async def list_pending(self, table: str, limit: int = 100) -> list[str]:
        """The first ``limit`` queued messages, oldest first."""

    async def drop_queues(self) -> list[str]:
        """Delete the queues of the run, of all tables; returns the tables that had one."""


class SetStore(VersionedStore, Protocol):
    """Named JSON values by kind: embeddings, centroids, exemplar statistics, references."""

    async def read(self, kind: str, name: str) -> Any:
        """The stored value.

        Raises:
            NotFound: nothing is stored.
        """

    async def put(self, kind: str, name: str, value: Any) -> None:
        """Store a JSON value."""

    async def count_versions(self, kind: str, name: str) -> int:
        """The number of versions of a name that were stored by :meth:`.writes.StateWrites.add_set_version`."""


class ResultStore(Protocol):
    """Answers that clients fetch later, each by its tenant."""

    def within(self, space: Namespace) -> Self:
        """The same store as another namespace sees it."""

    async def put(self, token: str, value: Any, ttl_s: float) -> None:
        """Store a JSON value for ``ttl_s`` seconds, replacing the token's earlier value."""

    async def read(self, token: str) -> Any:
        """The value; None if there is none or it has expired."""


class SessionStore(Protocol):
    """Sessions of clients that ask in several requests, each tenant's by its names."""

    def within(self, space: Namespace) -> Self:
        """The same store as another namespace sees it."""

    async def open(self, name: str, value: Any, ttl_s: float, most: int) -> Literal["opened", "exists", "full"]:
        """Open a session with a JSON value, unless there is one of the name or ``most`` of the tenant are open."""

    async def read(self, name: str) -> Any:
        """The session's value; None if there is none or its time is over."""

    async def replace(self, name: str, value: Any, ttl_s: float) -> bool:
        """Replace the value of a session, which then lives for another ``ttl_s``; False if there is none."""

    async def touch(self, name: str, ttl_s: float) -> bool:
        """Let a session live for another ``ttl_s``, whatever its value is by now; False if there is none."""

    async def close(self, name: str) -> bool:
        """End a session; False if there was none."""
