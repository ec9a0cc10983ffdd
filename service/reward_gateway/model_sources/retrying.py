"""Attempts at a transfer: each goes on where the last one ended, and one that got further starts the count again."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LONGEST_PAUSE_S = 20.0


class Transient(Exception):
    """A failure that may pass: a broken connection, a timeout, a busy server. The message is a sentence."""


def with_attempts(
    transfer: Callable[[], T],
    attempts: int,
    measure: Callable[[], int] = lambda: 0,
    pause: Callable[[float], None] = time.sleep,
) -> T:
    """The result of ``transfer``, tried again after each Transient.

    Args:
        transfer: goes on where the last attempt ended.
        attempts: at most so many in a row that got no further.
        measure: bytes that are there; a growing number means that an attempt got further.
        pause: waits some seconds: 1, 2, 4 … between attempts.

    Raises:
        Transient: the last attempt's, when all are spent.
    """
    spent, there = 0, measure()
    while True:
        try:
            return transfer()
        except Transient:
            spent, there = (1, measure()) if measure() > there else (spent + 1, there)
            if spent >= attempts:
                raise
            pause(min(2.0 ** (spent - 1), LONGEST_PAUSE_S))
