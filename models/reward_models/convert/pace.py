"""How far a slow step is: a line every two seconds, with about how long the rest takes."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

EVERY_S = 2.0

T = TypeVar("T")


def tell_pace(
    items: Sequence[T], what: str, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Iterator[T]:
    """The items, one by one; what takes less than two seconds says nothing.

    Args:
        what: what the items are, after their number: ``rows by torch``.
        say: called with ``12 of 48 rows by torch, about 6 s left``.
    """
    begun = told = clock()
    for done, item in enumerate(items):
        now = clock()
        if done and now - told >= EVERY_S:
            told = now
            left = (now - begun) / done * (len(items) - done)
            say(f"{done} of {len(items)} {what}, about {left:,.0f} s left")
        yield item
