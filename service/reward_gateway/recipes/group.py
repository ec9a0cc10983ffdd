"""The group stage: rewards normalised within the samples of the same prompt, and samples that are alone there."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from reward_gateway.operations.groups import Groups, advantages, gdpo, rank
from reward_gateway.operations.registry import Comparison
from reward_gateway.sample import FloatArray, Invalid

from .missing_context import GROUP_OF_ONE
from .schema import CohortSpec, GroupSpec


def find_alone(comparison: Comparison, groups: Sequence[str], rows: Sequence[int]) -> list[int]:
    """Those of the valid ``rows`` that are alone in their group (of ``groups`` [n]), or in their request."""
    if comparison == "request":
        return list(rows) if len(rows) == 1 else []
    members = Counter(groups[i] for i in rows)
    return [i for i in rows if members[groups[i]] == 1]


def normalize_rows(
    spec: GroupSpec,
    groups: Sequence[str],
    rows: Sequence[int],
    reward: FloatArray,
    components: Mapping[str, FloatArray],
    lengths: FloatArray | None = None,
) -> FloatArray:
    """Rewards [n] of the valid ``rows`` normalised within their groups (names [n]); NaN for the others.

    A row that is alone keeps its reward, and counts nothing in what is normalised over the request.

    Args:
        lengths: [n] of the responses, where the baseline is weighted by them.
    """
    alone = [i for comparison in sorted(spec.compared_within) for i in find_alone(comparison, groups, rows)]
    if alone:
        left_out = {*alone}
        rows = [i for i in rows if i not in left_out]
    if len(rows) == len(reward):
        return normalize_rewards(spec, groups, reward, components, lengths)
    shaped = np.full(len(reward), np.nan)
    shaped[rows] = normalize_rewards(
        spec,
        [groups[i] for i in rows],
        reward[rows],
        {name: column[rows] for name, column in components.items()},
        None if lengths is None else lengths[rows],
    )
    shaped[alone] = reward[alone]
    return shaped


def normalize_in_cohort(
    spec: GroupSpec, cohort: CohortSpec, over: Sequence[str], members: FloatArray, place: int
) -> float | Invalid:
    """The normalised reward of one member of a closed cohort, or why it has none.

    Args:
        members: [m, 1 + components] rewards and components of the members, and their lengths last where the baseline
            is weighted by them; NaN where one is invalid.
        place: whose reward it is.
    """
    alone = int(np.count_nonzero(~np.isnan(members[:, 0]))) < 2
    if alone and spec.of_one == "refuse":
        return GROUP_OF_ONE
    if len(members) < cohort.size and cohort.incomplete == "invalid":
        message = f"only {len(members)} of {cohort.size} samples of this prompt came within {cohort.timeout_s:g} s"
        return Invalid("operation_error", message)
    if alone:
        return float(members[place, 0]) if spec.of_one == "raw" else 0.0
    table = {name: members[:, k + 1] for k, name in enumerate(over)}
    lengths = members[:, -1] if spec.ways[0] == "opo" else None
    return float(normalize_rewards(spec, ["cohort"] * len(members), members[:, 0], table, lengths)[place])


def normalize_rewards(
    spec: GroupSpec,
    names: Sequence[str],
    reward: FloatArray,
    components: Mapping[str, FloatArray],
    lengths: FloatArray | None = None,
) -> FloatArray:
    """Rewards [n] normalised within their groups (names [n]), as the recipe says."""
    groups = Groups.of(names)
    match spec.normalize:
        case "rank":
            return rank(reward, groups)
        case "gdpo":
            return gdpo(components, spec.weights, groups, eps=spec.gdpo_eps)
        case _:
            baseline, scale = spec.ways
            return advantages(reward, groups, baseline, scale, eps=spec.eps, spread=spec.spread, lengths=lengths)
