"""Evaluation of a plan over a batch: components, transforms, guards, combination, group, credit.

A generator of effects that does no I/O: models were called before (their raw scores are an argument), and the runtime
that drives the generator answers effects on state and judges. A row that fails at one stage is left out of the rest and
keeps its reason.

State is handled in this order. First come all components that can be scored without state. Then come transforms, guards
and the combination, which may read state and register writes; if a row fails in these for a cause of the server, they
are computed again without it, so that it leaves no trace. Cohorts are joined last, because a join cannot be undone. The
runtime commits the registered writes after the end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reward_gateway.operations.apply import JUDGE_ANSWER
from reward_gateway.operations.effects import DiscardWrites, Effectful, perform
from reward_gateway.operations.guards import GuardView, find_suspicious
from reward_gateway.operations.reading.alternatives import accepted_texts
from reward_gateway.operations.verdicts import read_verdicts
from reward_gateway.sample import (
    Batch,
    BoolArray,
    ComponentScores,
    FloatArray,
    Invalid,
    RawScores,
    all_finite,
    own_turns,
    shown_text,
)
from reward_gateway.sample.flags import MESSAGE_PARTS_IGNORED

from .cohort import compare_cohorts
from .column_binder import ColumnBinder, Value
from .fields import takes_group, value_field
from .group import find_alone, normalize_rows
from .members import spread_groups
from .missing_context import find_ignored_media
from .outcome_rows import is_absent, sum_magnitudes, sum_vectors, zeros_like
from .part_batches import read_json_references, select_part
from .plan import ComponentPlan, Plan, Step
from .rows import Rows
from .schema import CohortSpec
from .step_runner import Running, StepRunner
from .stored_references import references_address
from .transforms import apply_transform
from .turns import align_vectors, find_surplus, find_wrong_numbers, is_by_turn
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


Check = Callable[[Mapping[int, Invalid]], None]


def accept_all(invalid: Mapping[int, Invalid]) -> None:
    """Check of a request that succeeds with any failed samples."""


def evaluate_plan(
    plan: Plan,
    batch: Batch,
    raw: Mapping[str, RawScores],
    check: Check = accept_all,
) -> Effectful[Rewards]:
    """Evaluate a plan over a batch.

    Args:
        raw: raw scores by component name, for the components that call a model.
        check: called with the failed samples before a cohort is joined; raises if they fail the request.
    """
    if plan.only_model is not None and (rewards := _read_rewards(plan.only_model, batch, raw)) is not None:
        return rewards
    return (yield from _Evaluation(plan, batch, raw, check).run())


def _read_rewards(component: ComponentPlan, batch: Batch, raw: Mapping[str, RawScores]) -> Rewards | None:
    """The rewards of a recipe that is a model's number; None if a sample has failed, or anything was noticed of one."""
    scores = raw[component.name]
    value = scores.values[:, 0]
    if scores.invalid or scores.flags or batch.invalid or batch.flags or batch.has_media or not all_finite(value):
        return None
    part = ComponentScores(value, value, scores.model, scores.version, scores.cached)
    return Rewards(value.copy(), {component.name: part})


@dataclass(slots=True)
class _RawComponent:
    """A component before its transforms."""

    value: Value
    model: str | None = None
    version: str | None = None
    dimension: str | None = None
    cached: BoolArray | None = None
    judge_answers: Sequence[Any] | None = None
    verdicts: dict[str, FloatArray] | None = None
    absent: frozenset[int] = frozenset()
    """Rows without a value of an optional component."""


class _Evaluation:
    def __init__(self, plan: Plan, batch: Batch, raw: Mapping[str, RawScores], check: Check) -> None:
        if plan.json_references:
            batch = read_json_references(batch)
        self.plan, self.batch, self.raw = plan, batch, raw
        self.check = check
        self.values: dict[str, Value] = {}
        self.rows = Rows(batch)
        self._runner: StepRunner | None = None
        self.components: dict[str, ComponentScores] = {}
        self._reward_raw: FloatArray = _NO_REWARD
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
        scored: dict[str, _RawComponent] = {}
        for component in plan.components:
            if component.step is None:
                scored[component.name] = self._read_model(component)
            elif component.scored_first:
                scored[component.name] = yield from self._score_component(component, component.step)
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
        )

    def _compute_rewards(self, scored: Mapping[str, _RawComponent]) -> Effectful[tuple[FloatArray, list[Any] | None]]:
        """All stages that need no cohort: rewards [n], and vectors of credit.

        With a cohort the vectors are preliminary; they are computed to know which rows have one.
        """
        if not self.plan.stateful:
            return (yield from self._compute_rewards_once(scored))
        invalid, flags = dict(self.rows.invalid), dict(self.rows.flags)
        while True:
            answer = yield from self._compute_rewards_once(scored)
            failed_by_server = {
                i: reason for i, reason in self.rows.invalid.items() if reason.server_caused and i not in invalid
            }
            if not failed_by_server:
                return answer
            yield from perform(DiscardWrites())
            invalid |= failed_by_server
            self.rows.restore(invalid, flags)
            self.values.clear()

    def _compute_rewards_once(
        self, scored: Mapping[str, _RawComponent]
    ) -> Effectful[tuple[FloatArray, list[Any] | None]]:
        plan = self.plan
        for component in plan.components:
            raw = scored.get(component.name)
            if raw is None and component.step is not None:
                raw = yield from self._score_component(component, component.step)
            assert raw is not None
            yield from self._transform_component(component, raw)
        zeroed = (yield from self._apply_guards()) if plan.guards else []
        reward = yield from self._combine_components()
        if zeroed:
            reward[[i for i in zeroed if i not in self.rows.invalid]] = 0.0
        self._reward_raw = reward.copy() if plan.grouped else reward
        if plan.comparisons:
            self.runner.refuse_groups_of_one(*plan.comparisons)
        if plan.group.cohort is None and plan.group.normalize != "none":
            reward = self._normalize_rewards(reward)
        rewards = None
        if plan.credit is not None and (plan.group.cohort is None or plan.credit.operation.performs_effects):
            rewards = yield from self._assign_credit(plan.credit, reward)
        if plan.comparisons:
            self.runner.refuse_groups_of_one(*plan.comparisons)  # the other members may have failed since
            self._settle_groups_of_one(reward, rewards)
        return reward, rewards

    def _read_model(self, component: ComponentPlan) -> _RawComponent:
        """A component whose number a model gave."""
        scores = self.raw[component.name]
        self.rows.fail(scores.invalid, component.name)
        self.rows.flag(scores.flags)
        if component.refuse_truncated:
            reason = Invalid("truncated", "a text exceeds the model's limit, and the recipe refuses truncation")
            self.rows.fail({i: reason for i, flags in scores.flags.items() if "truncated" in flags}, component.name)
        return _RawComponent(scores.values[:, 0], scores.model, scores.version, scores.dimension, scores.cached)

    def _score_component(self, component: ComponentPlan, step: Step) -> Effectful[_RawComponent]:
        """A component that an operation scores."""
        name, size = component.name, self.rows.size
        optional = component.optional
        shown = select_part(self.plan, self.batch, component.text)
        binder = self.runner.binder if shown is self.batch else self._bind(shown)
        outcome = yield from self.runner.run(step, {}, f"{self.plan.name}/{name}", optional=optional, binder=binder)
        raw = _RawComponent(self._align_turns(self.runner.extract_value(outcome, name), component))
        if optional:
            raw.absent = frozenset(i for i in self.rows.valid() if is_absent(raw.value[i]))
        if step.operation.judged:
            raw.judge_answers = outcome.details.get(JUDGE_ANSWER, [None] * size)
        if names := step.verdict_names:
            raw.verdicts = read_verdicts(names, outcome, size)
        return raw

    def _align_turns(self, value: Value, component: ComponentPlan) -> Value:
        """The vectors of a component with one entry per turn of the assistant's, where credit is given by turn."""
        surplus = find_surplus(self.plan, component.name) if isinstance(value, list) else None
        if surplus is None or not isinstance(value, list) or component.step is None:
            return value
        given = next((field.param for field in component.step.fields if field.name == _GIVEN), None)
        aligned, faults = align_vectors(value, self.batch.responses, surplus, given or component.name)
        self.rows.fail(faults, component.name)
        return [None if vector is None else np.asarray(vector, dtype=np.float64) for vector in aligned]

    def _transform_component(self, component: ComponentPlan, raw: _RawComponent) -> Running:
        name, value, model = component.name, raw.value, raw.model
        if component.transforms:
            address = f"{self.plan.name}/{name}"
            if model is not None:
                address = references_address(model, raw.version, raw.dimension)
            self.rows.absent = raw.absent
            for step in component.transforms:
                value = yield from apply_transform(self.runner, step, value, address, name)
            self.rows.absent = frozenset()
        self.values[name] = value
        vector = value if isinstance(value, list) else None
        self.components[name] = ComponentScores(
            sum_vectors(raw.value),
            sum_vectors(value),
            model,
            raw.version,
            raw.cached,
            vector,
            raw.judge_answers,
            raw.verdicts,
        )

    def _apply_guards(self) -> Effectful[list[int]]:
        """Flag suspicious samples; returns the rows whose reward becomes 0."""
        zeroed: list[int] = []
        references = self.batch.references
        view = GuardView(
            ["" if response is None else shown_text(own_turns(response)) for response in self.batch.responses],
            [()] * self.rows.size if references is None else [accepted_texts(reference) for reference in references],
            {name: scores.value for name, scores in self.components.items()},
            self.rows.flags,
        )
        for plan in self.plan.guards:
            suspicious = yield from find_suspicious(plan.guard, view, plan.params)
            if isinstance(suspicious, Invalid):
                self.rows.fail(dict.fromkeys(self.rows.valid(), suspicious), None)
                continue
            flagged = [i for i, flag in enumerate(suspicious.tolist()) if flag and i not in self.rows.invalid]
            if not flagged:
                continue
            self.rows.flag(dict.fromkeys(flagged, (plan.guard.name,)))
            if plan.action == "invalid":
                reason = Invalid("guard", f"the guard {plan.guard.name} flagged this sample")
                self.rows.fail(dict.fromkeys(flagged, reason), None)
            elif plan.action == "zero":
                zeroed += flagged
        return zeroed

    def _combine_components(self) -> Running:
        plan, size = self.plan, self.rows.size
        table = {name: self.components[name].value for name in plan.over}
        if plan.combine is None:
            reward = next(iter(table.values())).copy() if table else np.zeros(size)
        else:
            field_name, wanted_shape = plan.combine.table
            if field_name == "group":
                numbers = yield from self._apply_to_groups(plan.combine, table)
                reward = np.array([np.nan if number is None else float(number) for number in numbers])
            else:
                column = table if wanted_shape == "table" else list(np.stack(list(table.values()), axis=1))
                outcome = yield from self.runner.run(plan.combine, {field_name: column}, plan.name)
                reward = outcome.reward if outcome.reward is not None else np.full(size, np.nan)
        for name in plan.add:
            reward = reward + self.components[name].value
        return reward

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
        table = {name: scores.value for name, scores in self.components.items()}
        if takes_group(step.operation):
            rewards = yield from self._apply_to_groups(step, {**table, "reward": reward, "outcome": reward})
            return self._refuse_wrong_numbers(step, rewards)
        provided: dict[str, Any] = {"reward": reward, "outcome": reward, **self.values}
        main = value_field(step.operation)
        vectors = [name for name in self.plan.over if isinstance(self.values.get(name), list)]
        if main is not None and main not in provided and vectors:
            provided[main] = self.values[vectors[0]]
        outcome = yield from self.runner.run(step, provided, self.plan.name)
        rewards = list(outcome.rewards) if outcome.rewards is not None else [None] * self.rows.size
        return self._refuse_wrong_numbers(step, rewards)

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
        return normalize_rows(self.plan.group, self.runner.binder.groups, self.rows.valid(), reward, table)

    def _compare_cohort(self, spec: CohortSpec, reward: FloatArray) -> Running:
        """Normalise rewards within the samples of the same prompt, across requests."""
        values = [self.components[name].value for name in self.plan.over]
        compared = yield from compare_cohorts(
            self.plan, spec, self.batch, self.runner.binder.groups, reward, values, self.rows.invalid
        )
        self.rows.flag(dict.fromkeys(compared.incomplete, ("cohort_incomplete",)))
        self.rows.fail(compared.invalid, None)
        return compared.reward


_GIVEN = "values"
"""The field of vectors that come with a sample."""

_NO_REWARD: FloatArray = np.empty(0)
