"""What waits for a collection of garbage."""

import gc


def count(kind: type) -> int:
    """How many objects of a class there are, collected or not."""
    return sum(isinstance(found, kind) for found in gc.get_objects())
