"""Evaluation of a plan with conditions: each component where it counts, as soon as what it reads is finished.

Guards that read texts come first; what they settle (``zero``, ``invalid``) is computed no further. Then every component
begins once those that it reads, itself or in its conditions, are finished: its conditions are decided, and models and
judges are asked about the rows that pass. What others still wait for holds it back no longer, so that the calls of a
slow component run beside those of all that do not read it. A component is finished when it is scored and, if others
read it, transformed. The other transforms follow when everything has been scored, as in :mod:`.evaluation`.

A component knows of the rows that failed in the components that it reads, and of no others: whether another one fails
before or after it begins changes nothing in the answer. The rows of all are laid together in the order of the stages.

Rows that are skipped have the value ``otherwise``, which later conditions, the combination and the group see; they take
part in no transform. Where state is used and a row fails in a later stage, all stages are computed again without it;
what models and judges have said is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from reward_gateway.errors import GatewayError
from reward_gateway.operations.effects import Effectful, Together, Within, perform
from reward_gateway.operations.reading.response import Part
from reward_gateway.sample import Batch, ComponentScores, FloatArray, Invalid, json_text
from reward_gateway.sample.flags import TIMED_OUT

from .asked_models import AskedModels, Call
from .column_binder import Value
from .component_plan import ComponentPlan
from .component_rows import ComponentRows, PartRows, explain_no_case, fill_skipped, leave_out
from .conditions import find_skipped, has_share_of_samples
from .evaluation import Check, Evaluation, Rewards
from .known_values import KnownValues
from .missing_context import NO_PROMPT, NO_RESPONSE
from .model_scores import no_numbers
from .needed_media import load_media
from .part_batches import select_part
from .plan import Plan
from .progress import Progress
from .raw_component import RawComponent
from .rows import Rows
from .sample_keys import SampleKeys
from .scored_operations import ScoredOperations
from .step_runner import Running, StepRunner
from .trace import Trace

TIMEOUT = "timeout"
"""What decided that a row was skipped for which scoring took too long."""


class StagedEvaluation(Evaluation):
    """One evaluation of a plan with stages. Models are asked on the way."""

    def __init__(self, plan: Plan, batch: Batch, check: Check, trace: Trace | None = None) -> None:
        super().__init__(plan, batch, {}, check, trace=trace)
        self.keys = SampleKeys(self.batch)
        self._ordered = [component for stage in plan.stages for component in stage]
        self._by_name = {component.name: component for component in self._ordered}
        self._progress = Progress(self._ordered)
        self._models = AskedModels(self._select_part, self._progress.awaited, fallbacks=plan.group.cohort is None)
        self._operations = ScoredOperations(self._score_rows)
        self._shown: dict[Part, Batch] = {}
        self._failed_scoring: set[int] = set()
        self._settled: dict[int, str] = {}
        self._skipped: dict[str, dict[int, str]] = {}
        self._own: dict[str, ComponentRows] = {}
        self._raws: dict[str, RawComponent] = {}
        self._raised: dict[str, Mapping[int, tuple[str, ...]]] = {}
        self._audited: dict[str, ComponentScores] = {}
        self._asked: dict[str, Sequence[int]] = {}
        self._limited: set[str] = set()

    def run(self) -> Effectful[Rewards]:
        rewards = yield from super().run()
        every = {**self.components, **self._audited}
        rewards.components = {component.name: every[component.name] for component in self.plan.components}
        for name in self._audited:
            self.rows.flag(self._own[name].rows.flags)
        rewards.flags = self.rows.flags
        rewards.raw = {
            part.address: self._models.read_scores(part, self._asked[part.address])
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
        yield from self._load_for_shares()
        self._progress = Progress(self._ordered)
        yield from self._go_on()
        for component in self._ordered:
            self._lay_together(component)
        for component in self._ordered:
            if component.name not in self._progress.awaited:
                self._own[component.name].rows.fail(self.rows.invalid, None)
                yield from self._finish_component(component)
                self._lay_together(component)
        late = [guard for guard in guards if not guard.guard.reads_texts]
        zeroed = {**self._settled, **((yield from self._apply_guards(late)) if late else {})}
        return list(zeroed)

    def _load_for_shares(self) -> Effectful[None]:
        """Load the images of which a hash says which samples belong to a component's share of them."""
        shared = [component for component in self._ordered if any(map(has_share_of_samples, component.when))]
        fields = frozenset[str]().union(*(component.reads for component in shared))
        yield from load_media(self.batch, fields, [i for i in self.rows.valid() if i not in self._settled])

    def _lay_together(self, component: ComponentPlan) -> None:
        """Tell all rows what was told to those of a component."""
        if not component.audit:
            own = self._own[component.name].rows
            self.rows.fail(own.invalid, None)
            self.rows.flag(own.flags)

    def _guarded(self, scores: ComponentScores) -> FloatArray:
        """[n] the values of a component; NaN where it was skipped, so that no guard looks at ``otherwise``."""
        if scores.skipped is None:
            return scores.value
        return np.where([by is None for by in scores.skipped], scores.value, np.nan)

    # The order

    def _go_on(self) -> Running:
        """Begin all components that may begin now; what is asked for several of them goes on by itself from there."""
        while calls := (yield from self._begin_all()):
            if len(calls) > 1:
                yield from perform(Together([self._follow(call) for call in calls]))
                return
            yield from self._answer_call(calls[0])

    def _follow(self, call: Call) -> Running:
        yield from self._answer_call(call)
        yield from self._go_on()

    def _begin_all(self) -> Effectful[list[Call]]:
        calls: list[Call] = []
        while True:
            while (answered := self._progress.take_answered()) is not None:
                yield from self._finish_component(answered)
                self._progress.finish(answered)
            ready = self._progress.take_ready(self._models.is_asking_for)
            if not ready:
                return calls
            calls += self._begin(ready)

    def _begin(self, components: Sequence[ComponentPlan]) -> list[Call]:
        """The calls that some components need now."""
        parts: list[PartRows] = []
        for component in components:
            own = self._own[component.name] = self._choose_rows(component)
            parts += own.parts
        for part, rows in parts:
            if part.model is not None:
                self._refuse_incomplete(part, rows)
        calls = self._models.make_calls(parts)
        calls += [
            Call([part], self._operations.score(part, rows), part.timeout_s)
            for part, rows in parts
            if part.step is not None
        ]
        for component in components:
            self._progress.begin(component, sum(part.name == component.name for call in calls for part in call.parts))
            if self._progress.is_answered(component):
                self._read_answers(component)
        return calls

    def _answer_call(self, call: Call) -> Effectful[None]:
        """One call, and what it says of the components that have all their answers now."""
        if call.seconds is None:
            yield from call.computation
        elif (yield from perform(Within(call.computation, call.seconds))):
            self._limited.update(part.address for part in call.parts)
        for part in call.parts:
            component = self._by_name[part.name]
            self._progress.count_answer(component)
            if self._progress.is_answered(component):
                self._read_answers(component)

    # The rows of a component

    def _choose_rows(self, component: ComponentPlan) -> ComponentRows:
        """The rows of a component, and which of its cases has which; one that no case has is invalid."""
        rows = self.rows.fork(frozenset())
        for other in self._ordered:
            if other.name in component.needs:
                rows.fail(self._own[other.name].rows.invalid, None)
        skipped = self._skipped[component.name] = self._decide(component, rows)
        rows.absent = frozenset(skipped)
        failed = frozenset(rows.invalid)
        if not component.cases:
            return ComponentRows(rows, [(component, rows)], failed)
        by_case: dict[str, list[int]] = {part.case: [] for part in component.cases}
        for i in rows.valid():
            value = self.keys.read(i, component.by)
            named = json_text(value) if isinstance(value, bool | int | float) else value
            if isinstance(named, str) and named in by_case:
                by_case[named].append(i)
            else:
                rows.fail({i: explain_no_case(component, missing=value is None)}, component.name)
        every = frozenset(range(rows.size))
        parts = [(part, rows.fork(every.difference(by_case[part.case]))) for part in component.cases]
        return ComponentRows(rows, parts, failed)

    def _decide(self, component: ComponentPlan, rows: Rows) -> dict[int, str]:
        """The rows in which a component is not computed, each with what decided."""
        if any(condition.reads_groups for condition in component.when) and not component.audit:
            self._run_over(rows).refuse_groups_of_one("group")
        settled = {} if component.vector else {i: by for i, by in self._settled.items() if i not in rows.invalid}
        asked = [i for i in rows.valid() if i not in settled]
        shown = partial(self._select_part, component.text)
        known = KnownValues(component, shown, self.runner.binder, asked, self.values, self._raised, self.keys)
        return {**settled, **find_skipped(component.when, known, asked)}

    def _score_rows(self, part: ComponentPlan, rows: Rows) -> Effectful[RawComponent]:
        assert part.step is not None
        rows.fail((yield from load_media(self.batch, part.reads, rows.valid())), part.name)
        return (yield from self._score_component(part, part.step, self._run_over(rows)))

    def _run_over(self, rows: Rows) -> StepRunner:
        return StepRunner(self.plan, self.batch, self.runner.binder, rows)

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

    # After scoring

    def _read_answers(self, component: ComponentPlan) -> None:
        """What a component is before its transforms, now that everything was answered that it asked for."""
        own = self._own[component.name]
        for part, rows in own.parts:
            self._raws[part.address] = self._read_part(part, rows)
        own.gather()
        if component.timeout_s is not None:
            self._settle_late(component, own)
        self._raised[component.name] = dict(own.rows.flags)
        if not component.audit:
            self._failed_scoring.update(own.failed)

    def _read_part(self, part: ComponentPlan, rows: Rows) -> RawComponent:
        if part.step is not None:
            return self._operations.read_scores(part)
        self._asked[part.address] = asked = rows.valid()
        if asked:
            return self._read_model(part, self._models.read_scores(part, asked), rows)
        return RawComponent(no_numbers(rows.size), part.model)

    def _settle_late(self, component: ComponentPlan, own: ComponentRows) -> None:
        """The rows for which a component's own limit of time was too short: skipped, or invalid for that reason."""
        if not any(part.address in self._limited for part, _ in own.parts):
            return
        late = [i for i in own.failed if own.is_late(i)]
        if not component.late_otherwise:
            reason = Invalid("deadline_exceeded", f"it was not computed within its {component.timeout_s:g} s")
            own.rows.invalid.update(dict.fromkeys(late, reason.of(component.name)))
            return
        own.leave_out(late)
        own.rows.flag(dict.fromkeys(late, (TIMED_OUT,)))
        self._skipped[component.name].update(dict.fromkeys(late, TIMEOUT))

    def _finish_component(self, component: ComponentPlan) -> Running:
        """Transform a component where it was computed, and give the other rows ``otherwise``."""
        name, own, skipped = component.name, self._own[component.name], self._skipped[component.name]
        raw, value = yield from self._transform_parts(component, own)
        failed = [i for i in own.rows.invalid if i not in self.rows.invalid] if component.audit else []
        scores = self._keep_component(
            name, leave_out(raw, [*skipped, *failed]), fill_skipped(component, value, list(skipped), failed)
        )
        if skipped:
            scores.skipped = [skipped.get(i) for i in range(self.rows.size)]
        if component.cases:
            scores.models = own.name_models(self._raws)
        if component.audit:
            self._audited[name] = self.components.pop(name)
            del self.values[name]

    def _transform_parts(self, component: ComponentPlan, own: ComponentRows) -> Effectful[tuple[RawComponent, Value]]:
        """A component before and after its transforms, or those of its cases."""
        found: list[tuple[RawComponent, Value]] = []
        for part, rows in own.parts:
            raw = self._raws[part.address]
            raw = replace(raw, absent=raw.absent | rows.absent)
            if not part.transforms:
                found.append((raw, raw.value))
                continue
            try:
                found.append((raw, (yield from self._apply_transforms(part, raw, self._run_over(own.rows)))))
            except GatewayError:
                if not component.audit:
                    raise
                found.append((raw, no_numbers(self.rows.size)))
        return own.lay_together(found) if component.cases else found[0]
