"""Images and frames of a sample."""

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Media:
    """An image or a frame as received: encoded bytes, or the URL to fetch them from.

    Attributes:
        digest: of the bytes, for cache keys; None: not known yet.
        param: its path below the sample, for the reason if it cannot be fetched, or not be read by a model.
    """

    data: bytes | None = None
    url: str | None = None
    digest: str | None = field(default=None, compare=False)
    param: str = field(default="", compare=False)


def media_digest(data: bytes) -> str:
    """The digest of an image's bytes in cache keys."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()
