"""What groups of a request are like: their members, how these rewards are spread, and whether a trainer keeps them."""

from collections.abc import Sequence

import numpy as np

from reward_gateway.operations.groups import Groups, measure
from reward_gateway.sample import FloatArray, GroupStats, Scored

from .schema import KeepSpec

UNNAMED = "\0"
"""What the group of a sample begins with of which nobody knows with whom it belongs."""


def describe_groups(names: Sequence[str], scored: Scored, keep: KeepSpec | None) -> dict[str, GroupStats]:
    """The groups of a scored request: the rewards before the comparison, or the component that the rule looks at.

    Args:
        names: [n] the group of every sample.
    """
    of = None if keep is None else keep.of
    values = scored.components[of].value if of is not None else scored.reward_raw
    values = np.full(len(names), np.nan) if values is None else values.copy()
    values[list(scored.invalid)] = np.nan
    return measure_groups(names, values, keep)


def measure_groups(names: Sequence[str], values: FloatArray, keep: KeepSpec | None) -> dict[str, GroupStats]:
    """The groups of a request by name, in the order in which they first appear.

    Args:
        names: [n] the group of every sample.
        values: [n] the number that is looked at, NaN in the rows that are invalid.
        keep: the rule of the recipe by which groups are kept; None: it has none.
    """
    groups = Groups.of(names)
    found = measure(values, groups)
    kept = np.ones(groups.count, dtype=bool)
    if keep is not None and keep.std_above is not None:
        kept &= found.std > keep.std_above  # never of one member, whose spread is not known
    if keep is not None and keep.accuracy_in is not None:
        low, high = keep.accuracy_in
        kept &= (found.accuracy >= low) & (found.accuracy <= high)
    stats = zip(
        dict.fromkeys(names),
        found.sizes.astype(int).tolist(),
        _or_none(found.mean),
        _or_none(found.std),
        found.equal.tolist(),
        _or_none(found.accuracy),
        (kept & (found.sizes > 0)).tolist() if keep is not None else [None] * groups.count,
        strict=True,
    )
    return {name: GroupStats(*numbers) for name, *numbers in stats if not name.startswith(UNNAMED)}


def _or_none(column: FloatArray) -> list[float | None]:
    return [None if number != number else number for number in column.tolist()]
