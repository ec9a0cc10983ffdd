"""Fixed shares: what is always or never chosen, by a hash, in every process and at any time."""

from hashlib import blake2b


def share_of(name: str, content: str | bytes) -> float:
    """The fixed number in [0, 1) of a content (a prompt's group, a digest of a sample) in what has the name."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    digest = blake2b(name.encode("utf-8", "surrogatepass") + b"\0" + data, digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
