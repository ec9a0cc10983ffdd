"""``doctor``: what keeps a gateway from working, and what to do. A check is one function in :mod:`.checks`."""
