"""A reward as the steps that lead to it, each beside a bar from where the one before ended."""

import math
from itertools import accumulate
from typing import Any

from reward_gateway.pages.html import Content, Html, el
from reward_gateway.recipes.trace import Bar
from reward_gateway.sample import ComponentScores

from .trial import Outcome

WIDTH, HEIGHT = 200, 16
"""Of a bar's drawing, in its units."""

_KINDS = {
    "combine": "what the combination adds",
    "guard": "set to 0 by a guard",
    "group": "compared within the group",
    "credit": "by the credit assignment",
}


def format_number(value: float | None, *, sign: bool = False) -> str:
    """A number with four digits after the point; very large and very small ones by their exponent; a dash for none."""
    if value is None or math.isnan(value):
        return "–"
    is_usual = value == 0 or 1e-4 <= abs(value) < 1e6
    text = format(value, ("+" if sign else "") + (".4f" if is_usual else ".3g"))
    return text.replace("-", "−")


def _format_short(value: float) -> str:
    """A number as in :func:`format_number`, without zeros at its end."""
    text = format_number(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def render_waterfall(outcome: Outcome, row: int, lowest: float, highest: float) -> Html:
    """The steps of one response. ``lowest`` and ``highest`` are the ends of the scale that all responses share."""
    bars = outcome.bars[row]
    total, rows = 0.0, []
    for bar in bars:
        before, total = total, total + bar.change
        rows.append(
            el(
                "tr",
                el("th", _name_bar(outcome, row, bar), scope="row"),
                el("td", format_number(bar.change, sign=True), class_="number"),
                el("td", _draw_bar(before, total, lowest, highest), class_="bar"),
            )
        )
    rows.append(
        el(
            "tr",
            el("th", "reward", scope="row"),
            el("td", format_number(total), class_="number"),
            el("td", _draw_bar(0.0, total, lowest, highest, "total"), class_="bar"),
            class_="total",
        )
    )
    head = el("thead", el("tr", *(el("th", name, scope="col") for name in ("step", "adds", "sum so far"))))
    return el("table", head, el("tbody", *rows), class_="waterfall")


def find_scale(outcome: Outcome) -> tuple[float, float]:
    """The lowest and highest sum that any step of any response reaches."""
    ends = [0.0]
    for bars in outcome.bars:
        ends += accumulate(bar.change for bar in bars)
    return min(ends), max(ends)


def _draw_bar(start: float, end: float, lowest: float, highest: float, kind: str = "") -> Html:
    span = (highest - lowest) or 1.0
    left, right = (WIDTH * (value - lowest) / span for value in sorted((start, end)))
    zero = WIDTH * (0.0 - lowest) / span
    return el(
        "svg",
        el("line", x1=f"{zero:.1f}", x2=f"{zero:.1f}", y1=0, y2=HEIGHT, class_="axis"),
        el(
            "rect",
            x=f"{left:.1f}",
            y=3,
            width=f"{max(1.0, right - left) if start != end else 0:.1f}",
            height=HEIGHT - 6,
            class_=kind or ("up" if end >= start else "down"),
        ),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _name_bar(outcome: Outcome, row: int, bar: Bar) -> list[Content]:
    """The step's name, and below it how its number came about."""
    name: list[Content] = [el("span", bar.name or "rest")]
    if bar.kind not in ("component", "add"):
        name.append(el("small", f"made {bar.how}" if bar.how else _KINDS[bar.kind]))
        return name
    chain = _describe_chain(outcome, bar.name, row)
    weight = f" × {_format_short(bar.weight)}" if bar.weight is not None and bar.weight != 1 else ""
    how = f"; {bar.how}" if bar.how[:1].isalpha() else f" {bar.how}".rstrip()
    return [*name, el("small", chain + weight + how)]


def _describe_chain(outcome: Outcome, name: str, row: int) -> str:
    """A component's raw score and what each transform made of it."""
    scores = outcome.scored.components[name]
    if scores.skipped is not None and scores.skipped[row] is not None:
        return f"not computed ({scores.skipped[row]}): {_format_short(float(scores.value[row]))}"
    parts = [f"raw {_format_short(float(scores.raw[row]))}"]
    steps = outcome.trace.transforms.get(name, [])
    parts += [
        f"{step.operation} {_format_short(float(step.value[row]))}" for step in steps if not math.isnan(step.value[row])
    ]
    return " → ".join(parts)


def render_components(outcome: Outcome, row: int) -> Html:
    """The components of one response as a table: scores, what gave them, and whether they came from the cache."""
    rows = [
        el(
            "tr",
            el("th", name, scope="row"),
            el("td", format_number(float(scores.raw[row])), class_="number"),
            el("td", format_number(float(scores.value[row])), class_="number"),
            el("td", *_name_origin(outcome, name, scores, row)),
        )
        for name, scores in outcome.scored.components.items()
    ]
    head = el("thead", el("tr", *(el("th", name, scope="col") for name in ("component", "raw", "value", "from"))))
    return el(
        "div",
        el("table", head, el("tbody", *rows)),
        class_="wide",
        tabindex="0",
        role="region",
        aria_label="Components",
    )


def _name_origin(outcome: Outcome, name: str, scores: ComponentScores, row: int) -> list[Content]:
    model, version = scores.origin_of(row)
    if model is None:
        plan = next(part for part in outcome.plan.components if part.name == name)
        return [el("code", plan.step.operation.name if plan.step is not None else "–")]
    found: list[Content] = [el("code", f"{model}@{version}" if version else model)]
    if scores.cached is not None and bool(scores.cached[row]):
        found += [" ", el("span", "cached", class_="state")]
    answer: Any = None if scores.judge_answers is None else scores.judge_answers[row]
    if isinstance(answer, str):
        found.append(el("details", el("summary", "what the judge said"), el("p", answer, class_="text")))
    return found
