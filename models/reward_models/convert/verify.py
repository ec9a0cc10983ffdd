"""Compares a converted folder with torch: the runtime scores the same rows, alone and in batches of several sizes."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reward_models.convert.errors import Refused
from reward_models.convert.pace import tell_pace
from reward_models.convert.plan import Plan, Row
from reward_models.runtime.instance import Instance
from reward_models.runtime.rows import Columns, Scorer
from reward_models.runtime.session import Device

TOLERANCES = {"float32": 1e-4, "float16": 2e-2}
"""Largest accepted difference of a graph to torch in float32; relative for scores above 1."""

ENGINE_TOLERANCES = {"float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}
"""The same of an engine to ``transformers`` in the same type."""

INVARIANCE = {"float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}
"""The same between batches."""


@dataclass(frozen=True, slots=True)
class Measured:
    """``rows`` scored, ``refused`` by both sides, and the largest differences ``to_torch`` and ``between_batches``.

    ``spread`` is the standard deviation of torch's scores over the rows, to judge the differences by.
    """

    rows: int
    refused: int
    to_torch: float
    between_batches: float
    spread: float


def scorer_of(plan: Plan, folder: Path) -> Scorer:
    """The scorer of the runtime on a folder. Raises Refused if its engine does not start."""
    module, name = plan.scorer
    card: dict[str, Any] = {"settings": plan.settings}
    instance = Instance(folder, tuple(plan.dimensions), tuple(plan.flags), card, Device())
    try:
        made: Scorer = getattr(importlib.import_module(f"reward_models.runtime.{module}"), name)(instance)
    except RuntimeError as error:
        if "network" not in plan.settings:
            raise
        raise Refused(f"{error} Nothing was written.") from error
    return made


def columns_of(rows: Sequence[Row]) -> Columns:
    """Rows as columns."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def compare_with_torch(
    plan: Plan,
    expected: Sequence[list[float] | None],
    folder: Path,
    dtype: str,
    say: Callable[[str], None] = lambda line: None,
) -> Measured:
    """Score the plan's rows with the runtime, and compare with the scores ``expected`` of torch.

    Args:
        say: called now and then with how far it is.

    Raises:
        Refused: they differ by more than a tolerance, or reject different rows; the message has the figure.
    """
    scorer = scorer_of(plan, folder)
    tolerance = (ENGINE_TOLERANCES if "network" in plan.settings else TOLERANCES)[dtype]
    alone = [scorer.score(columns_of([row]), 1) for row in tell_pace(plan.rows, "rows by the runtime", say)]
    for index, (by_torch, answer) in enumerate(zip(expected, alone, strict=True)):
        if (by_torch is None) != bool(answer.errors):
            outcome = answer.errors.get(0, "a score")
            raise Refused(
                f"Row {index} of the check: torch {'rejects' if by_torch is None else 'scores'} it, "
                f"the runtime returns: {outcome}"
            )
    kept = [index for index, by_torch in enumerate(expected) if by_torch is not None]
    if not kept:
        raise Refused("Torch rejected all rows of the check: is the template made for conversations?")
    torch_scores = np.array([expected[index] for index in kept], np.float64)
    runtime_scores = np.array([alone[index].scores[0] for index in kept], np.float64)
    rows = [plan.rows[index] for index in kept]
    apart = max(largest_difference(score_together(scorer, rows, size), runtime_scores) for size in (2, 3, len(rows)))
    found = Measured(
        len(kept),
        len(expected) - len(kept),
        largest_difference(runtime_scores, torch_scores),
        apart,
        float(torch_scores.std(0).min()),
    )
    if not found.to_torch <= tolerance:
        raise Refused(
            f"The model differs from torch by {found.to_torch:.1e} ({tolerance:.0e} is allowed): "
            "nothing was written. Please report the checkpoint's configuration."
        )
    if not found.between_batches <= INVARIANCE[dtype]:
        raise Refused(
            f"A row's score changes by {found.between_batches:.1e} with its batch ({INVARIANCE[dtype]:.0e} is "
            "allowed): nothing was written. Please report the checkpoint's configuration."
        )
    return found


def score_together(scorer: Scorer, rows: Sequence[Row], size: int) -> Any:
    """Scores of rows in calls of ``size``."""
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    return np.concatenate([scorer.score(columns_of(part), len(part)).scores for part in parts])


def largest_difference(found: Any, wanted: Any) -> float:
    """The largest difference, a share of the wanted number where that is over 1; infinite where one is no number."""
    difference = np.abs(np.asarray(found, np.float64) - wanted) / np.maximum(1.0, np.abs(wanted))
    return float(np.where(np.isfinite(difference), difference, np.inf).max())
