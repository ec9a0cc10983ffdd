"""The run of a plan over a batch: components, transforms, guards, combination, group, credit.

A generator of effects, so that it does no I/O: models were asked before (their raw scores come in), state
and judges are asked through whoever drives it. A row that fails at one stage is left out of the rest and
keeps its reason.

What outlives the request is touched in this order. First every component is scored that can be without state. Then
transforms, guards and the combination, which may read state and say what they would write; if a row fails in these
for the server's cause, they are computed again without it, so that it leaves no trace. Cohorts are joined last,
because a join cannot be taken back. What was to be written is committed by whoever drives, after the end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reward_gateway.errors import Overloaded, StateUnavailable, Unavailable
from reward_gateway.operations.apply import run
from reward_gateway.operations.effects import DiscardWrites, Effectful, JoinCohorts, perform
from reward_gateway.operations.guards import GuardView
from reward_gateway.operations.outcome import Outcome
from reward_gateway.sample import (
    Batch,
    BoolArray,
    ComponentScores,
    FloatArray,
    Invalid,
    RawScores,
    plain_text,
    split_version,
)

from .column_binder import ColumnBinder, Value, take
from .fields import shape, table_field, takes_group, value_field
from .group import normalize
from .members import spread_groups
from .plan import ComponentPlan, Plan, Step
from .schema import CohortSpec


@dataclass(slots=True)
class Rewards:
    """What a plan made of a batch; see :class:`reward_gateway.sample.Scored` for the fields."""

    reward: FloatArray
    components: dict[str, ComponentScores]
    rewards: list[Any] | None = None
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)


JUDGE_ANSWER = "judge_answer"
"""The one detail of an operation that a recipe's explanation carries."""

Running = Effectful[Any]
Check = Callable[[Mapping[int, Invalid]], None]


def accept_all(invalid: Mapping[int, Invalid]) -> None:
    """The check of a request that no failed sample fails."""


def evaluate(
    plan: Plan,
    batch: Batch,
    raw: Mapping[str, RawScores],
    check: Check = accept_all,
) -> Effectful[Rewards]:
    """Run a plan.

    Args:
        raw: raw scores by component name, for the components that ask a model.
        check: called with the samples that failed before a cohort is joined; raises where they fail the request.
    """
    return (yield from _Evaluation(plan, batch, raw, check).run())


@dataclass(slots=True)
class _RawComponent:
    """A component before its transforms."""

    value: Value
    model: str | None = None
    version: str | None = None
    cached: BoolArray | None = None
    judge_answers: Sequence[Any] | None = None
    absent: frozenset[int] = frozenset()
    """Rows in which an optional component has no value."""


class _Evaluation:
    def __init__(self, plan: Plan, batch: Batch, raw: Mapping[str, RawScores], check: Check) -> None:
        self.plan, self.batch, self.raw = plan, batch, raw
        self.check = check
        self.values: dict[str, Value] = {}
        self.reader = ColumnBinder(batch, self.values)
        self.components: dict[str, ComponentScores] = {}
        self.invalid: dict[int, Invalid] = dict(batch.invalid)
        self.flags: dict[int, tuple[str, ...]] = {}
        self._valid = list(range(batch.size))
        self._failed = 0
        self._absent: frozenset[int] = frozenset()
        """Rows in which the optional component at hand has no value: its transforms leave them out."""

    def run(self) -> Effectful[Rewards]:
        plan, size = self.plan, self.batch.size
        scored: dict[str, _RawComponent] = {}
        for component in plan.components:
            if _scored_first(component):
                scored[component.name] = yield from self._score(component)
        reward, rewards = yield from self._shape(scored)
        if plan.group.cohort is not None:
            self.check(self.invalid)
            reward = yield from self._compare_cohort(plan.group.cohort, reward)
            if plan.credit is not None:
                rewards = yield from self._credit(plan.credit, reward)
        if plan.credit is not None and rewards is not None:
            self._refuse_non_finite(np.array([_extent(vector) for vector in rewards]))
        else:
            self._refuse_non_finite(reward)
        for i in self.invalid:
            reward[i] = np.nan
            if rewards is not None:
                rewards[i] = None
        return Rewards(reward if size else np.empty(0), self.components, rewards, self.invalid, self.flags)

    def _shape(self, scored: Mapping[str, _RawComponent]) -> Effectful[tuple[FloatArray, list[Any] | None]]:
        """Everything from the raw components to the rewards that needs no cohort: rewards [n], and vectors of credit.

        With a cohort the vectors are not the final ones; they are computed to know which rows have some.
        """
        invalid, flags = dict(self.invalid), dict(self.flags)
        while True:
            answer = yield from self._shape_once(scored)
            lost = {i: reason for i, reason in self.invalid.items() if reason.server_caused and i not in invalid}
            if not lost or not self.plan.stateful:
                return answer
            yield from perform(DiscardWrites())
            invalid |= lost
            self.invalid, self.flags, self._absent = dict(invalid), dict(flags), frozenset()
            self.values.clear()

    def _shape_once(self, scored: Mapping[str, _RawComponent]) -> Effectful[tuple[FloatArray, list[Any] | None]]:
        plan = self.plan
        for component in plan.components:
            raw = scored.get(component.name) or (yield from self._score(component))
            yield from self._transform_component(component, raw)
        zeroed = self._guard()
        reward = yield from self._combine()
        reward[[i for i in zeroed if i not in self.invalid]] = 0.0
        if plan.group.cohort is None and plan.group.normalize != "none":
            reward = self._normalize(reward)
        rewards = None
        if plan.credit is not None and (plan.group.cohort is None or plan.credit.operation.performs_effects):
            rewards = yield from self._credit(plan.credit, reward)
        return reward, rewards

    def _score(self, component: ComponentPlan) -> Effectful[_RawComponent]:
        name, size = component.name, self.batch.size
        if component.step is None:
            scores = self.raw[name]
            self._fail(scores.invalid, name)
            self._flag(scores.flags)
            if component.refuse_truncated:
                reason = Invalid("truncated", "a text is over the model's limit, and the recipe refuses truncation")
                self._fail({i: reason for i, flags in scores.flags.items() if "truncated" in flags}, name)
            return _RawComponent(scores.values[:, 0], scores.model, scores.version, scores.cached)
        optional = component.optional
        outcome = yield from self._step(component.step, {}, f"{self.plan.name}/{name}", optional=optional)
        raw = _RawComponent(_value(outcome, size, name, self))
        if optional:
            raw.absent = frozenset(i for i in self._rows() if _nothing(raw.value[i]))
        if component.step.operation.judged:
            raw.judge_answers = outcome.details.get(JUDGE_ANSWER, [None] * size)
        return raw

    def _transform_component(self, component: ComponentPlan, raw: _RawComponent) -> Running:
        name, value, model = component.name, raw.value, raw.model
        address = references_address(model, raw.version) if model is not None else f"{self.plan.name}/{name}"
        self._absent = raw.absent
        for step in component.transforms:
            value = yield from self._transform(step, value, address, name)
        self._absent = frozenset()
        self.values[name] = value
        vector = value if isinstance(value, list) else None
        self.components[name] = ComponentScores(
            _scalar(raw.value), _scalar(value), model, raw.version, raw.cached, vector, raw.judge_answers
        )

    def _transform(self, step: Step, value: Value, address: str, component: str) -> Running:
        field_name = value_field(step.operation) or "reward"
        wants = shape(step.operation.item.model_fields[field_name])
        if isinstance(value, list) and wants == "number":
            return (yield from self._flat(step, value, field_name, address, component))
        if not isinstance(value, list) and wants == "vector":
            return (yield from self._whole(step, value, field_name, component))
        outcome = yield from self._step(step, {field_name: value}, address, component)
        return _value(outcome, self.batch.size, component, self)

    def _flat(self, step: Step, value: list[FloatArray | None], name: str, address: str, component: str) -> Running:
        """A transform of numbers over vectors: all their entries at once."""
        lengths = [0 if vector is None else len(vector) for vector in value]
        flat = np.concatenate([vector for vector in value if vector is not None and len(vector)] or [np.empty(0)])
        entries = Batch([""] * len(flat), [""] * len(flat), [None] * len(flat))
        columns, _, _ = yield from ColumnBinder(entries, {}).read(step, {name: flat}, list(range(len(flat))), address)
        outcome = yield from run(step.operation, columns, step.params)
        owners = np.repeat(np.arange(len(value)), lengths)
        self._fail({int(owners[k]): reason for k, reason in outcome.invalid.items()}, component)
        shaped = outcome.reward if outcome.reward is not None else flat
        pieces = np.split(shaped, np.cumsum(lengths)[:-1]) if lengths else []
        return [None if vector is None else piece for vector, piece in zip(value, pieces, strict=True)]

    def _whole(self, step: Step, value: FloatArray, name: str, component: str) -> Running:
        """A transform of a stream: the valid values of the batch are one item of it."""
        rows = self._rows()
        if not rows:
            return value
        item = {name: [value[rows]]}
        one = Batch([""], [""], [None])
        columns, kept, invalid = yield from ColumnBinder(one, {}).read(step, item, [0])
        outcome = (yield from run(step.operation, columns, step.params)) if kept else Outcome(invalid=invalid)
        if outcome.invalid or outcome.rewards is None:
            reason = next(iter(outcome.invalid.values()), Invalid("operation_error", "the transform gave no values"))
            self._fail(dict.fromkeys(rows, reason), component)
            return value
        shaped = np.full(self.batch.size, np.nan)
        shaped[rows] = np.asarray(outcome.rewards[0], dtype=np.float64)
        return shaped

    def _guard(self) -> list[int]:
        """Flag suspicious samples; the rows whose reward becomes 0."""
        zeroed: list[int] = []
        if not self.plan.guards:
            return zeroed
        view = GuardView(
            ["" if response is None else plain_text(response) for response in self.batch.responses],
            self.batch.references or [None] * self.batch.size,
            {name: scores.value for name, scores in self.components.items()},
            self.flags,
        )
        for plan in self.plan.guards:
            suspicious = np.flatnonzero(plan.guard.function(view, plan.params)).tolist()
            caught = [i for i in suspicious if i not in self.invalid]
            self._flag(dict.fromkeys(caught, (plan.guard.name,)))
            if plan.action == "invalid":
                reason = Invalid("guard", f"the guard {plan.guard.name} caught this sample")
                self._fail(dict.fromkeys(caught, reason), None)
            elif plan.action == "zero":
                zeroed += caught
        return zeroed

    def _combine(self) -> Running:
        plan, size = self.plan, self.batch.size
        table = {name: self.components[name].value for name in plan.over}
        if plan.combine is None:
            reward = next(iter(table.values())).copy() if table else np.zeros(size)
        else:
            field_name = table_field(plan.combine.operation) or "rewards"
            wants = shape(plan.combine.operation.item.model_fields[field_name])
            if field_name == "group":
                reward = yield from self._members(plan.combine, table)
            else:
                column = table if wants == "table" else list(np.stack(list(table.values()), axis=1))
                outcome = yield from self._step(plan.combine, {field_name: column}, plan.name)
                reward = outcome.reward if outcome.reward is not None else np.full(size, np.nan)
        for name in plan.add:
            reward = reward + self.components[name].value
        return reward

    def _members(self, step: Step, table: Mapping[str, FloatArray]) -> Running:
        """A combiner or credit assignment whose item is a group: its members are the samples of one prompt."""
        outcome = yield from spread_groups(step, self.reader, self.values, table, self._rows())
        self._fail(outcome.invalid, None)
        vectors = outcome.rewards
        if vectors is None:
            return outcome.reward
        if all(v is None or np.ndim(v) == 0 for v in vectors):
            return np.array([np.nan if v is None else float(v) for v in vectors])
        return list(vectors)

    def _credit(self, step: Step, reward: FloatArray) -> Running:
        table = {name: scores.value for name, scores in self.components.items()}
        if takes_group(step.operation):
            spread = yield from self._members(step, {**table, "reward": reward, "outcome": reward})
            return list(spread)
        provided: dict[str, Any] = {"reward": reward, "outcome": reward, **self.values}
        main = value_field(step.operation)
        vectors = [name for name in self.plan.over if isinstance(self.values.get(name), list)]
        if main is not None and main not in provided and vectors:
            provided[main] = self.values[vectors[0]]
        outcome = yield from self._step(step, provided, self.plan.name)
        return list(outcome.rewards) if outcome.rewards is not None else [None] * self.batch.size

    def _normalize(self, reward: FloatArray) -> FloatArray:
        rows, size = self._rows(), self.batch.size
        groups = take(self.reader.groups, rows, size)
        table = {name: take(self.components[name].value, rows, size) for name in self.plan.over}
        normalized = normalize(self.plan.group, groups, take(reward, rows, size), table)
        if len(rows) == size:
            return normalized
        shaped = np.full(size, np.nan)
        shaped[rows] = normalized
        return shaped

    def _compare_cohort(self, spec: CohortSpec, reward: FloatArray) -> Running:
        """Compare with the samples of the same prompt, whichever request they came in."""
        shaped = np.full(self.batch.size, np.nan)
        # A sample that will never have a score takes its place, as nobody else will come for it; one that failed for
        # the server's cause does not: it may be sent again.
        rows = [i for i in range(self.batch.size) if not (i in self.invalid and self.invalid[i].server_caused)]
        if not rows:
            return shaped
        groups = self.reader.groups
        names = [f"{self.plan.name}/{self.plan.version}/{groups[i]}" for i in rows]
        payloads = np.stack([reward, *(self.components[name].value for name in self.plan.over)], axis=1)
        payloads[list(self.invalid)] = np.nan
        cohorts = yield from perform(JoinCohorts(rows, names, payloads[rows], spec.size, spec.timeout_s))
        for i, (members, place) in zip(rows, cohorts, strict=True):
            if i in self.invalid:
                continue
            if len(members) < spec.size:
                self._flag({i: ("cohort_incomplete",)})
                if spec.incomplete == "invalid":
                    message = (
                        f"only {len(members)} of {spec.size} samples of this prompt came within {spec.timeout_s:g} s"
                    )
                    self._fail({i: Invalid("operation_error", message)}, None)
                    continue
            table = {name: members[:, k + 1] for k, name in enumerate(self.plan.over)}
            shaped[i] = normalize(self.plan.group, ["cohort"] * len(members), members[:, 0], table)[place]
        return shaped

    def _step(
        self,
        step: Step,
        provided: Mapping[str, Any],
        address: str,
        component: str | None = None,
        *,
        optional: bool = False,
    ) -> Running:
        """One operation over the rows that are still valid, its answer laid back over the whole batch.

        Rows that lack what an ``optional`` one reads are left without an answer, and stay valid.
        """
        rows = self._rows()
        name = component or address.rpartition("/")[2]
        nothing = Outcome(reward=np.full(self.batch.size, np.nan), rewards=[None] * self.batch.size)
        try:
            columns, kept, invalid = yield from self.reader.read(step, provided, rows, address)
            self._fail({i: r for i, r in invalid.items() if not (optional and r.code == "missing_field")}, name)
            if not kept:
                return nothing
            outcome = yield from run(step.operation, columns, step.params)
        except Unavailable as error:
            self._fail(dict.fromkeys(rows, unavailable(error)), name)
            return nothing
        self._fail({kept[k]: reason for k, reason in outcome.invalid.items()}, name)
        if outcome.reward is None and outcome.rewards is None and len(outcome.invalid) == len(kept):
            outcome.reward = np.full(len(kept), np.nan)  # each of them has said why; the others are not to blame
        self._flag({kept[k]: flags for k, flags in outcome.flags.items()})
        return _laid(outcome, kept, self.batch.size)

    def _rows(self) -> list[int]:
        if len(self.invalid) != self._failed:
            self._failed = len(self.invalid)
            self._valid = [i for i in range(self.batch.size) if i not in self.invalid]
        return [i for i in self._valid if i not in self._absent] if self._absent else self._valid

    def _fail(self, reasons: Mapping[int, Invalid], component: str | None) -> None:
        for i, reason in reasons.items():
            self.invalid.setdefault(i, reason.of(component) if component else reason)

    def _flag(self, flags: Mapping[int, tuple[str, ...]]) -> None:
        for i, names in flags.items():
            self.flags[i] = tuple(dict.fromkeys((*self.flags.get(i, ()), *names)))

    def _refuse_non_finite(self, reward: FloatArray) -> None:
        for i in np.flatnonzero(~np.isfinite(reward)).tolist():
            self.invalid.setdefault(i, Invalid("not_finite", "the recipe gave no finite number for this sample"))


def _scored_first(component: ComponentPlan) -> bool:
    """Whether a component is scored before anything touches state: it asks for none, and reads no other component."""
    step = component.step
    if step is None:
        return True
    return not step.operation.stateful and all(binding.kind != "component" for binding in step.bindings.values())


def references_address(model: str, version: str | None) -> str:
    """Where the reference rewards of a model are kept: another version's say nothing about this one."""
    return f"{split_version(model)[0]}@{version}"


def unavailable(error: Unavailable) -> Invalid:
    """The reason for samples whose effect could not be answered."""
    match error:
        case StateUnavailable():
            return Invalid("state_unavailable", error.message)
        case Overloaded():
            return Invalid("overloaded", error.message)
        case _:
            return Invalid("model_unavailable", error.message)


def _nothing(value: Any) -> bool:
    return value is None or bool(np.ndim(value) == 0 and np.isnan(value))


def _laid(outcome: Outcome, rows: list[int], size: int) -> Outcome:
    if len(rows) == size:
        return outcome
    reward = None
    if outcome.reward is not None:
        reward = np.full(size, np.nan)
        reward[rows] = outcome.reward
    rewards = None
    if outcome.rewards is not None:
        rewards = [None] * size
        for k, i in enumerate(rows):
            rewards[i] = outcome.rewards[k]
    laid = Outcome(reward, rewards)
    if JUDGE_ANSWER in outcome.details:
        words: list[Any] = [None] * size
        for k, i in enumerate(rows):
            words[i] = outcome.details[JUDGE_ANSWER][k]
        laid.details[JUDGE_ANSWER] = words
    return laid


def _value(outcome: Outcome, size: int, name: str, evaluation: _Evaluation) -> Value:
    if outcome.reward is not None:
        return outcome.reward
    if outcome.rewards is not None:
        return [None if vector is None else np.asarray(vector, dtype=np.float64) for vector in outcome.rewards]
    reason = Invalid("operation_error", "the operation gave neither a reward nor a vector", name)
    evaluation._fail(dict.fromkeys(range(size), reason), name)
    return np.full(size, np.nan)


def _extent(vector: Any) -> float:
    """A number that is finite only if every entry of a vector is; nested vectors (a map, row by row) included."""
    if vector is None:
        return np.nan
    return float(sum(np.sum(np.abs(np.asarray(part, dtype=np.float64))) for part in vector))


def _scalar(value: Value) -> FloatArray:
    """The number that stands for a component in the answer: of a vector, its sum."""
    if not isinstance(value, list):
        return value
    return np.array([np.nan if vector is None else float(np.sum(vector)) for vector in value])
