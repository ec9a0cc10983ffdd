"""Numbers of a report: None in the place of NaN, which JSON has not."""

import math


def finite(value: float) -> float | None:
    """A number, or None if it is none or infinite."""
    return float(value) if math.isfinite(value) else None
