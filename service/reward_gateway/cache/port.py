"""The port of a cache of raw scores."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """One cached raw score: the K float32 numbers of a model, exactly as the model returned them, and its flag bits."""

    values: bytes
    flags: int = 0


class ScoreCache(Protocol):
    """Entries by key. No call raises for a fault of the store: a lookup misses or a write is lost, and both are
    counted.
    """

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        """Entries in the order of the keys, in one round trip. Without keys nothing is sent and nothing is observed."""

    def put_later(self, items: Sequence[tuple[bytes, Entry]]) -> None:
        """Queue entries to be written after the answer is sent, in one pipeline."""

    async def close(self) -> None:
        """Finish pending writes and release connections."""
