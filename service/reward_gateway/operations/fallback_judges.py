"""Another judge scores all items of a call while the one that is named is away: never some by each.

Scores of two judges are on two scales. So where a judge could not be asked about one item, its fallback is asked about
all of them, those among them that the judge had answered, from the cache, say. If the fallback cannot be asked either,
its own is; and if none can, the outcome is that of the judge that was named.
"""

from collections.abc import Callable

from reward_gateway.sample.flags import FALLBACK

from .effects import Effectful, FindFallbackJudge, ReadJudgeVersion, perform
from .names import names_in
from .outcome import Outcome
from .registry import OperationParams

RunWith = Callable[[OperationParams], Effectful[Outcome]]
"""Runs an operation with other parameters."""


def run_with_fallbacks(run: RunWith, params: OperationParams, size: int) -> Effectful[Outcome]:
    """The outcome over ``size`` items, by the first judge that is not away; flagged where that is a fallback."""
    first = outcome = yield from run(params)
    if not _is_away(first):
        return first
    named = next(named for named in names_in(params) if named.mark.kind == "judge")
    judge = named.name
    while _is_away(outcome):
        following = yield from perform(FindFallbackJudge(judge))
        if following is None:
            return first
        judge = following
        outcome = yield from run(params.model_copy(update={str(named.path[0]): judge}))
    outcome.fallback = judge, (yield from perform(ReadJudgeVersion(judge)))
    for row in range(size):
        if row not in outcome.invalid:
            outcome.flags[row] = (*outcome.flags.get(row, ()), FALLBACK)
    return outcome


def _is_away(outcome: Outcome) -> bool:
    return any(reason.away for reason in outcome.invalid.values())
