"""The report of a red team as a page."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.layout import render_table

from ..redteam.findings import Example, Finding, Share, Verdict
from ..redteam.report import Report
from ..report import Estimate
from ..words import interval, number, share
from .charts import Chart, Colour, Series, render_chart
from .document import render_document
from .parts import render_card, render_facts, render_range, render_section, render_text, shorten

COLOURS: dict[Verdict | None, Colour] = {"falls": "rejected", "unclear": "soft", "holds": "chosen", None: "a"}
_MEANINGS = {
    "falls": "the share of wins is above the limit",
    "unclear": "it may be on either side of the limit",
    "holds": "the share of wins is within the limit",
    "not applicable": "the recipe has nothing that could read it",
}


def render_report(report: Report) -> Html:
    """The page of a report."""
    chart = _draw_effects(report)
    rows = [
        (finding.id, _name_verdict(finding), interval(_estimate(finding.wins)), interval(finding.rise, percent=False))
        for finding in report.attacks
        if finding.rise.value is not None
    ]
    return render_document(
        f"Attacks on {report.tested.reward}",
        [chart] if rows else [],
        el("p", _describe_pairs(report), class_="lead soft"),
        el("div", _render_cards(report), class_="cards"),
        render_section(
            "Wins and rises",
            render_chart(chart, ("attack", "verdict", "wins", "rise"), *rows),
            note="Each point is an attack: how much it raises the reward of a rejected response on average, in "
            "standard deviations of the rewards without an attack, and how often that makes it as good as the chosen "
            "response, where it was worse. An attack may win up to the dashed line.",
        )
        if rows
        else None,
        (
            _render_class(name, list(members), report.tested.max_wins)
            for name, members in groupby(report.attacks, key=lambda finding: finding.attack_class)
        ),
        _render_examples(report.attacks),
        _render_tested(report),
    )


def _describe_pairs(report: Report) -> str:
    tested = report.tested
    left_out = sum(tested.left_out.values())
    more = f" {left_out:,} of {tested.rows:,} rows state no preference." if left_out else ""
    source = tested.file or "built in"
    return (
        f"{tested.pairs:,} pairs ({source}), {len(report.attacks):,} attacks of version {report.attacks_version}.{more}"
    )


def _render_cards(report: Report) -> Iterator[Html]:
    clean, limit = report.clean, share(report.tested.max_wins)
    counts = ((verdict, report.verdicts.get(verdict, 0)) for verdict in ("falls", "unclear", "holds", "not applicable"))
    kinds = (el("p", f"{count:,} {verdict}: {_MEANINGS[verdict]}") for verdict, count in counts if count)
    colour = COLOURS.get(report.verdict, "")
    yield render_card(
        "verdict", report.verdict, *kinds, el("p", f"limit {limit} of wins", class_="soft"), colour=colour
    )
    missing = [f"{count:,} pairs left out: {code}" for code, count in clean.unscored.items()]
    yield render_card(
        "right order without an attack",
        share(clean.ordered.value),
        render_range(_estimate(clean.ordered), "a"),
        el("p", f"{clean.ordered.count:,} of {clean.ordered.of:,} pairs; only these can be won", class_="soft"),
        *(el("p", line, class_="soft") for line in missing),
        colour="a",
    )
    rise = "any, since rewards are 0 or 1" if clean.binary else f"more than {number(clean.delta)} (1 % of it)"
    yield render_card(
        "standard deviation",
        number(clean.std),
        el("p", "of the rewards without an attack", class_="soft"),
        el("p", f"counted as a rise: {rise}", class_="soft"),
    )


def _render_class(name: str, findings: Sequence[Finding], limit: float) -> Html:
    tried = [_render_row(finding, limit) for finding in findings if finding.verdict != "not applicable"]
    untried: dict[str, list[str]] = {}
    for finding in findings:
        if finding.verdict == "not applicable":
            untried.setdefault(finding.reason or "", []).append(finding.id)
    columns = ("attack", "verdict", "wins", "raised", "rise (std)")
    return render_section(
        name.replace("_", " ").capitalize(),
        render_table(columns, *tried) if tried else None,
        (
            el("p", "Not applicable: ", ", ".join(names), f". {reason[:1].upper()}{reason[1:]}.", class_="soft")
            for reason, names in untried.items()
        ),
    )


def _render_row(finding: Finding, limit: float) -> tuple[Content, ...]:
    colour = COLOURS[finding.verdict]
    notes = [finding.reason or "", f"{finding.refused:,} refused by a guard" if finding.refused else ""]
    notes += [f"{count:,} left out: {code}" for code, count in finding.unscored.items()]
    return (
        join(finding.title, *(el("div", note, class_="note") for note in (finding.id, *notes) if note)),
        el("strong", _name_verdict(finding), class_=f"key {colour}"),
        join(
            el("span", f"{finding.wins.count:,} of {finding.wins.of:,}", class_="figure"),
            " ",
            el("span", interval(_estimate(finding.wins)), class_="figure soft"),
            render_range(_estimate(finding.wins), colour, limit),
        ),
        el("span", share(finding.raised.value), class_="figure"),
        el("span", interval(finding.rise, percent=False), class_="figure"),
    )


def _draw_effects(report: Report) -> Chart:
    series = []
    for verdict, colour in COLOURS.items():
        found = sorted(
            (finding.rise.value, finding.wins.value, finding.wins.low, finding.wins.high)
            for finding in report.attacks
            if finding.verdict == verdict and finding.rise.value is not None and finding.wins.value is not None
        )
        if found:
            x, y, low, high = zip(*found, strict=True)
            series.append(Series(verdict or "control", "dots", colour, x, y, low, high))
    rises = [x for one in series for x in one.x if x is not None] or [0.0]
    left, right = min(rises) - 0.2, max(rises) + 0.2
    limit = Series("", "line", "soft", (left, right), (report.tested.max_wins,) * 2)
    return Chart(
        "effects",
        "Share of wins over the mean rise of the reward, by attack",
        "mean rise in standard deviations",
        "share of wins",
        [limit, *series],
        percent=("y",),
        x_range=(left, right),
        y_range=(-0.03, 1.03),
        height=380,
    )


def _render_examples(findings: Sequence[Finding]) -> Html:
    cases = [
        _render_example(finding, example)
        for finding in findings
        if finding.verdict in ("falls", "unclear")
        for example in finding.worst
    ]
    note = "The pairs on which an attack that did not hold did most: those that it won first, then by the rise."
    return render_section("Worst examples", cases or el("p", "There are none."), note=note)


def _render_example(finding: Finding, example: Example) -> Html:
    rewards = (
        f"chosen {number(example.chosen_reward)}",
        f"rejected {number(example.rejected_reward)}",
        f"attacked {number(example.attacked_reward)}",
    )
    summary = el(
        "summary",
        el("span", shorten(example.prompt), class_="excerpt"),
        el("span", "won: " if example.won else "raised: ", ", ".join(rewards), class_="sides"),
        el("span", f"{finding.id}, pair {example.pair}", class_="where"),
    )
    texts = el(
        "div",
        render_text("prompt", example.prompt),
        el(
            "div",
            render_text("chosen", example.chosen, "chosen"),
            render_text("rejected", example.rejected, "rejected"),
            render_text("attacked", example.attacked, "rejected"),
            class_="both",
        ),
        class_="texts",
    )
    return el("details", summary, texts, class_="flip")


def _render_tested(report: Report) -> Html:
    tested = report.tested
    models = [f"{component}: {model}" for component, model in tested.models.items()]
    facts: list[tuple[str, Content]] = [
        ("recipe", join(el("code", tested.recipe_version), *((el("br"), model) for model in models))),
        ("has", ", ".join(report.traits) or "nothing that attacks are made for in particular"),
        ("pairs", tested.file or "built in"),
        ("SHA-256", el("code", tested.sha256)),
        ("layout", tested.layout),
        *((f"left out: {reason}", f"{count:,}") for reason, count in tested.left_out.items()),
        ("service", tested.service),
        (
            "intervals",
            f"95 %: Wilson for shares where each prompt has one pair, else percentile bootstrap over prompts, as for "
            f"mean rises ({tested.resamples:,} draws, seed {tested.seed})",
        ),
        ("date", tested.date),
        ("reward-gateway", tested.gateway_version),
    ]
    return render_section("What was tested", render_facts(facts))


def _name_verdict(finding: Finding) -> str:
    return finding.verdict or "control"


def _estimate(found: Share) -> Estimate:
    return Estimate(found.value, found.low, found.high)
