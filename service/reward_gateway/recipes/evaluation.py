"""Evaluation of a plan over a batch: components, transforms, guards, combination, group, credit.

A generator of effects that does no I/O: models were called before (their raw scores are an argument), and the runtime
that drives the generator answers effects on state and judges. A row that fails at one stage is left out of the rest and
keeps its reason.

State is handled in this order. First come all components that can be scored without state. Then come transforms, guards
and the combination, which may read state and register writes; if a row fails in these for a cause of the server, they
are computed again without it, so that it leaves no trace. Cohorts are joined last, because a join cannot be undone. The
runtime commits the registered writes after the end.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from reward_gateway.errors import ModelNotFound, Unavailable
from reward_gateway.operations.apply import JUDGE_ANSWER
from reward_gateway.operations.effects import DiscardWrites, Effectful, perform
from reward_gateway.operations.guards import find_suspicious
from reward_gateway.operations.time_limits import LIMIT_S
from reward_gateway.operations.verdicts import read_verdicts
from reward_gateway.sample import (
    Batch,
    ComponentScores,
    FloatArray,
    Invalid,
    RawScores,
)
from reward_gateway.sample.flags import MESSAGE_PARTS_IGNORED

from .cohort import compare_cohorts
from .column_binder import ColumnBinder, Value
from .component_plan import ComponentPlan
from .fields import number_fields, takes_group, value_field
from .group import find_alone, normalize_rows
from .group_lengths import read_lengths
from .guard_view import show_guards
from .members import spread_groups
from .missing_context import find_ignored_media
from .outcome_rows import is_absent, sum_magnitudes, sum_vectors, zeros_like
from .part_batches import read_json_references, select_part
from .plan import GuardPlan, Plan
from .raw_component import RawComponent, ScoredAhead
from .rows import Rows
from .schema import CohortSpec
from .step import Step
from .step_runner import Running, StepRunner
from .stored_references import references_address
from .trace import Trace
from .transforms import apply_transform
from .turns import align_vectors, find_surplus, find_wrong_numbers, is_by_turn
from .unavailable import explain_unavailable
from .unread_calls import find_unread_calls


@dataclass(slots=True)
class Rewards:
    """The result of a plan; see :class:`reward_gateway.sample.Scored` for the fields."""

    reward: FloatArray
    components: dict[str, ComponentScores]
    rewards: list[Any] | None = None
    reward_raw: FloatArray | None = None
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    raw: Mapping[str, RawScores] = field(default_factory=dict)
    """What models said of components that were asked for while the plan was evaluated; NaN where one was not asked."""
    skipped: int = 0
    """Values of components that were not computed, because the recipe's conditions said so."""
    groups: Sequence[str] | None = None
    """[n] names of groups, where the recipe compares samples of one request."""


Check = Callable[[Mapping[int, Invalid]], None]


def accept_all(invalid: Mapping[int, Invalid]) -> None:
    """Check of a request that succeeds with any failed samples."""


class Evaluation:
    """One evaluation of a plan whose components are computed for every sample."""

    def __init__(
        self,
        plan: Plan,
        batch: Batch,
        raw: Mapping[str, RawScores],
        check: Check = accept_all,
        ahead: ScoredAhead | None = None,
        trace: Trace | None = None,
    ) -> None:
        if plan.json_references:
            batch = read_json_references(batch)
        self.plan, self.batch, self.raw = plan, batch, raw
        self.check, self.ahead, self.trace = check, ahead, trace
        self.values: dict[str, Value] = {}
        self.rows = Rows(batch)
        self._runner: StepRunner | None = None
        self.components: dict[str, ComponentScores] = {}
        self._stand_ins: dict[str, str] = {}
        self._reward_raw: FloatArray = _NO_REWARD
        self._zeroed: Sequence[int] = ()
        self.rows.flag(dict.fromkeys(find_unread_calls(plan, batch), (MESSAGE_PARTS_IGNORED,)))
        if batch.has_media:
            self.rows.flag(dict.fromkeys(find_ignored_media(plan, batch), ("media_ignored",)))

    @property
    def runner(self) -> StepRunner:
        """Runs the operations; a recipe that only asks a model needs none."""
        if self._runner is None:
            self._runner = StepRunner(self.plan, self.batch, self._bind(self.batch), self.rows)
        return self._runner

    def _bind(self, batch: Batch) -> ColumnBinder:
        return ColumnBinder(
            batch,
            self.values,
            takes_no_prompt="prompt" in self.plan.optional,
            reasoning_opened=self.plan.reasoning_opened,
            rule_fields=self.plan.rule_fields,
        )

    def run(self) -> Effectful[Rewards]:
        plan, size = self.plan, self.rows.size
        scored = yield from self._score_first()
        reward, rewards = yield from self._compute_rewards(scored)
        if plan.group.cohort is not None:
            self.check(self.rows.invalid)
            reward = yield from self._compare_cohort(plan.group.cohort, reward)
            if plan.credit is not None:
                rewards = yield from self._assign_credit(plan.credit, reward)
        if plan.credit is not None and rewards is not None:
            self.rows.fail_non_finite(np.array([sum_magnitudes(vector) for vector in rewards]))
        else:
            self.rows.fail_non_finite(reward)
        raw = self._reward_raw
        for i in self.rows.invalid:
            reward[i] = raw[i] = np.nan
            if rewards is not None:
                rewards[i] = None
        return Rewards(
            reward if size else np.empty(0),
            self.components,
            rewards,
            raw if plan.grouped else None,
            self.rows.invalid,
            self.rows.flags,
            groups=self.runner.binder.groups if plan.grouped and plan.group.cohort is None else None,
        )

    def score_ahead(self) -> Effectful[tuple[Rewards, dict[str, RawComponent]]]:
        """The components that are scored before all state, before their transforms."""
        scored = yield from self._score_first()
        for name, raw in scored.items():
            self._keep_component(name, raw, raw.value)
        nothing = np.full(self.rows.size, np.nan)
        rewards = Rewards(nothing, self.components, invalid=self.rows.invalid, flags=self.rows.flags)
        return rewards, scored

    def _score_first(self) -> Effectful[dict[str, RawComponent]]:
        """The components that are scored before all state."""
        if self.ahead is not None:
            return self.ahead.restore([part for part in self.plan.components if part.scored_first], self.rows)
        scored: dict[str, RawComponent] = {}
        for component in self.plan.components:
            if component.step is None:
                scored[component.name] = self._read_model(component, self.raw[component.name], self.rows)
            elif component.scored_first:
                scored[component.name] = yield from self._score_component(component, component.step, self.runner)
        return scored

    def _compute_rewards(self, scored: Mapping[str, RawComponent]) -> Effectful[tuple[FloatArray, list[Any] | None]]:
        """All stages that need no cohort: rewards [n], and vectors of credit.

        With a cohort the vectors are preliminary; they are computed to know which rows have one.
        """
        if not self.plan.stateful:
            return (yield from self._compute_rewards_once(scored))
        invalid, flags = dict(self.rows.invalid), dict(self.rows.flags)
        while True:
            answer = yield from self._compute_rewards_once(scored)
            leaving = {
                i: reason for i, reason in self.rows.invalid.items() if i not in invalid and self._leaves_no_trace(i)
            }
            if not leaving:
                return answer
            yield from perform(DiscardWrites())
            invalid |= leaving
            self.rows.restore(invalid, flags)
            self.values.clear()

    def _leaves_no_trace(self, row: int) -> bool:
        """Whether a row that has failed now must not be counted in state either."""
        return self.rows.invalid[row].server_caused

    def _compute_components(self, scored: Mapping[str, RawComponent]) -> Effectful[list[int]]:
        """Compute the components and apply the guards; returns the rows whose reward becomes 0."""
        for component in self.plan.components:
            raw = scored.get(component.name)
            if raw is None and component.step is not None:
                raw = yield from self._score_component(component, component.step, self.runner)
            assert raw is not None
            value = raw.value
            if component.transforms:
                value = yield from self._apply_transforms(component, raw, self.runner)
            self._keep_component(component.name, raw, value)
        return list((yield from self._apply_guards(self.plan.guards))) if self.plan.guards else []

    def _compute_rewards_once(
        self, scored: Mapping[str, RawComponent]
    ) -> Effectful[tuple[FloatArray, list[Any] | None]]:
        plan = self.plan
        if self.trace is not None:
            self.trace.begin()
        zeroed = yield from self._compute_components(scored)
        reward = yield from self._combine_components()
        if zeroed:
            reward[[i for i in zeroed if i not in self.rows.invalid]] = 0.0
        self._zeroed = zeroed
        if self.trace is not None:
            self.trace.zeroed = frozenset(zeroed)
        self._reward_raw = reward.copy() if plan.grouped else reward
        if plan.comparisons:
            self.runner.refuse_groups_of_one(*plan.comparisons)
        if plan.group.cohort is None and plan.group.compares:
            reward = self._normalize_rewards(reward)
        rewards = None
        if plan.credit is not None and (plan.group.cohort is None or plan.credit.operation.performs_effects):
            rewards = yield from self._assign_credit(plan.credit, reward)
        if plan.comparisons:
            self.runner.refuse_groups_of_one(*plan.comparisons)  # the other members may have failed since
            self._settle_groups_of_one(reward, rewards)
        return reward, rewards

    @staticmethod
    def _read_model(component: ComponentPlan, scores: RawScores, rows: Rows) -> RawComponent:
        """A component whose number a model gave."""
        rows.fail(scores.invalid, component.name)
        rows.flag(scores.flags)
        if component.refuse_truncated:
            reason = Invalid("truncated", "a text exceeds the model's limit, and the recipe refuses truncation")
            rows.fail({i: reason for i, flags in scores.flags.items() if "truncated" in flags}, component.name)
        raw = RawComponent(scores.values[:, 0], scores.model, scores.version, scores.dimension, scores.cached)
        raw.fallback = scores.model if scores.fallback else ""
        return raw

    def _score_component(self, component: ComponentPlan, step: Step, runner: StepRunner) -> Effectful[RawComponent]:
        """A component that an operation scores, over the rows of the runner."""
        name, size = component.name, self.rows.size
        optional = component.optional
        shown = select_part(self.plan, self.batch, component.text)
        binder = runner.binder if shown is self.batch else self._bind(shown)
        address = f"{self.plan.name}/{component.address}"
        outcome = yield from runner.run(step, {}, address, name, optional=optional, binder=binder)
        raw = RawComponent(self._align_turns(runner.extract_value(step, outcome, name), component, runner.rows))
        if outcome.fallback is not None:
            raw.model, raw.version = outcome.fallback
            raw.fallback = raw.model
        if optional:
            raw.absent = frozenset(i for i in runner.rows.valid() if is_absent(raw.value[i]))
        if step.operation.judged:
            raw.judge_answers = outcome.details.get(JUDGE_ANSWER, [None] * size)
        raw.limits = outcome.details.get(LIMIT_S)
        if names := step.verdict_names:
            raw.verdicts = read_verdicts(names, outcome, size)
        return raw

    def _align_turns(self, value: Value, component: ComponentPlan, rows: Rows) -> Value:
        """The vectors of a component with one entry per turn of the assistant's, where credit is given by turn."""
        surplus = find_surplus(self.plan, component.name) if isinstance(value, list) else None
        if surplus is None or not isinstance(value, list) or component.step is None:
            return value
        given = next((field.param for field in component.step.fields if field.name == _GIVEN), None)
        aligned, faults = align_vectors(value, self.batch.responses, surplus, given or component.name)
        rows.fail(faults, component.name)
        return [None if vector is None else np.asarray(vector, dtype=np.float64) for vector in aligned]

    def _apply_transforms(self, component: ComponentPlan, raw: RawComponent, runner: StepRunner) -> Running:
        """The value of a component after its transforms."""
        value = raw.value
        address = f"{self.plan.name}/{component.address}"
        if raw.model is not None:
            address = references_address(raw.model, raw.version, raw.dimension)
        runner.rows.absent = raw.absent
        for step in component.transforms:
            step = replace(step, fallback=raw.fallback) if raw.fallback else step
            value = yield from apply_transform(runner, step, value, address, component.name)
            if self.trace is not None:
                self.trace.note_transform(component.name, step.operation.name, value)
        runner.rows.absent = frozenset()
        return value

    def _keep_component(self, name: str, raw: RawComponent, value: Value) -> ComponentScores:
        self.values[name] = value
        if raw.fallback:
            self._stand_ins[name] = raw.fallback
        vector = value if isinstance(value, list) else None
        self.components[name] = scores = ComponentScores(
            sum_vectors(raw.value),
            sum_vectors(value),
            raw.model,
            raw.version,
            raw.cached,
            vector,
            raw.judge_answers,
            raw.verdicts,
            limits=raw.limits,
        )
        return scores

    def _apply_guards(self, guards: Iterable[GuardPlan]) -> Effectful[dict[int, str]]:
        """Flag suspicious samples; returns the rows whose reward becomes 0, each with the guard that says so."""
        zeroed: dict[int, str] = {}
        guards = tuple(guards)
        values = {name: self._guarded(scores) for name, scores in self.components.items()}
        view = show_guards(guards, self.batch, values, self.rows, lambda: self.runner.binder.groups)
        for plan in guards:
            try:
                judged = yield from find_suspicious(plan.guard, view, plan.params)
            except (Unavailable, ModelNotFound) as error:
                judged = explain_unavailable(error)
            if isinstance(judged, Invalid):
                self.rows.fail(dict.fromkeys(self.rows.valid(), judged), None)
                continue
            self.rows.fail(judged.invalid, None)
            flagged = [i for i, flag in enumerate(judged.suspicious.tolist()) if flag and i not in self.rows.invalid]
            if not flagged:
                continue
            self.rows.flag(dict.fromkeys(flagged, (plan.guard.name,)))
            if plan.action == "invalid":
                reason = Invalid("guard", f"the guard {plan.guard.name} flagged this sample")
                self.rows.fail(dict.fromkeys(flagged, reason), None)
            elif plan.action == "zero":
                zeroed.update((i, plan.guard.name) for i in flagged if i not in zeroed)
        return zeroed

    def _guarded(self, scores: ComponentScores) -> FloatArray:
        """[n] the values of a component that guards look at."""
        return scores.value

    def _combine_components(self) -> Running:
        plan, size = self.plan, self.rows.size
        table = {name: self.components[name].value for name in plan.over}
        if plan.combine is None:
            reward = next(iter(table.values())).copy() if table else np.zeros(size)
        elif number_fields(plan.combine.operation):
            reward = yield from self._run_combiner(plan.combine, table)
        else:
            field_name, wanted_shape = plan.combine.table
            if field_name == "group":
                numbers = yield from self._apply_to_groups(plan.combine, table)
                reward = np.array([np.nan if number is None else float(number) for number in numbers])
            else:
                column = table if wanted_shape == "table" else list(np.stack(list(table.values()), axis=1))
                reward = yield from self._run_combiner(plan.combine, {field_name: column})
        if self.trace is not None:
            self.trace.combined = np.array(reward, dtype=np.float64)
        for name in plan.add:
            reward = reward + self.components[name].value
        return reward

    def _run_combiner(self, step: Step, provided: Mapping[str, Any]) -> Effectful[FloatArray]:
        """[n] what a combiner that answers sample by sample makes of the components."""
        stand_ins = sorted({self._stand_ins[name] for name in self.plan.over if name in self._stand_ins})
        step = replace(step, fallback="+".join(stand_ins)) if stand_ins and step.stateful else step
        outcome = yield from self.runner.run(step, provided, self.plan.name)
        if self.trace is not None:
            self.trace.details = outcome.details
        return outcome.reward if outcome.reward is not None else np.full(self.rows.size, np.nan)

    def _apply_to_groups(self, step: Step, table: Mapping[str, FloatArray]) -> Running:
        """Run a combiner or credit assignment whose item is a group: its members are the samples of one prompt.

        Returns:
            [n] a number (of a combiner) or a vector (of credit) per sample; None where it has none.
        """
        if step.comparison is not None:
            self.runner.refuse_groups_of_one(step.comparison)
        outcome = yield from spread_groups(step, self.runner.binder, self.values, table, self.rows.valid())
        self.rows.fail(outcome.invalid, None)
        return outcome.rewards

    def _assign_credit(self, step: Step, reward: FloatArray) -> Running:
        """The vectors of the credit assignment; where it answers a number as well, that is the ``reward``."""
        table = {name: scores.value for name, scores in self.components.items()}
        if takes_group(step.operation):
            rewards = yield from self._apply_to_groups(step, {**table, "reward": reward, "outcome": reward})
            return self._refuse_wrong_numbers(step, rewards)
        provided: dict[str, Any] = {"reward": reward, "outcome": reward, **self.values, **self._zero_components()}
        main = value_field(step.operation)
        vectors = [name for name in self.plan.over if isinstance(self.values.get(name), list)]
        if main is not None and main not in provided and vectors:
            provided[main] = self.values[vectors[0]]
        outcome = yield from self.runner.run(step, provided, self.plan.name)
        rewards = list(outcome.rewards) if outcome.rewards is not None else [None] * self.rows.size
        if outcome.reward is not None:
            np.copyto(reward, outcome.reward, where=~np.isnan(outcome.reward))
        return self._refuse_wrong_numbers(step, rewards)

    def _zero_components(self) -> dict[str, FloatArray]:
        """The components that credit is made of in place of the reward, 0 where a guard says that the reward is."""
        if not self._zeroed:
            return {}
        stands_for_reward = {
            name: value.copy()
            for name in ("reward", "outcome")
            if (value := self.values.get(name)) is not None and not isinstance(value, list)
        }
        for value in stands_for_reward.values():
            value[self._zeroed] = 0.0
        return stands_for_reward

    def _refuse_wrong_numbers(self, step: Step, rewards: list[Any]) -> list[Any]:
        if is_by_turn(step):
            self.rows.fail(find_wrong_numbers(rewards, self.batch.responses), None)
        return rewards

    def _settle_groups_of_one(self, reward: FloatArray, rewards: list[Any] | None) -> None:
        """Give the rows that are alone in what they are compared within 0, where the recipe says so."""
        if self.plan.group.of_one != "zero":
            return
        for comparison in self.plan.comparisons:
            for i in find_alone(comparison, self.runner.binder.groups, self.rows.valid()):
                reward[i] = 0.0
                if rewards is not None and rewards[i] is not None:
                    rewards[i] = zeros_like(rewards[i])

    def _normalize_rewards(self, reward: FloatArray) -> FloatArray:
        table = {name: self.components[name].value for name in self.plan.over}
        rows = self.rows.valid()
        lengths = read_lengths(self.plan.group, self.batch, rows)
        return normalize_rows(self.plan.group, self.runner.binder.groups, rows, reward, table, lengths)

    def _compare_cohort(self, spec: CohortSpec, reward: FloatArray) -> Running:
        """Normalise rewards within the samples of the same prompt, across requests."""
        values = [self.components[name].value for name in self.plan.over]
        lengths = read_lengths(self.plan.group, self.batch, self.rows.valid())
        values += [] if lengths is None else [lengths]
        compared = yield from compare_cohorts(
            self.plan, spec, self.batch, self.runner.binder.groups, reward, values, self.rows.invalid
        )
        self.rows.flag(dict.fromkeys(compared.incomplete, ("cohort_incomplete",)))
        self.rows.fail(compared.invalid, None)
        return compared.reward


_GIVEN = "values"
"""The field of vectors that come with a sample."""

_NO_REWARD: FloatArray = np.empty(0)
