"""Memory that a worker has freed: kept for its next request, and not given back and asked of the kernel again."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt``."""

LARGEST = 32 << 20
"""Bytes of the largest block that is taken from what was freed; glibc allows no more."""

KEPT = 2 * LARGEST
"""Bytes that may lie free at the end of the heap."""


def keep_freed_memory() -> None:
    """Let large blocks be taken from what was freed before, as small ones are.

    glibc begins with giving blocks of 128 KiB back at once, and comes to these limits itself when it has freed a block
    of this size. Before that the body, the texts and the message of every large batch are pages that the kernel has to
    clear first, which takes a tenth of the time of scoring them. Other allocators are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, LARGEST)
        mallopt(_TRIM_THRESHOLD, KEPT)
