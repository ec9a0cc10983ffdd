"""Texts behind the cache of raw scores: answers of judges, by the same addresses, limits and faults."""

from collections.abc import Sequence
from hashlib import blake2b

from .keys import DIGEST_BYTES
from .port import Entry, ScoreCache

NAMESPACE = b"rgj1"
"""Version of the format of keys and texts."""


class TextCache:
    """Texts by what they depend on. As with scores, no fault of the store raises."""

    def __init__(self, cache: ScoreCache) -> None:
        self._cache = cache

    async def get_many(self, owner: str, names: Sequence[str]) -> list[str | None]:
        """Texts in the order of their names, None for those that are not there.

        Args:
            owner: the tenant, to whom no time tells what others asked; empty without API keys.
        """
        entries = await self._cache.get_many([_make_key(owner, name) for name in names])
        return [None if entry is None else entry.values.decode("utf-8", "surrogatepass").rstrip() for entry in entries]

    def put_later(self, owner: str, texts: Sequence[tuple[str, str]]) -> None:
        """Queue texts to be written, each with its name. Spaces at the end of a text are lost."""
        self._cache.put_later([(_make_key(owner, name), _make_entry(text)) for name, text in texts])


def _make_key(owner: str, name: str) -> bytes:
    prefix = f"{owner}:".encode() if owner else b""
    return prefix + NAMESPACE + blake2b(name.encode("utf-8", "surrogatepass"), digest_size=2 * DIGEST_BYTES).digest()


def _make_entry(text: str) -> Entry:
    data = text.encode("utf-8", "surrogatepass")
    return Entry(data + b" " * (-len(data) % 4))  # entries are whole float32 numbers
