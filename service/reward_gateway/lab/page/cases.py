"""Comparisons to read: flips and mistakes, each of which opens to its texts."""

from collections.abc import Mapping, Sequence

from reward_gateway.pages.html import Html, el, join
from reward_gateway.sample import Text, shown_text, turns_text

from ..comparison import Comparison
from ..report import Decision, Flip, Mistake
from ..words import number
from .parts import render_section, render_text, shorten

MOST = 100
"""Comparisons that a page shows."""


def render_flips(flips: Sequence[Flip], names: Sequence[str], comparisons: Mapping[int, Comparison]) -> Html:
    """The comparisons that two rewards decide differently, the largest disagreement first.

    Args:
        comparisons: by their row, from 1.
    """
    cases = [
        _render_case(flip, [(name, one) for name, one in zip(names, (flip.a, flip.b), strict=True)], comparisons)
        for flip in flips[:MOST]
    ]
    note = f"Comparisons that the two decide differently, the largest disagreement first.{_count(len(flips))}"
    return render_section("Flips", cases or el("p", "There are none."), note=note)


def render_mistakes(mistakes: Sequence[Mistake], comparisons: Mapping[int, Comparison]) -> Html:
    """The mistakes that a reward is surest of."""
    cases = [_render_case(mistake, [("", mistake.decision)], comparisons) for mistake in mistakes]
    note = "Comparisons where the rejected response is furthest above the chosen one."
    return render_section("Surest mistakes", cases or el("p", "There are none."), note=note)


def _count(size: int) -> str:
    return f" The first {MOST} of {size:,}; report.json lists all." if size > MOST else ""


def _render_case(
    case: Flip | Mistake, decisions: Sequence[tuple[str, Decision]], comparisons: Mapping[int, Comparison]
) -> Html:
    comparison = comparisons[case.row]
    chosen = [("chosen", text) for text in _pick(comparison.chosen, case.chosen)]
    rejected = [("rejected", text) for text in _pick(comparison.rejected, case.rejected)]
    where = ", ".join(part for part in (f"row {case.row:,}", case.id and f"id {case.id}", case.subset) if part)
    sides = [el("div", join(f"{name} " if name else "", _describe(decision))) for name, decision in decisions]
    summary = el(
        "summary",
        el("span", shorten(_prompt(comparison.prompt)), class_="excerpt"),
        el("span", sides, class_="sides"),
        el("span", where, class_="where"),
    )
    both = el("div", (render_text(side, shown_text(text), side) for side, text in chosen + rejected), class_="both")
    texts = el("div", render_text("prompt", _prompt(comparison.prompt)), both, class_="texts")
    return el("details", summary, texts, class_="flip")


def _pick(texts: Sequence[Text], which: int | None) -> Sequence[Text]:
    return texts if which is None else [texts[which]]


def _prompt(prompt: Text) -> str:
    return turns_text(prompt)


def _describe(decision: Decision) -> str:
    verdict = "right" if decision.outcome == 1 else "tie" if decision.chosen == decision.rejected else "wrong"
    return f"{verdict}: chosen {number(decision.chosen)}, rejected {number(decision.rejected)}"
