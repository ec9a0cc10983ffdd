"""Compares measured figures with those in the cards: the rows of the table, and writing figures to cards."""

import importlib
import json
import operator
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reward_models.build import stamp_model
from reward_models.evaluate.part import Entry, Missing, Part
from reward_models.evaluate.subject import Subject
from reward_models.repository import RepositoryError
from reward_models.repository.card import CARD

EVALUATION = "evaluation.json"
SIDES: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le, ">": operator.gt}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure with its baseline, target and the card's value.

    ``found`` is None if it was not measured. ``verdict`` is ``ok``, what is wrong, or why it was not measured.
    """

    model: str
    part: str
    figure: str
    found: float | None
    baseline: float | None
    target: str
    claimed: float | None
    count: int | None
    verdict: str

    @property
    def faulty(self) -> bool:
        """True if the figure was measured and is not ``ok``."""
        return self.found is not None and self.verdict != "ok"

    def plain(self) -> dict[str, Any]:
        """As a dictionary for JSON."""
        return asdict(self)


def list_evaluations() -> list[str]:
    """Names of the evaluations: the modules of this folder that define ``list_parts``."""
    folder = Path(__file__).parent
    return sorted(
        found.name
        for found in pkgutil.iter_modules([str(folder)])
        if hasattr(load_evaluation(found.name), "list_parts")
    )


def load_evaluation(name: str) -> Any:
    """An evaluation's module."""
    return importlib.import_module(f"reward_models.evaluate.{name}")


def list_parts(subject: Subject) -> list[Part]:
    """The measurements of a model. Raises RepositoryError if its card names no existing evaluation."""
    name = subject.card.content.get("evaluation")
    if name not in list_evaluations():
        raise RepositoryError(
            f"the card of {subject.name} names {f'the evaluation {name}' if name else 'no evaluation'}; "
            f"there are: {', '.join(list_evaluations())}"
        )
    found: list[Part] = load_evaluation(name).list_parts(subject)
    return found


def count_parts(subject: Subject, data: Path | None) -> int:
    """How many measurements of a model have their data. Raises RepositoryError as :func:`list_parts` does."""
    return sum(not part.find_lacking(data) for part in list_parts(subject))


def measure_model(
    subject: Subject, data: Path | None, starts: Callable[[Part], None] = lambda part: None
) -> tuple[list[Row], dict[str, Entry]]:
    """Run all measurements whose data is available; returns the rows of the table, and the measured entries.

    Args:
        subject: the model; it is loaded with the first part whose data is available.
        data: the folder of the data, or None.
        starts: called with each part before it is measured.

    Raises:
        RepositoryError: the model is not built, or its card names no evaluation.
    """
    rows: list[Row] = []
    found: dict[str, Entry] = {}
    for part in list_parts(subject):
        lacking = part.find_lacking(data)
        if not lacking:
            starts(part)
            try:
                found[part.name] = part.measure(data)
            except Missing as missing:
                lacking = str(missing)
        rows += compare_figures(subject, part, found.get(part.name), f"needs --data DIR with {lacking}")
    return rows, found


def compare_figures(subject: Subject, part: Part, found: Entry | None, lacking: str) -> Iterable[Row]:
    """The rows of a part: each figure with its baseline, its target and the card's value."""
    claimed = subject.quality.get(part.name) or {}
    targets = (subject.card.content.get("targets") or {}).get(part.name) or {}
    entry = claimed if found is None else found
    for figure, beside in part.shown.items():
        baseline = entry.get(beside) if isinstance(beside, str) else beside
        value, claim, target = (found or {}).get(figure), claimed.get(figure), str(targets.get(figure, ""))
        count = entry.get(part.count)
        verdict = lacking if value is None else judge_figure(value, claim, target, count)
        yield Row(subject.name, part.name, figure, value, baseline, target, claim, count, verdict)


def judge_figure(found: float, claimed: float | None, target: str, count: int | None) -> str:
    """``ok``, or what is wrong. Tolerates rounding, and one row that differs by another machine's arithmetic."""
    if claimed is None:
        return "not in the card"
    if abs(found - claimed) > 0.0015 + (1.01 / count if count else 0.0):
        return "differs from the card"
    if target:
        side, _, bar = target.partition(" ")
        if not SIDES[side](found, float(bar)):
            return "misses its target"
    return "ok"


def pin_head(folder: Path, head_sha256: str) -> None:
    """Write the hash of a new ``head.npz`` into the card."""
    text = (folder / CARD).read_text("utf-8")
    text = re.sub(r"(head\.npz:\s+sha256: )\S+", rf"\g<1>{head_sha256}", text)
    (folder / CARD).write_text(text, "utf-8")


def write_figures(folder: Path, found: dict[str, Entry], **provenance: Any) -> None:
    """Write figures to a model's ``evaluation.json`` and card, and stamp its configuration.

    Entries of other parts and other figures of the same part stay. ``provenance`` (hashes, periods, strengths) is
    written next to ``quality`` in ``evaluation.json``.
    """
    path = folder / EVALUATION
    report: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    quality: dict[str, Entry] = report.get("quality", {})
    report["quality"] = quality | {name: quality.get(name, {}) | entry for name, entry in found.items()}
    report |= provenance
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    lines = [
        f"  {name}: {{{', '.join(f'{k}: {json.dumps(v)}' for k, v in entry.items())}}}\n"
        for name, entry in report["quality"].items()
    ]
    text = (folder / CARD).read_text("utf-8")
    block = "quality:\n" + "".join(lines)
    (folder / CARD).write_text(
        re.sub(r"^quality:[^\n]*\n(?: [^\n]*\n)*", lambda match: block, text, flags=re.MULTILINE), "utf-8"
    )
    stamp_model(folder.name, folder.parent)
