"""The ports of named state. Every name has a version that grows with each change, also across a reset.

Each port has two homes: Redis, where updates from many processes are atomic, and this process, for use
without Redis. Both give the same numbers. Scoring only reads here; what it changes is committed as a whole
(:mod:`.commits`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from reward_gateway.sample import FloatArray


class VersionedStore(Protocol):
    """Named values of one kind."""

    kind: str

    async def names(self) -> dict[str, int]:
        """name -> version of everything that is stored."""

    async def export(self, name: str) -> Any:
        """The value as JSON holds it, or None where there is none."""

    async def restore(self, name: str, value: Any) -> None:
        """Put an exported value in the place of what is there.

        Raises:
            InvalidRequest: it is no value of this kind.
        """

    async def reset(self, name: str) -> bool:
        """Forget a name; False if there was none."""


class MomentsStore(VersionedStore, Protocol):
    """Running moments of streams."""

    async def read(self, stream: str) -> tuple[float, float, float]:
        """Count, mean and sum of squared deviations; zeros where the stream has seen nothing."""


class ReferenceStore(VersionedStore, Protocol):
    """Reference rewards by reward or model (its version included) and group."""

    async def read(self, name: str, groups: Sequence[str]) -> list[FloatArray | None]:
        """[m] float64 a group, oldest first; None where none are stored."""


class ArchiveStore(VersionedStore, Protocol):
    """Archives of vectors."""

    async def read(self, archive: str) -> FloatArray:
        """[m, d] float64, oldest first; [0, 0] where none are stored."""


class LabelStore(VersionedStore, Protocol):
    """Tables of labelled messages, and a queue of the unknown ones for an annotator."""

    async def look_up(self, table: str, messages: Sequence[str]) -> list[float | None]:
        """The label of each message; None where it has none."""

    async def put(self, table: str, labels: Mapping[str, float]) -> None:
        """Label messages, and take them off the queue."""

    async def pending(self, table: str, limit: int = 100) -> list[str]:
        """The messages that wait for a label, oldest first."""


class SetStore(VersionedStore, Protocol):
    """Named JSON values by kind: embeddings, centroids, exemplar statistics, references."""

    async def read(self, kind: str, name: str) -> Any:
        """The value that was put.

        Raises:
            NotFound: there is none.
        """

    async def put(self, kind: str, name: str, value: Any) -> None:
        """Store a JSON value."""

    async def versions(self, kind: str, name: str) -> int:
        """How many versions of a name were stored by :meth:`.writes.StateWrites.add_set_version`."""


class ResultStore(Protocol):
    """Answers that are fetched later."""

    async def put(self, token: str, value: Any, ttl_s: float) -> None:
        """Keep a JSON value for a while, in the place of what the token had."""

    async def read(self, token: str) -> Any:
        """The value; None where there is none, or no longer."""
