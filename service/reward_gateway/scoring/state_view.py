"""Named state as one request sees it: the stored values when first read, with the request's own changes applied.

Only reads go to the store. The request's changes are collected in :attr:`StateView.writes` and committed at the end,
once every raw score is known; until then no other request sees them.
"""

from collections.abc import Sequence

import numpy as np

from reward_gateway.operations.effects import Moments
from reward_gateway.sample import FloatArray
from reward_gateway.state.coefficients import Update
from reward_gateway.state.moments import Triple
from reward_gateway.state.namespace import NO_NAMESPACE, Namespace
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites


class StateView:
    """The values of named state that one request has read, and its pending writes.

    Attributes:
        space: whose state the request reads and writes.
    """

    def __init__(self, space: Namespace = NO_NAMESPACE) -> None:
        self.space = space
        self._writes: StateWrites | None = None
        self._moments: dict[str, Triple] = {}
        self._coefficients: dict[str, float | None] = {}
        self._archives: dict[str, FloatArray] = {}

    @property
    def has_writes(self) -> bool:
        """Whether any write is pending."""
        return self._writes is not None and bool(self._writes)

    @property
    def writes(self) -> StateWrites:
        """The pending writes, to which more may be added."""
        if self._writes is None:
            self._writes = StateWrites(self.space)
        return self._writes

    async def merge_moments(self, store: StateStore, stream: str, batch: Moments) -> Moments:
        """Merge a batch into the stream: the moments as read, merged with all batches of this request."""
        stored = self._moments.get(stream)
        if stored is None:
            stored = self._moments[stream] = await store.moments.within(self.space).read(stream)
        self.writes.merge_moments(stream, batch.count, batch.mean, batch.m2)
        own = self.writes.moments.get(stream)
        return Moments(*stored) if own is None else Moments(*stored).merged(Moments(*own))

    async def update_coefficient(self, store: StateStore, name: str, update: Update) -> float:
        """Change a coefficient; returns its value as read, before all changes of this request."""
        if name not in self._coefficients:
            self._coefficients[name] = await store.coefficients.within(self.space).read(name)
        self.writes.update_coefficient(name, update)
        stored = self._coefficients[name]
        return update.start if stored is None else stored

    async def read_archive(self, store: StateStore, archive: str) -> FloatArray:
        """The archive's vectors [m, d] as read, followed by those that this request appends."""
        stored = self._archives.get(archive)
        if stored is None:
            stored = self._archives[archive] = await store.archives.within(self.space).read(archive)
        own = self.writes.archives.get(archive)
        if own is None:
            return stored.copy()
        return np.concatenate([stored, own]) if len(stored) else own.copy()

    async def look_up_labels(
        self, store: StateStore, table: str, messages: Sequence[str], *, enqueue: bool
    ) -> list[float | None]:
        """The label of each message; with ``enqueue`` those without a label are queued at the commit."""
        labels = await store.labels.within(self.space).look_up(table, messages)
        if enqueue:
            unknown = [message for message, label in zip(messages, labels, strict=True) if label is None]
            self.writes.queue_messages(table, unknown)
        return labels

    def discard_writes(self) -> None:
        """Drop the pending writes; values that were read are kept."""
        self._writes = None
