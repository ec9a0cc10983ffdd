"""Named state as one request sees it: what was stored when it looked, with the request's own changes over it.

Only reads go to the store. What the request would change is collected in :attr:`StateView.writes` and committed at the
end, once every raw score is known; until then nobody else sees it.
"""

from collections.abc import Sequence

import numpy as np

from reward_gateway.operations.effects import Moments
from reward_gateway.sample import FloatArray
from reward_gateway.state.moments import Triple
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites


class StateView:
    """What one request has read of named state, and what it is going to write."""

    def __init__(self) -> None:
        self.writes = StateWrites()
        self._moments: dict[str, Triple] = {}
        self._archives: dict[str, FloatArray] = {}

    async def merge_moments(self, store: StateStore, stream: str, batch: Moments) -> Moments:
        """The stream's moments as they were read, merged with all that this request has merged into it."""
        stored = self._moments.get(stream)
        if stored is None:
            stored = self._moments[stream] = await store.moments.read(stream)
        self.writes.merge_moments(stream, batch.count, batch.mean, batch.m2)
        own = self.writes.moments.get(stream)
        return Moments(*stored) if own is None else Moments(*stored).merged(Moments(*own))

    async def read_archive(self, store: StateStore, archive: str) -> FloatArray:
        """The archive's vectors [m, d] as they were read, and after them those that this request appends."""
        stored = self._archives.get(archive)
        if stored is None:
            stored = self._archives[archive] = await store.archives.read(archive)
        own = self.writes.archives.get(archive)
        if own is None:
            return stored.copy()
        return np.concatenate([stored, own]) if len(stored) else own.copy()

    async def look_up_labels(
        self, store: StateStore, table: str, messages: Sequence[str], *, enqueue: bool
    ) -> list[float | None]:
        """The label of each message; those without one will be queued if ``enqueue``."""
        labels = await store.labels.look_up(table, messages)
        if enqueue:
            unknown = [message for message, label in zip(messages, labels, strict=True) if label is None]
            self.writes.queue_messages(table, unknown)
        return labels

    def discard_writes(self) -> None:
        """Forget what was going to be written; what was read stays as it was."""
        self.writes = StateWrites()
