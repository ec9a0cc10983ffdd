"""Calls that run side by side and are not waited for longer than a given time."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def run_bounded(calls: Sequence[Callable[[], T]], seconds: float) -> list[T | Exception | None]:
    """The result of each call, or what it raised; None where it has not ended in time.

    Each runs in a daemon thread: one that hangs, in a look-up of a name say, does not keep the process from ending, as
    a thread of a pool would.
    """
    results: list[T | Exception | None] = [None] * len(calls)

    def run(place: int, call: Callable[[], T]) -> None:
        try:
            results[place] = call()
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(calls)]
    end = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return list(results)
