"""Shadow scoring: a candidate also scores a share of the live samples, after their answer was sent.

No request waits for it: chosen samples go into a bounded queue, or are dropped and counted if it is full. Prompts are
chosen by a hash of their group, so that a prompt is always or never chosen, with all its samples, in every process and
at any time. Answers are not affected.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import structlog

from reward_gateway.observer import UNOBSERVED, ExperimentOutcome, Observer
from reward_gateway.recipes.plan import Experiment, Plan
from reward_gateway.recipes.shares import share_of
from reward_gateway.sample import Batch, BoolArray, FloatArray, RawScores, plain_text
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope

from .comparison import Comparison

log = structlog.get_logger(__name__)

WAITING_ROWS = 4096
"""Maximum samples that wait to be scored by a candidate."""

SCORING_S = 30.0
"""Timeout for a candidate to score a batch."""

REPORT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Pending:
    """Answered samples with the scores of the served version [n]."""

    experiment: Experiment
    batch: Batch
    groups: list[str]
    served: FloatArray
    version: str
    scope: RequestScope


class Shadow:
    """The experiments of one process."""

    def __init__(self, runtime: EffectsRuntime, observer: Observer = UNOBSERVED) -> None:
        self._runtime = runtime
        self._observer = observer
        self._waiting: deque[Pending] = deque()
        self._rows = 0
        self._work: asyncio.Task[None] | None = None
        self._comparisons: dict[str, Comparison] = {}
        self._counts: dict[str, dict[str, int]] = {}

    def offer_batch(
        self,
        experiments: Mapping[str, Experiment],
        plan: Plan,
        batch: Batch,
        raw: Mapping[str, RawScores],
        scope: RequestScope = NO_SCOPE,
    ) -> None:
        """Choose samples from an answered batch. Costs one hash per prompt; never raises."""
        try:
            self._choose_samples(experiments, plan, batch, raw, scope)
        except Exception as error:  # no matter of the request, which is answered
            log.error("experiments failed", once_per="offer", exc_info=error)

    def _choose_samples(
        self,
        experiments: Mapping[str, Experiment],
        plan: Plan,
        batch: Batch,
        raw: Mapping[str, RawScores],
        scope: RequestScope,
    ) -> None:
        for experiment in experiments.values():
            component = next((part for part in plan.parts if part.model == experiment.model), None)
            if component is None or experiment.reward not in (None, plan.name):
                continue
            if (scores := raw.get(component.address)) is None or scores.fallback:
                continue
            values = scores.values[:, 0]
            names = batch.groups()
            chosen = {name for name in set(names) if share_of(experiment.name, name) < experiment.fraction}
            rows = [i for i, name in enumerate(names) if name in chosen and np.isfinite(values[i])]
            if not rows:
                continue
            if self._rows + len(rows) > WAITING_ROWS:
                self._count_samples(experiment.name, "dropped", len(rows))
                continue
            dimension = replace(experiment, dimension=component.dimension)
            chosen_groups = [names[i] for i in rows]
            self._waiting.append(
                Pending(dimension, batch.select(rows), chosen_groups, values[rows].copy(), scores.version, scope)
            )
            self._rows += len(rows)
        if self._waiting and (self._work is None or self._work.done()):
            self._work = asyncio.get_running_loop().create_task(self._compare_waiting())

    def build_reports(self, experiments: Mapping[str, Experiment]) -> list[dict[str, Any]]:
        """Body of ``GET /v1/experiments``: each experiment, and its comparison for the current versions."""
        return [
            {
                **experiment.describe(),
                "versions": self._get_comparison(name).versions,
                **self._get_comparison(name).report(),
                **{key: self._counts.get(name, {}).get(key, 0) for key in ("dropped", "failed")},
            }
            for name, experiment in experiments.items()
        ]

    def find_comparison(self, name: str) -> Comparison:
        """What an experiment compared last, in this process."""
        return self._get_comparison(name)

    async def close(self) -> None:
        self._waiting.clear()
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work

    async def _compare_waiting(self) -> None:
        reported_at: dict[str, float] = {}
        clock = asyncio.get_running_loop().time
        while self._waiting:
            pending = self._waiting.popleft()
            self._rows -= len(pending.groups)
            name = pending.experiment.name
            try:
                await self._compare_pending(pending, clock() + SCORING_S)
            except Exception as error:  # a failing experiment must not affect anything else
                self._count_samples(name, "failed", len(pending.groups))
                log.warning("experiment failed", experiment=name, error=type(error).__name__, once_per=name)
            if clock() - reported_at.get(name, -1e9) > REPORT_EVERY_S or not self._waiting:
                reported_at[name] = clock()
                self._observer.candidate_compared(name, await asyncio.to_thread(self._get_comparison(name).report))

    async def _compare_pending(self, pending: Pending, deadline: float) -> None:
        candidate = pending.experiment.candidate
        context = RequestContext(deadline, scope=pending.scope)
        answers = await self._runtime.fetch_raw_scores((candidate,), pending.batch, context)
        scores, info = answers[candidate]
        dimension = pending.experiment.dimension
        column = info.dimensions.index(dimension) if info is not None and dimension in info.dimensions else 0
        values = scores.values[:, column]
        both = np.isfinite(values)
        self._count_samples(pending.experiment.name, "failed", int((~both).sum()))
        if both.any():
            groups = [name for name, scored in zip(pending.groups, both.tolist(), strict=True) if scored]
            versions = (pending.version, scores.version)
            self._get_comparison(pending.experiment.name).add_samples(
                versions, groups, pending.served[both], values[both], _count_words(pending.batch, both)
            )
            self._count_samples(pending.experiment.name, "compared", len(groups))

    def _get_comparison(self, name: str) -> Comparison:
        return self._comparisons.setdefault(name, Comparison())

    def _count_samples(self, name: str, outcome: ExperimentOutcome, rows: int) -> None:
        if rows:
            counts = self._counts.setdefault(name, {})
            counts[outcome] = counts.get(outcome, 0) + rows
            self._observer.candidate_scored(name, outcome, rows)


def _count_words(batch: Batch, chosen: BoolArray) -> list[int]:
    """Words of the responses of some samples."""
    return [len(plain_text(batch.responses[row] or "").split()) for row in np.flatnonzero(chosen).tolist()]
