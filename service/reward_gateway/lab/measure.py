"""Puts a report together: everything that the scores of one or two recipes say about a preference set."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .accuracy import measure_accuracy, measure_matrix, measure_subsets
from .agreement import compare_rewards
from .calibration import measure_calibration
from .comparison import Comparison
from .decisions import list_mistakes
from .distribution import measure_distribution
from .length_bias import measure_length_bias
from .outcomes import Outcomes, Ties
from .pair_margins import Margins
from .report import Difference, Reward
from .scores import RewardScores, RowScores, split_scores
from .ties_subset import measure_ties_subset


def measure_rewards(
    comparisons: Sequence[Comparison], rewards: Sequence[RewardScores], ties: Ties
) -> tuple[list[Reward], Difference | None]:
    """What each recipe was found to do, and A beside B where there are two."""
    scores = [split_scores(comparisons, reward.values) for reward in rewards]
    outcomes = [Outcomes.of(comparisons, rows, ties) for rows in scores]
    found = [_measure(comparisons, *parts) for parts in zip(rewards, scores, outcomes, strict=True)]
    if len(rewards) < 2:
        return found, None
    return found, compare_rewards(comparisons, (outcomes[0], outcomes[1]), (scores[0], scores[1]))


def _measure(
    comparisons: Sequence[Comparison], reward: RewardScores, scores: Sequence[RowScores], outcomes: Outcomes
) -> Reward:
    pairs = Margins.of(comparisons, scores)
    subsets, ties_subset = measure_subsets(comparisons, outcomes), measure_ties_subset(comparisons, scores)
    parts = [subset.accuracy.value for subset in subsets]
    if ties_subset is not None:
        parts.append(ties_subset.score.value)
    known = [part for part in parts if part is not None]
    whole = bool(parts) and len(known) == len(parts)
    reasons = Counter(error.partition(":")[0] for error in reward.errors if error is not None)
    return Reward(
        name=reward.reward,
        recipe_version=reward.recipe_version,
        models=reward.models,
        samples=len(reward.values),
        invalid=reasons.total(),
        reasons=dict(reasons.most_common()),
        excluded=int(np.isnan(outcomes.values).sum()),
        accuracy=measure_accuracy(outcomes.values, outcomes.tied, outcomes.prompts),
        subsets=subsets,
        subset_mean=sum(known) / len(known) if whole else None,
        ties_subset=ties_subset,
        matrix=measure_matrix(comparisons, outcomes),
        calibration=measure_calibration(pairs),
        length=measure_length_bias(pairs),
        distribution=measure_distribution(scores),
        mistakes=list_mistakes(comparisons, outcomes, scores),
    )
