"""The ports of named state. Every name has a version that grows with each change, also across a reset.

Each port has two homes: Redis, where updates from many processes are atomic, and this process, for use
without Redis. Both give the same numbers.
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

    async def merge(self, stream: str, count: float, mean: float, m2: float) -> tuple[float, float, float]:
        """Merge a batch's count, mean and sum of squared deviations; the stream's own after it."""


class ReferenceStore(VersionedStore, Protocol):
    """Reference rewards by reward or model (its version included) and group."""

    async def read(self, name: str, groups: Sequence[str]) -> list[FloatArray | None]:
        """[m] float64 a group, oldest first; None where none are stored."""

    async def add(self, name: str, rewards: Mapping[str, Sequence[float]], *, replace: bool = False) -> None:
        """Append rewards to groups, atomically, or put them in the place of what is there. The newest stay."""


class ArchiveStore(VersionedStore, Protocol):
    """Archives of vectors."""

    async def read(self, archive: str) -> FloatArray:
        """[m, d] float64, oldest first; [0, 0] where none are stored."""

    async def add(self, archive: str, vectors: FloatArray) -> None:
        """Append vectors [k, d], atomically. The newest stay.

        Raises:
            InvalidRequest: the archive holds vectors of another size.
        """


class LabelStore(VersionedStore, Protocol):
    """Tables of labelled messages, and a queue of the unknown ones for an annotator."""

    async def look_up(self, table: str, messages: Sequence[str], enqueue: bool = True) -> list[float | None]:
        """The label of each message; unknown messages are queued, each once, if ``enqueue``."""

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

    async def add(self, kind: str, name: str, value: Any) -> int:
        """Store a JSON value as the next version N of a name, under ``name@N`` and, as the newest, under the name."""


class ResultStore(Protocol):
    """Answers that are fetched later."""

    async def put(self, token: str, value: Any, ttl_s: float) -> None:
        """Keep a JSON value for a while, in the place of what the token had."""

    async def read(self, token: str) -> Any:
        """The value; None where there is none, or no longer."""
