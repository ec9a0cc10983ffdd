"""A queue that callers share by weight, so that no caller's work keeps another's waiting.

Start-time fair queueing: each share has a virtual time, which advances by what it was served, divided by its weight;
the share that is furthest behind is next. A share that had nothing waiting starts at the present, so that it neither
saves up service nor pays for what it used while nobody else wanted it.
"""

import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Generic, Literal, NamedTuple, TypeVar

Priority = Literal["interactive", "training", "batch"]

WEIGHTS: dict[Priority, int] = {"interactive": 16, "training": 4, "batch": 1}
"""Parts that a caller of each priority gets while all of them wait; none gets nothing."""


class Share(NamedTuple):
    """What work is counted against: the caller, with one priority.

    Attributes:
        caller: name of the tenant or API key.
    """

    caller: str = "anonymous"
    priority: Priority = "training"


_CURRENT: ContextVar[Share] = ContextVar("share", default=Share())  # noqa: B039 (a tuple)


def current_share() -> Share:
    """The share of the request that the running task works for."""
    return _CURRENT.get()


def charge_task_to(share: Share) -> None:
    """Count the work of the running task from now on, and of the tasks that it starts, against a share."""
    _CURRENT.set(share)


class charge_to:  # noqa: N801 (read as a verb: `with charge_to(share)`)
    """Count the work of the ``with`` block, and of the tasks that it starts, against a share."""

    __slots__ = ("_share", "_token")

    def __init__(self, share: Share) -> None:
        self._share = share

    def __enter__(self) -> None:
        self._token = _CURRENT.set(self._share)

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)


_MOST_KEPT = 1_000
"""Times of shares without anything waiting, above which those that owe nothing are forgotten."""

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Items that wait, each under its share: first come, first served within a share.

    The number of shares that wait is that of API keys or of requests, so that a step may look at each.
    """

    def __init__(self) -> None:
        self._items: dict[Share, dict[T, None]] = {}
        self._times: dict[Share, float] = {}
        self._now = 0.0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        return (item for items in self._items.values() for item in items)

    def append(self, share: Share, item: T) -> None:
        """Add an item at the end of its share."""
        items = self._items.get(share)
        if items is None:
            self._forget_past_shares()
            items = self._items[share] = {}
            self._times[share] = max(self._now, self._times.get(share, 0.0))
        items[item] = None
        self._size += 1

    def _forget_past_shares(self) -> None:
        """Forget the times of shares that have nothing waiting and owe nothing, once there are many."""
        if len(self._times) > _MOST_KEPT + 2 * len(self._items):
            self._times = {
                share: time for share, time in self._times.items() if share in self._items or time > self._now
            }

    def first(self, is_preferred: Callable[[Share], bool] | None = None) -> tuple[Share, T]:
        """The next item, which stays; the queue must not be empty.

        Args:
            is_preferred: shares that come before the others, where any of them waits.
        """
        if is_preferred is not None and (preferred := [share for share in self._items if is_preferred(share)]):
            share = min(preferred, key=self._times.__getitem__)
            return share, next(iter(self._items[share]))
        share = min(self._items, key=self._times.__getitem__) if len(self._items) > 1 else next(iter(self._items))
        self._now = self._times[share]
        return share, next(iter(self._items[share]))

    def take(self) -> T:
        """Remove the next item, and charge 1 to its share; the queue must not be empty."""
        share, item = self.first()
        self.discard(share, item)
        self.charge(share, 1)
        return item

    def charge(self, share: Share, cost: float) -> None:
        """Count service to a share."""
        self._times[share] = self._times.get(share, self._now) + cost / WEIGHTS[share.priority]

    def discard(self, share: Share, item: T) -> bool:
        """Remove an item; False if it does not wait."""
        items = self._items.get(share, {})
        if item not in items:
            return False
        del items[item]
        self._size -= 1
        if not items:
            del self._items[share]
        return True

    def count_ahead(self, share: Share) -> int:
        """How many of the items that wait are taken before a newcomer of a share, if each costs 1."""
        own = len(self._items.get(share, ()))
        start = max(self._now, self._times.get(share, 0.0)) + own / WEIGHTS[share.priority]
        ahead = own
        for other, items in self._items.items():
            if other != share and self._times[other] <= start:
                ahead += min(len(items), math.floor((start - self._times[other]) * WEIGHTS[other.priority]) + 1)
        return ahead

    def find_longest(self, newcomer: Share | None = None) -> Share:
        """The share with the most items for its weight, counting one more for a newcomer's. It must not be empty."""

        def length(share: Share) -> float:
            return (len(self._items.get(share, ())) + (share == newcomer)) / WEIGHTS[share.priority]

        shares = self._items if newcomer is None else {newcomer: None, **self._items}
        return max(shares, key=length)

    def pop_newest(self, share: Share) -> T:
        """Remove the last item of a share, which must have one."""
        item = next(reversed(self._items[share]))
        self.discard(share, item)
        return item

    def count(self, priority: Priority) -> int:
        """How many items of a priority wait."""
        return sum(len(items) for share, items in self._items.items() if share.priority == priority)
