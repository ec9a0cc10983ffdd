"""A comparison as a page shows it: figures, charts, and the samples on which the two disagree most."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from reward_gateway.counted import count_of
from reward_gateway.lab.page.charts import Chart, Series, render_chart
from reward_gateway.lab.page.parts import SHOWN, render_card, shorten
from reward_gateway.lab.report import Estimate
from reward_gateway.lab.side_by_side import Disagreement, Distributions, Order, SideBySide, spread_evenly
from reward_gateway.lab.words import interval, number, share
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.layout import render_table
from reward_gateway.sample import FloatArray, turns_text

from .comparison import Compared, SideScores
from .widgets import render_note

POINTS = 2000
"""Samples that the scatter shows at most, evenly spread over the file."""

ROWS = 100
"""Rows of a table of a chart's numbers."""

BYTES = 2 << 20
"""Characters of texts that one page shows at most."""


class Drawn(NamedTuple):
    """Charts, and the content with their places."""

    charts: list[Chart]
    content: Html


def draw_comparison(compared: Compared) -> Drawn:
    """What was found about a file."""
    names = [scores.side.name for scores in compared.sides]
    first, second = compared.sides
    drawn = draw_side_by_side(names, compared.found, first.values, second.values)
    return Drawn(
        drawn.charts,
        join(
            el(
                "ul",
                (_describe_side(letter, one) for letter, one in zip("ab", compared.sides, strict=True)),
                class_="sides",
            ),
            *(_describe_failures(one) for one in compared.sides),
            drawn.content,
            _render_disagreements(names, compared),
        ),
    )


def draw_side_by_side(names: Sequence[str], found: SideBySide, a: FloatArray, b: FloatArray) -> Drawn:
    """The figures and charts of two rewards; names: of A and B."""
    if not found.rows:
        return Drawn([], render_note("There is no sample that both have scored.", kind="warning"))
    distribution, places = _draw_distributions(names, found.distributions)
    scatter, more = _draw_scatter(names, found.rows, a, b)
    figures = el("div", _render_figures(names, found), class_="cards")
    plots = el(
        "div",
        el("div", el("h3", "Distributions"), places),
        el("div", el("h3", "Sample by sample"), more),
        class_="plots",
    )
    return Drawn([distribution, scatter], join(figures, plots))


# Figures


def _render_figures(names: Sequence[str], found: SideBySide) -> list[Html]:
    cards = [
        ("Pearson", number(found.pearson), f"over {count_of(len(found.rows), 'sample')}", "plain"),
        ("Spearman", number(found.spearman), "the same of ranks", "plain"),
        ("pairs ordered alike", share(found.order.agreement), _describe_order(found.order), "plain"),
    ]
    if found.order.best_changed is not None:
        cards.append(("prompts whose best differs", share(found.order.best_changed), "", "plain"))
    for letter, slope in zip("ab", found.slopes or (), strict=False):
        cards.append((f"slope of {letter.upper()}", _first(slope), _around(slope), letter))
    return [
        render_card(name, figure, el("p", more, class_="soft") if more else None, colour=colour)
        for name, figure, more, colour in cards
    ]


def _first(slope: Estimate) -> str:
    return number(slope.value)


def _around(slope: Estimate) -> str:
    _, _, around = interval(slope, percent=False).partition(" ")
    return f"per 100 words {around}" if around else "too few lengths to tell"


def _describe_order(order: Order) -> str:
    return f"within {order.groups:,} prompts" if order.groups else "of any two samples: no prompt has several"


def _describe_side(letter: str, scores: SideScores) -> Html:
    more = [scores.version] if scores.version else []
    more += [f"{component}: {model}" for component, model in scores.models.items()]
    return el("li", el("strong", f"{letter.upper()} {scores.side.name}", class_=f"key {letter}"), " ", ", ".join(more))


def _describe_failures(scores: SideScores) -> Html | None:
    if not scores.errors:
        return None
    codes = Counter(reason.partition(":")[0] for reason in scores.errors.values())
    reasons = ", ".join(f"{count:,} {code}" for code, count in codes.most_common(8))
    first = min(scores.errors)
    return render_note(
        f"{scores.side.name}: {len(scores.errors):,} of {count_of(len(scores.values), 'sample')} without a reward "
        f"({reasons}). "
        f"The first is row {first + 1:,}: {scores.errors[first]}",
        kind="warning",
    )


# Charts


def _draw_distributions(names: Sequence[str], found: Distributions) -> tuple[Chart, Html]:
    shares = [[count / side.n for count in side.counts] for side in (found.a, found.b)]
    unit = "reward, in standard deviations from each mean" if found.standardized else "reward"
    chart = Chart(
        "distribution",
        f"Distribution of the rewards by {names[0]} and {names[1]}",
        unit,
        "share of samples",
        [
            Series(f"{letter.upper()} {name}", "steps", "a" if letter == "a" else "b", found.edges, [*values])
            for letter, name, values in zip("ab", names, shares, strict=True)
        ],
        percent=("y",),
    )
    rows: list[tuple[Content, ...]] = [
        (f"{number(low)} to {number(high)}", share(one), share(other))
        for low, high, one, other in zip(found.edges, found.edges[1:], *shares, strict=False)
    ]
    return chart, render_chart(chart, (unit, *names), *rows)


def _draw_scatter(names: Sequence[str], rows: Sequence[int], a: FloatArray, b: FloatArray) -> tuple[Chart, Html]:
    chosen = [rows[k] for k in spread_evenly(len(rows), POINTS)]
    points = sorted((float(a[row]), float(b[row]), row) for row in chosen)
    shown = f"{len(points):,} of {len(rows):,} samples" if len(points) < len(rows) else count_of(len(rows), "sample")
    chart = Chart(
        "scatter",
        f"Rewards by {names[1]} over those by {names[0]}",
        f"A {names[0]}",
        f"B {names[1]}",
        [Series(shown, "dots", "a", [x for x, _, _ in points], [y for _, y, _ in points])],
        x_range=_range_of([x for x, _, _ in points]),
        y_range=_range_of([y for _, y, _ in points]),
    )
    table: list[tuple[Content, ...]] = [
        (f"{row + 1:,}", number(x), number(y)) for x, y, row in (points[k] for k in spread_evenly(len(points), ROWS))
    ]
    return chart, render_chart(chart, ("row", *names), *table)


def _range_of(values: Sequence[float]) -> tuple[float, float]:
    beside = 0.05 * (max(values) - min(values)) or 0.05 * abs(values[0]) or 1.0
    return min(values) - beside, max(values) + beside


# Disagreements


def _render_disagreements(names: Sequence[str], compared: Compared) -> Html | None:
    found = compared.found.disagreements
    if not found:
        return el("p", "The two rank every sample alike.") if compared.found.rows else None
    left, items = BYTES, []
    for one in found:
        item, used = _render_disagreement(names, one, compared.samples[one.row], left)
        left -= used
        items.append(el("li", item))
    return el(
        "section",
        el("h2", "Largest disagreements"),
        el("p", "By how differently the two rank a sample among all; its texts open.", class_="soft"),
        el("ol", items, class_="flips"),
        aria_label="Largest disagreements",
    )


def render_ranks(names: Sequence[str], found: SideBySide, groups: Sequence[str]) -> Html | None:
    """The largest disagreements about samples whose texts nobody keeps."""
    if not found.disagreements:
        return el("p", "The two rank every sample alike.") if found.rows else None
    rows = [
        (
            el("code", groups[one.row][:12]),
            number(one.a),
            number(one.b),
            share(one.rank_a),
            share(one.rank_b),
            names[0 if one.rank_a > one.rank_b else 1],
        )
        for one in found.disagreements
    ]
    columns = ("prompt", "A", "B", "A above", "B above", "ranks it higher")
    return el(
        "section",
        el("h2", "Largest disagreements"),
        el(
            "p",
            "By how differently the two rank a sample among all. Prompts are known by their group or hash.",
            class_="soft",
        ),
        render_table(columns, *rows),
        aria_label="Largest disagreements",
    )


def _render_disagreement(
    names: Sequence[str], one: Disagreement, sample: dict[str, Any], left: int
) -> tuple[Html, int]:
    """It, and how many characters of texts it shows, of those that are left."""
    prompt, response, reference = (_text_of(sample.get(name)) for name in ("prompt", "response", "reference"))
    texts: list[Html] = []
    used = 0
    for name, text in (("prompt", prompt), ("response", response), ("reference", reference)):
        if text:
            cut = text[: max(0, min(SHOWN, left - used))]
            used += len(cut)
            rest = len(text) - len(cut)
            more = el("p", f"… {rest:,} characters more", class_="soft") if rest else None
            texts += [
                el("h3", name),
                el("pre", cut, tabindex="0", role="region", aria_label=name),
                *([more] if more else []),
            ]
    summary = el(
        "summary",
        el("span", shorten(prompt or response) or f"row {one.row + 1:,}", class_="start"),
        el(
            "span",
            f"A {number(one.a)} (above {share(one.rank_a)}), B {number(one.b)} (above {share(one.rank_b)})",
            class_="both",
        ),
        el(
            "span", f"row {one.row + 1:,}, {names[0 if one.rank_a > one.rank_b else 1]} ranks it higher", class_="where"
        ),
    )
    return el("details", summary, el("div", *texts, class_="texts")), used


def _text_of(value: Any) -> str:
    """A text or messages, as they are read; whatever else a file has there, as Python shows it."""
    if value is None:
        return ""
    try:
        return turns_text(value)
    except (AttributeError, KeyError, TypeError, IndexError):
        return str(value)
