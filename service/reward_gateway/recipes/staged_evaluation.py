"""Evaluation of a plan with conditions: stage by stage, each component only in the rows where it counts.

Guards that read texts come first; what they settle (``zero``, ``invalid``) is computed no further. Then, for each
stage, the conditions of its components are decided, models and judges are asked about the rows that pass, all
components of the stage at the same time, and the transforms follow. The rest is as in :mod:`.evaluation`.

Rows that are skipped have the value ``otherwise``, which later conditions, the combination and the group see; they take
part in no transform. Where state is used and a row fails in a later stage, all stages are computed again without it;
what models and judges have said is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reward_gateway.cache.keys import SampleDigests
from reward_gateway.errors import GatewayError
from reward_gateway.operations.effects import AskModels, Effectful, Together, Within, perform
from reward_gateway.operations.reading.response import Part
from reward_gateway.sample import Batch, ComponentScores, FloatArray, Invalid, RawScores, json_text
from reward_gateway.sample.fields import MODEL_INPUTS
from reward_gateway.sample.flags import COMPONENT_TIMEOUT

from .column_binder import Value
from .component_rows import ComponentRows, PartRows, explain_no_case, fill_skipped, leave_out
from .conditions import find_skipped
from .evaluation import Check, Evaluation, Rewards
from .missing_context import NO_PROMPT, NO_RESPONSE
from .model_scores import ModelScores, no_numbers, select_dimension
from .part_batches import select_part
from .plan import ComponentPlan, Plan
from .raw_component import RawComponent
from .rows import Rows
from .sample_keys import SampleKeys
from .shares import share_of
from .step_runner import Running, StepRunner

TIMEOUT = "timeout"
"""What decided that a row was skipped for which scoring took too long."""

NOT_ASKED = Invalid("internal_error", "the model is not asked about this sample")
"""Excludes a row from a call of a model; no sample has this reason in the end."""


class StagedEvaluation(Evaluation):
    """One evaluation of a plan with stages. Models are asked on the way."""

    def __init__(self, plan: Plan, batch: Batch, check: Check) -> None:
        super().__init__(plan, batch, {}, check)
        self.keys = SampleKeys(self.batch)
        self._said: dict[tuple[Part, str], ModelScores] = {}
        self._scored: dict[str, tuple[RawComponent, Rows, frozenset[int]]] = {}
        self._shown: dict[Part, Batch] = {}
        self._failed_scoring: set[int] = set()
        self._settled: dict[int, str] = {}
        self._skipped: dict[str, dict[int, str]] = {}
        self._raised: dict[str, Mapping[int, tuple[str, ...]]] = {}
        self._audited: dict[str, ComponentScores] = {}
        self._asked: dict[str, Sequence[int]] = {}
        self._limited: set[str] = set()

    def run(self) -> Effectful[Rewards]:
        rewards = yield from super().run()
        every = {**self.components, **self._audited}
        rewards.components = {component.name: every[component.name] for component in self.plan.components}
        for name in self._audited:
            self.rows.flag(self._raised[name])
        rewards.flags = self.rows.flags
        rewards.raw = {
            part.address: self._read_scores(part, self._asked[part.address])
            for part in self.plan.parts
            if part.model is not None and self._asked[part.address]
        }
        rewards.skipped = sum(map(len, self._skipped.values()))
        return rewards

    def _score_first(self) -> Effectful[dict[str, RawComponent]]:
        return {}
        yield

    def _leaves_no_trace(self, row: int) -> bool:
        return row in self._failed_scoring or super()._leaves_no_trace(row)

    def _compute_components(self, _scored: Mapping[str, RawComponent]) -> Effectful[list[int]]:
        guards = self.plan.guards
        self.components.clear()
        self._audited.clear()
        early = [guard for guard in guards if guard.guard.reads_texts]
        self._settled = (yield from self._apply_guards(early)) if early else {}
        for stage in self.plan.stages:
            yield from self._compute_stage(stage)
        late = [guard for guard in guards if not guard.guard.reads_texts]
        zeroed = {**self._settled, **((yield from self._apply_guards(late)) if late else {})}
        return list(zeroed)

    def _guarded(self, scores: ComponentScores) -> FloatArray:
        """[n] the values of a component; NaN where it was skipped, so that no guard looks at ``otherwise``."""
        if scores.skipped is None:
            return scores.value
        return np.where([by is None for by in scores.skipped], scores.value, np.nan)

    # One stage

    def _compute_stage(self, stage: Sequence[ComponentPlan]) -> Running:
        for component in stage:
            self._skipped[component.name] = self._decide(component)
        shares = [self._share_out(component) for component in stage]
        raws = yield from self._score_parts([part for own in shares for part in own.parts])
        for component, own in zip(stage, shares, strict=True):
            own.gather()
            if component.timeout_s is not None:
                self._settle_late(component, own)
            self._raised[component.name] = own.rows.flags
            if not component.audit:
                self._failed_scoring.update(own.rows.invalid.keys() - self.rows.invalid.keys())
                self.rows.fail(own.rows.invalid, None)
                self.rows.flag(own.rows.flags)
        for component, own in zip(stage, shares, strict=True):
            yield from self._finish_component(component, own, raws)

    def _settle_late(self, component: ComponentPlan, own: "ComponentRows") -> None:
        """The rows for which a component's own limit of time was too short: skipped, or invalid for that reason."""
        if not any(part.address in self._limited for part, _ in own.parts):
            return
        late = [i for i in own.rows.invalid.keys() - self.rows.invalid.keys() if own.is_late(i)]
        if not component.late_otherwise:
            reason = Invalid("deadline_exceeded", f"it was not computed within its {component.timeout_s:g} s")
            own.rows.invalid.update(dict.fromkeys(late, reason.of(component.name)))
            return
        own.leave_out(late)
        own.rows.flag(dict.fromkeys(late, (COMPONENT_TIMEOUT,)))
        self._skipped[component.name].update(dict.fromkeys(late, TIMEOUT))

    def _decide(self, component: ComponentPlan) -> dict[int, str]:
        """The rows in which a component is not computed, each with what decided."""
        if any(condition.reads_groups for condition in component.when) and not component.audit:
            self.runner.refuse_groups_of_one("group")
        settled = {} if component.vector else {i: by for i, by in self._settled.items() if i not in self.rows.invalid}
        rows = [i for i in self.rows.valid() if i not in settled]
        return {**settled, **find_skipped(component.when, _Known(self, component, rows), rows)}

    def _share_out(self, component: ComponentPlan) -> "ComponentRows":
        """The rows of a component, and which of its cases has which; one that no case has is invalid."""
        rows = self.rows.fork(frozenset(self._skipped[component.name]))
        if not component.cases:
            return ComponentRows(rows, [(component, rows)])
        by_case: dict[str, list[int]] = {part.case: [] for part in component.cases}
        for i in rows.valid():
            value = self.keys.read(i, component.by)
            named = json_text(value) if isinstance(value, bool | int | float) else value
            if isinstance(named, str) and named in by_case:
                by_case[named].append(i)
            else:
                rows.fail({i: explain_no_case(component, missing=value is None)}, component.name)
        every = frozenset(range(rows.size))
        return ComponentRows(
            rows, [(part, rows.fork(every.difference(by_case[part.case]))) for part in component.cases]
        )

    def _score_parts(self, parts: "Sequence[PartRows]") -> Effectful[dict[str, RawComponent]]:
        """The parts of a stage before their transforms; models and judges are asked at the same time."""
        calls: list[Effectful[Any]] = list(self._call_models(parts))
        calls += [
            self._limit([part], part.timeout_s, self._score_operation(part, rows))
            for part, rows in parts
            if part.step is not None
        ]
        if len(calls) == 1:
            yield from calls[0]
        elif calls:
            yield from perform(Together(calls))
        raws: dict[str, RawComponent] = {}
        for part, rows in parts:
            if part.step is not None:
                raws[part.address] = self._scored[part.address][0]
                continue
            self._asked[part.address] = asked = rows.valid()
            if asked:
                raws[part.address] = self._read_model(part, self._read_scores(part, asked), rows)
            else:
                raws[part.address] = RawComponent(no_numbers(rows.size), part.model)
        return raws

    # Models

    def _call_models(self, parts: "Sequence[PartRows]") -> "list[Effectful[None]]":
        """Calls of the stage's models, each about the rows in which a part needs it and that it was not asked about
        before; models that are shown the same of the same rows are called together."""
        wanted: dict[tuple[Part, str], set[int]] = {}
        for part, rows in parts:
            if part.model is not None:
                self._refuse_incomplete(part, rows)
                wanted.setdefault((part.text, part.model), set()).update(rows.valid())
        calls: dict[tuple[Part, frozenset[int], float | None], list[str]] = {}
        for (text, model), asked in wanted.items():
            said = self._said.get((text, model))
            if missing := frozenset(asked if said is None else asked - said.rows):
                limits = [part.timeout_s for part, _ in parts if (part.text, part.model) == (text, model)]
                limit = None if None in limits else max(filter(None, limits))
                calls.setdefault((text, missing, limit), []).append(model)
        return [
            self._limit(
                [part for part, _ in parts if part.text == text and part.model in models],
                limit,
                self._call_together(text, models, missing),
            )
            for (text, missing, limit), models in calls.items()
        ]

    def _limit(self, parts: Sequence[ComponentPlan], seconds: float | None, call: Effectful[None]) -> Effectful[None]:
        """A call that has so many seconds; its parts are remembered where that was nearer than the request's end."""
        if seconds is None:
            yield from call
        elif (yield from perform(Within(call, seconds))):
            self._limited.update(part.address for part in parts)

    def _call_together(self, text: Part, models: Sequence[str], asked: frozenset[int]) -> Effectful[None]:
        shown = self._select_part(text)
        left_out = {i: NOT_ASKED for i in range(self.rows.size) if i not in asked}
        fallbacks = self.plan.group.cohort is None
        answers = yield from perform(AskModels(tuple(models), replace(shown, invalid=left_out), fallbacks))
        others: dict[frozenset[int], list[str]] = {}
        for model, (scores, dimensions) in answers.items():
            more = ModelScores(scores, dimensions, asked)
            before = self._said.get((text, model))
            if before is None or before.scores.model == scores.model:
                self._said[text, model] = more if before is None else before.joined(more)
            else:  # it was away before, or is now: all rows are scored by one of both
                del self._said[text, model]
                others.setdefault(asked | before.rows, []).append(model)
        for every, again in others.items():
            yield from self._call_together(text, again, every)

    def _refuse_incomplete(self, part: ComponentPlan, rows: Rows) -> None:
        """Fail the rows that lack what a model reads."""
        batch = self.batch
        if "response" in part.reads:
            missing = [i for i in rows.valid() if batch.responses[i] is None]
            rows.fail(dict.fromkeys(missing, NO_RESPONSE), part.name)
        if "prompt" in part.reads and batch.without_prompt and "prompt" not in self.plan.optional:
            rows.fail(dict.fromkeys(batch.without_prompt.intersection(rows.valid()), NO_PROMPT), part.name)

    def _select_part(self, text: Part) -> Batch:
        if text not in self._shown:
            self._shown[text] = select_part(self.plan, self.batch, text)
        return self._shown[text]

    def _read_scores(self, part: ComponentPlan, rows: Sequence[int]) -> RawScores:
        """What a model has said of the rows in which a part of the recipe is computed."""
        said = self._said[part.text, part.model or ""]
        return select_dimension(part, said.within(rows), said.dimensions)

    # Operations

    def _score_operation(self, part: ComponentPlan, rows: Rows) -> Effectful[None]:
        """Score by an operation; one that needs no state is not run again for the same rows."""
        name, step, asked = part.address, part.step, frozenset(rows.valid())
        assert step is not None
        if part.scored_first and name in self._scored:
            raw, before, over = self._scored[name]
            if asked <= over:
                rows.fail({i: reason for i, reason in before.invalid.items() if i in asked}, None)
                rows.flag({i: flags for i, flags in before.flags.items() if i in asked})
                return
        raw = RawComponent(no_numbers(rows.size))
        if asked:
            runner = StepRunner(self.plan, self.batch, self.runner.binder, rows)
            try:
                raw = yield from self._score_component(part, step, runner)
            except GatewayError:
                if not part.audit:
                    raise
        if step.operation.judged and raw.judge_answers is None:
            raw.judge_answers = [None] * rows.size
        if raw.verdicts is None and step.verdict_names:
            raw.verdicts = {verdict: np.zeros(rows.size) for verdict in step.verdict_names}
        kept = rows.fork(rows.absent)  # as it is now: late rows are left out afterwards
        kept.flags = dict(rows.flags)
        self._scored[name] = raw, kept, asked

    # After scoring

    def _finish_component(
        self, component: ComponentPlan, own: "ComponentRows", raws: Mapping[str, RawComponent]
    ) -> Running:
        """Transform a component where it was computed, and give the other rows ``otherwise``."""
        name, skipped = component.name, self._skipped[component.name]
        raw, value = yield from self._transform_parts(component, own, raws)
        failed = [i for i in own.rows.invalid if i not in self.rows.invalid] if component.audit else []
        scores = self._keep_component(
            name, leave_out(raw, [*skipped, *failed]), fill_skipped(component, value, list(skipped), failed)
        )
        if skipped:
            scores.skipped = [skipped.get(i) for i in range(self.rows.size)]
        if component.cases:
            scores.models = own.name_models(raws)
        if component.audit:
            self._audited[name] = self.components.pop(name)
            del self.values[name]

    def _transform_parts(
        self, component: ComponentPlan, own: "ComponentRows", raws: Mapping[str, RawComponent]
    ) -> Effectful[tuple[RawComponent, Value]]:
        """A component before and after its transforms, or those of its cases."""
        found: list[tuple[RawComponent, Value]] = []
        for part, rows in own.parts:
            raw = raws[part.address]
            raw = replace(raw, absent=raw.absent | rows.absent)
            if not part.transforms:
                found.append((raw, raw.value))
                continue
            runner = self.runner
            if component.audit:
                runner = StepRunner(self.plan, self.batch, self.runner.binder, own.rows)
            try:
                found.append((raw, (yield from self._apply_transforms(part, raw, runner))))
            except GatewayError:
                if not component.audit:
                    raise
                found.append((raw, no_numbers(self.rows.size)))
        return own.lay_together(found) if component.cases else found[0]

    # What conditions look at

    def raised_by(self, component: str) -> Mapping[int, tuple[str, ...]]:
        """The flags that a component's scorer raised."""
        return self._raised[component]

    def digest_samples(self, component: ComponentPlan) -> list[bytes]:
        """[n] digests of what a component reads of the samples, as cache keys hold them."""
        read = [name for name in MODEL_INPUTS if name in component.reads]
        return SampleDigests(self._select_part(component.text)).digest_fields(read)


class _Known:
    """What is known when the conditions of a component are decided; see :class:`.conditions.Known`."""

    def __init__(self, evaluation: StagedEvaluation, component: ComponentPlan, members: Sequence[int]) -> None:
        self._evaluation, self._component, self.members = evaluation, component, members
        self._digests: list[bytes] | None = None

    @property
    def groups(self) -> Sequence[str]:
        return self._evaluation.runner.binder.groups

    def value_of(self, component: str) -> FloatArray:
        value = self._evaluation.values[component]
        assert not isinstance(value, list)
        return value

    def flags_of(self, component: str) -> Mapping[int, tuple[str, ...]]:
        return self._evaluation.raised_by(component)

    def read_key(self, row: int, key: str) -> Any:
        return self._evaluation.keys.read(row, key)

    def share_of(self, row: int, *, by_group: bool) -> float:
        name = self._component.name
        if by_group:
            return share_of(name, self.groups[row])
        if self._digests is None:
            self._digests = self._evaluation.digest_samples(self._component)
        return share_of(name, self._digests[row])
