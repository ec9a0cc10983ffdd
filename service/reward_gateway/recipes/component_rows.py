"""The rows in which a component with conditions is computed, those of its cases, and what the others get."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reward_gateway.sample import FloatArray, Invalid
from reward_gateway.sample.scores import Origin

from .column_binder import Value
from .component_plan import ComponentPlan
from .model_scores import no_numbers
from .outcome_rows import sum_vectors
from .raw_component import RawComponent
from .rows import Rows

PartRows = tuple[ComponentPlan, Rows]
"""A component or one of its cases, and the rows in which it is computed."""


@dataclass(frozen=True, slots=True)
class ComponentRows:
    """The rows of a component, and those of its parts: itself, or its cases.

    Attributes:
        failed_before: rows that had failed before it was scored.
    """

    rows: Rows
    parts: Sequence[PartRows]
    failed_before: frozenset[int]

    @property
    def failed(self) -> list[int]:
        """The rows that have failed in it."""
        return [i for i in self.rows.invalid if i not in self.failed_before]

    def gather(self) -> None:
        """Tell the component's rows what was told to those of its cases."""
        for _, rows in self.parts:
            if rows is not self.rows:
                self.rows.fail(rows.invalid, None)
                self.rows.flag(rows.flags)

    def is_late(self, row: int) -> bool:
        """Whether there was no time for a row."""
        return self.rows.invalid[row].code == "deadline_exceeded"

    def leave_out(self, late: Sequence[int]) -> None:
        """Take rows for absent that were late."""
        for rows in {id(rows): rows for rows in (self.rows, *(rows for _, rows in self.parts))}.values():
            rows.leave_out(late)

    def name_models(self, raws: Mapping[str, RawComponent]) -> list[Origin]:
        """[n] model and version of each row."""
        names: list[Origin] = [(None, None)] * self.rows.size
        for (part, _), chosen in zip(self.parts, self._list_rows(), strict=True):
            raw = raws[part.address]
            for i in chosen:
                names[i] = raw.model, raw.version
        return names

    def lay_together(self, found: Sequence[tuple[RawComponent, Value]]) -> tuple[RawComponent, Value]:
        """The numbers of all cases as those of one component, each in its rows."""
        size = self.rows.size
        before, after, cached = no_numbers(size), no_numbers(size), np.zeros(size, np.bool_)
        answers: list[Any] = [None] * size
        limits: list[float | None] = [None] * size
        verdicts: dict[str, FloatArray] = {}
        for (raw, value), chosen in zip(found, self._list_rows(), strict=True):
            before[chosen], after[chosen] = sum_vectors(raw.value)[chosen], sum_vectors(value)[chosen]
            if raw.cached is not None:
                cached[chosen] = raw.cached[chosen]
            for i in chosen if raw.judge_answers is not None else ():
                answers[i] = raw.judge_answers[i]  # type: ignore[index]
            for i in chosen if raw.limits is not None else ():
                limits[i] = raw.limits[i]  # type: ignore[index]
            for verdict, column in (raw.verdicts or {}).items():
                verdicts.setdefault(verdict, np.zeros(size))[chosen] = column[chosen]
        judged = any(raw.judge_answers is not None for raw, _ in found)
        whole = RawComponent(before, cached=cached, judge_answers=answers if judged else None)
        whole.verdicts = verdicts or None
        whole.limits = limits if any(limit is not None for limit in limits) else None
        return whole, after

    def _list_rows(self) -> Iterator[list[int]]:
        """The rows of each part, those among them that have failed."""
        for _, rows in self.parts:
            yield [i for i in range(rows.size) if i not in rows.absent]


def explain_no_case(component: ComponentPlan, *, missing: bool) -> Invalid:
    """Why a row has no case: its key is missing, or names none of them."""
    key, cases = component.by, ", ".join(part.case for part in component.cases)
    message = f"this reward needs {key} in the sample" if missing else f"{key} names none of its cases ({cases})"
    return Invalid("missing_field", message, param=key)


def leave_out(raw: RawComponent, rows: Sequence[int]) -> RawComponent:
    """A component without what was said of some rows."""
    if not rows:
        return raw
    left_out, value = set(rows), raw.value
    if isinstance(value, list):
        value = [None if i in left_out else vector for i, vector in enumerate(value)]
    else:
        value = value.copy()
        value[rows] = np.nan
    cached, answers, verdicts = raw.cached, raw.judge_answers, raw.verdicts
    if cached is not None:
        cached = cached.copy()
        cached[rows] = False
    if answers is not None:
        answers = [None if i in left_out else words for i, words in enumerate(answers)]
    if verdicts is not None:
        kept = np.array([i not in left_out for i in range(len(value))], np.float64)
        verdicts = {name: column * kept for name, column in verdicts.items()}
    return replace(raw, value=value, cached=cached, judge_answers=answers, verdicts=verdicts)


def join_rows(raw: RawComponent, more: RawComponent, rows: Sequence[int]) -> RawComponent:
    """A component with what was said of some rows later."""
    value: Any = list(raw.value) if isinstance(raw.value, list) else raw.value.copy()
    answers = None if raw.judge_answers is None else list(raw.judge_answers)
    limits = list(raw.limits or [None] * len(value)) if raw.limits is not None or more.limits is not None else None
    verdicts = {name: column.copy() for name, column in (raw.verdicts or {}).items()}
    for i in rows:
        value[i] = more.value[i]
        if answers is not None and more.judge_answers is not None:
            answers[i] = more.judge_answers[i]
        if limits is not None and more.limits is not None:
            limits[i] = more.limits[i]
        for name, column in (more.verdicts or {}).items():
            verdicts[name][i] = column[i]
    return replace(
        raw,
        value=value,
        judge_answers=answers,
        verdicts=verdicts or None,
        absent=raw.absent | more.absent.intersection(rows),
    )


def fill_skipped(component: ComponentPlan, value: Value, skipped: Sequence[int], failed: Sequence[int]) -> Value:
    """The value with ``otherwise`` in the rows that were skipped; 0 where a guard has settled them and there is none.

    An audit's value is one number per row, with none where it was skipped or has failed.
    """
    if component.audit:
        value = sum_vectors(value).copy()
        value[failed] = np.nan
    elif not skipped:
        return value
    assert not isinstance(value, list)
    filled = value.copy()
    missing = np.nan if component.audit else 0.0
    filled[skipped] = missing if component.otherwise is None else component.otherwise
    return filled
