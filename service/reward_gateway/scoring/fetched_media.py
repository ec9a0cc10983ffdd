"""What one request fetches of the images that it names by address: each address once, whoever reads it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class FetchedMedia:
    """The addresses of one request.

    Attributes:
        addresses: those that were asked for, each once.
        results: what was found there, or is being fetched.
        size: bytes that have arrived.
    """

    addresses: set[str] = field(default_factory=set)
    results: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    size: int = 0

    def admit(self, address: str, most: int) -> bool:
        """Whether an address is one of the first so many of the request."""
        if address not in self.addresses and len(self.addresses) >= most:
            return False
        self.addresses.add(address)
        return True
