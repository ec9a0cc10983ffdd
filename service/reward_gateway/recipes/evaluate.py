"""Evaluation of a plan over a batch: the way in, and the short cut of recipes that are a model's number."""

from collections.abc import Mapping

from reward_gateway.operations.effects import Effectful
from reward_gateway.sample import Batch, ComponentScores, RawScores, all_finite

from .component_plan import ComponentPlan
from .evaluation import Check, Evaluation, Rewards, accept_all
from .plan import Plan
from .raw_component import RawComponent, ScoredAhead
from .staged_evaluation import StagedEvaluation
from .trace import Trace


def evaluate_plan(
    plan: Plan,
    batch: Batch,
    raw: Mapping[str, RawScores],
    check: Check = accept_all,
    ahead: ScoredAhead | None = None,
    trace: Trace | None = None,
) -> Effectful[Rewards]:
    """Evaluate a plan over a batch.

    Args:
        raw: raw scores by component name, for the components that call a model.
        check: called with the failed samples before a cohort is joined; raises if they fail the request.
        ahead: what :func:`score_ahead` gave for the same samples, of a plan without stages; then ``raw`` is empty.
        trace: notes what each step makes of the samples; None: nobody asks.
    """
    if ahead is not None:
        return (yield from Evaluation(plan, batch, raw, check, ahead, trace).run())
    if plan.stages:
        return (yield from StagedEvaluation(plan, batch, check, trace).run())
    if plan.only_model is not None and (rewards := _read_rewards(plan.only_model, batch, raw)) is not None:
        return rewards
    return (yield from Evaluation(plan, batch, raw, check, trace=trace).run())


def score_ahead(
    plan: Plan, batch: Batch, raw: Mapping[str, RawScores]
) -> Effectful[tuple[Rewards, dict[str, RawComponent]]]:
    """The components of a plan without stages that are scored before all state; see :class:`.ScoredAhead`."""
    return (yield from Evaluation(plan, batch, raw).score_ahead())


def _read_rewards(component: ComponentPlan, batch: Batch, raw: Mapping[str, RawScores]) -> Rewards | None:
    """The rewards of a recipe that is a model's number; None if a sample has failed, or anything was noticed of one."""
    scores = raw[component.name]
    value = scores.values[:, 0]
    if scores.invalid or scores.flags or batch.invalid or batch.flags or batch.has_media or not all_finite(value):
        return None
    part = ComponentScores(value, value, scores.model, scores.version, scores.cached)
    return Rewards(value.copy(), {component.name: part})
