"""The port of a cache of raw scores."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """One remembered raw score: the K float32 numbers of a model, exactly as they came, and its flag bits."""

    values: bytes
    flags: int = 0


class ScoreCache(Protocol):
    """Entries by key. No call raises for a fault of the store: a lookup misses, a write is lost, both are counted."""

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        """One round trip for all keys, in their order; no keys, no round trip and no observation."""

    def put_later(self, items: Sequence[tuple[bytes, Entry]]) -> None:
        """Write after the answer is out, in one pipeline."""

    async def close(self) -> None:
        """Finish what is being written and release connections."""
