"""Cohorts: the samples of one prompt that come in several requests, joined and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from reward_gateway.operations.effects import Effectful, JoinCohorts, perform
from reward_gateway.sample import Batch, FloatArray, Invalid

from .group import normalize_in_cohort
from .plan import Plan
from .schema import CohortSpec


@dataclass(slots=True)
class CohortRewards:
    """What the samples of a request got in their cohorts.

    Attributes:
        reward: [n]; NaN in rows that were not compared.
        invalid: row -> reason, for rows that could not be compared.
        incomplete: rows whose cohort closed with fewer samples than it waits for.
    """

    reward: FloatArray
    invalid: dict[int, Invalid] = field(default_factory=dict)
    incomplete: list[int] = field(default_factory=list)


def compare_cohorts(
    plan: Plan,
    spec: CohortSpec,
    batch: Batch,
    groups: Sequence[str],
    reward: FloatArray,
    values: Sequence[FloatArray],
    invalid: Mapping[int, Invalid],
) -> Effectful[CohortRewards]:
    """Join the cohorts of the samples, and normalise each reward within its cohort.

    A sample that can never be scored still takes its place, as no other sample will; one that failed for a cause of the
    server does not, as it may be sent again; nor does one of which nobody knows to which prompt it belongs.

    Args:
        groups: the group of each row.
        reward: [n], combined.
        values: [n] of each component that the recipe combines, and the lengths last where the baseline needs them.
        invalid: the rows that have failed so far.
    """
    compared = CohortRewards(np.full(batch.size, np.nan))
    unknown = batch.without_group()
    rows = [i for i in range(batch.size) if i not in unknown and not (i in invalid and invalid[i].server_caused)]
    if not rows:
        return compared
    names = [f"{plan.name}/{plan.version}/{groups[i]}" for i in rows]
    payloads = np.stack([reward, *values], axis=1)
    payloads[list(invalid)] = np.nan
    cohorts = yield from perform(JoinCohorts(rows, names, payloads[rows], spec.size, spec.timeout_s))
    for i, (members, place) in zip(rows, cohorts, strict=True):
        if i in invalid:
            continue
        if len(members) < spec.size:
            compared.incomplete.append(i)
        answer = normalize_in_cohort(plan.group, spec, plan.over, members, place)
        if isinstance(answer, Invalid):
            compared.invalid[i] = answer
        else:
            compared.reward[i] = answer
    return compared
