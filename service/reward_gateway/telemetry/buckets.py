"""The buckets of all histograms, in one place, so that durations and sizes can be compared across metrics."""

DURATION_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Half a millisecond (a cached answer) to two minutes (the longest default deadline)."""

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Powers of two, to the default limit of a request."""

_DECADES = (0.01, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 100.0, 1000.0)
SCORE = (*(-x for x in reversed(_DECADES)), 0.0, *_DECADES)
"""Symmetric around 0 and roughly logarithmic on either side: for probabilities, logits and penalties alike."""
