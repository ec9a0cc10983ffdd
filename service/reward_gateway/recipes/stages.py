"""Stages of a recipe with conditions: each holds the components that can be computed once those before are."""

from collections.abc import Mapping, Sequence


def find_stages(needs: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Names by stage, in the order of ``needs`` within each; those in or behind a circle are left out.

    Args:
        needs: what each has to be computed after.
    """
    stages: list[list[str]] = []
    done: set[str] = set()
    while ready := [name for name, before in needs.items() if name not in done and before <= done]:
        stages.append(ready)
        done.update(ready)
    return stages


def find_circle(needs: Mapping[str, frozenset[str]]) -> Sequence[str]:
    """Names that wait for each other, in a row that ends where it began; empty if there are none."""
    left = set(needs) - {name for stage in find_stages(needs) for name in stage}
    if not left:
        return ()
    row = [min(left, key=list(needs).index)]
    while True:
        following = next(name for name in needs if name in needs[row[-1]] and name in left)
        if following in row:
            return [*row[row.index(following) :], following]
        row.append(following)
