"""The report of an evaluation as a page."""

from collections.abc import Mapping, Sequence

from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.pages.layout import render_table

from ..comparison import Comparison, Rule
from ..report import Difference, Matrix, Report, Reward, TiesSubset
from ..words import interval, number, p_value, points, share, without_score
from .cases import render_flips, render_mistakes
from .document import render_document
from .evaluation_charts import draw_calibration, draw_distributions, draw_lengths
from .parts import render_card, render_facts, render_range, render_section, render_share

_STYLES = ("concise", "detailed", "Markdown")


def render_report(report: Report, comparisons: Sequence[Comparison]) -> Html:
    """The page of a report.

    Args:
        comparisons: those that were measured; the texts of flips and mistakes are theirs.
    """
    rewards = report.rewards
    by_row = {comparison.row + 1: comparison for comparison in comparisons}
    charts, drawn = [], []
    for made, place in (draw_calibration(rewards), draw_lengths(rewards), draw_distributions(rewards)):
        charts += made
        drawn.append(place)
    calibration, lengths, distributions = drawn
    of_two = all(comparison.rule in (Rule.PAIR, Rule.MATRIX) for comparison in comparisons)
    chance = 0.5 if of_two else None
    names = " beside ".join(reward.name for reward in rewards)
    return render_document(
        f"{names} on {report.measured.file}",
        charts,
        el("p", _describe_file(report), class_="lead soft"),
        el(
            "div",
            (_render_headline(reward, key, chance) for reward, key in zip(rewards, "ab", strict=False)),
            class_="cards",
        ),
        _render_difference(report.difference, rewards) if report.difference else None,
        _render_subsets(rewards, chance),
        (_render_ties(reward) for reward in rewards if reward.ties_subset),
        (_render_matrix(reward, key) for reward, key in zip(rewards, "ab", strict=False) if reward.matrix),
        render_section(
            "Calibration",
            calibration,
            note="A pair with a margin m is taken to be right with probability σ(|m|). On the diagonal a reward is "
            "right as often as that; below it, it is too sure. Large points stand for many pairs.",
        ),
        render_section(
            "Length",
            lengths,
            note="Pairs by the difference of lengths, in words of the chosen response less those of the rejected one, "
            "in five groups of equal size. A reward that goes by content is level; one that goes by length rises.",
        ),
        render_section("Scores", distributions, note="How chosen and rejected responses are scored."),
        _render_cases(report, by_row),
        _render_measured(report),
    )


def _describe_file(report: Report) -> str:
    measured = report.measured
    left_out = sum(measured.left_out.values())
    more = f" {left_out:,} of {measured.rows:,} rows without a preference." if left_out else ""
    return f"{measured.comparisons:,} rows of layout {measured.layout}, {measured.prompts:,} prompts.{more}"


def _render_headline(reward: Reward, key: str, chance: float | None) -> Html:
    found = reward.accuracy
    low, high = (share(end).rstrip("%") for end in (found.low, found.high))
    return render_card(
        reward.name,
        share(found.value),
        el("p", f"95 % interval {low} to {high}") if found.low is not None else None,
        render_range(found, key, chance),
        el("p", f"{found.n:,} comparisons, {found.ties:,} ties", class_="soft"),
        el("p", f"{share(reward.subset_mean)} mean over subsets", class_="soft") if _has_parts(reward) else None,
        el("p", without_score(reward), class_="soft"),
        colour=key,
    )


def _has_parts(reward: Reward) -> bool:
    return reward.subset_mean is not None and len(reward.subsets) + (reward.ties_subset is not None) > 1


def _render_difference(found: Difference, rewards: Sequence[Reward]) -> Html:
    a, b = (reward.name for reward in rewards)
    low, high = found.difference.low, found.difference.high
    if low is None or high is None:
        verdict = "The two have no comparison in common."
    elif low > 0 or high < 0:
        verdict = f"{a if low > 0 else b} is right more often."
    else:
        verdict = "Neither is shown to be right more often: the interval of the difference includes 0."
    rows = (
        (f"{a} less {b}", points(found.difference)),
        ("comparisons that both decide", f"{found.n:,}"),
        ("exact McNemar test", f"{p_value(found.mcnemar.p)}"),
        ("right where the other is not", f"{found.mcnemar.a_better:,} {a}, {found.mcnemar.b_better:,} {b}"),
        ("same verdict", interval(found.agreement)),
        ("Cohen's kappa", interval(found.kappa, percent=False)),
        ("flips", f"{len(found.flips):,}"),
    )
    clustered = found.agreement.interval == "bootstrap"
    return render_section(
        "Difference",
        el("p", verdict, class_="verdict"),
        render_facts(rows),
        note="Prompts have several comparisons, which McNemar's test and kappa take as independent: go by the interval."
        if clustered
        else "",
    )


def _render_subsets(rewards: Sequence[Reward], chance: float | None) -> Html | None:
    if not rewards[0].subsets:
        return None
    columns = ("subset", *(reward.name for reward in rewards), "n", "ties")
    rows: list[tuple[Content, ...]] = []
    for k, subset in enumerate(rewards[0].subsets):
        found = [reward.subsets[k].accuracy for reward in rewards]
        cells = [render_share(accuracy, key, chance) for accuracy, key in zip(found, "ab", strict=False)]
        counts = [" / ".join(dict.fromkeys(f"{getattr(one, name):,}" for one in found)) for name in ("n", "ties")]
        rows.append((subset.name, *cells, *counts))
    note = (
        f"n comparisons each. Lines are 95 % intervals on 0 to 100 %{'; the mark is chance, 50 %' if chance else ''}."
    )
    return render_section("Subsets", render_table(columns, *rows), note=note)


def _render_ties(reward: Reward) -> Html:
    found = reward.ties_subset
    assert found is not None
    return render_section(f"Subset Ties, {reward.name}", render_facts(_list_ties(found)), note=TiesSubset.__doc__ or "")


def _list_ties(found: TiesSubset) -> Sequence[tuple[str, Content]]:
    return (
        ("score", interval(found.score)),
        ("tied accuracy", share(found.tied_accuracy)),
        ("reference accuracy", share(found.reference_accuracy)),
        ("correctness preferred", share(found.correctness_preferred)),
        ("correctness preferred, hard", share(found.correctness_preferred_hard)),
        ("margin score", number(found.margin_score)),
        ("prompts", f"{found.prompts:,}"),
    )


def _render_matrix(reward: Reward, key: str) -> Html:
    found: Matrix | None = reward.matrix
    assert found is not None
    rows = [
        (f"chosen {style}", *(interval(cell) for cell in row)) for style, row in zip(_STYLES, found.cells, strict=True)
    ]
    levels = (("hard", found.hard), ("normal", found.normal), ("easy", found.easy))
    return render_section(
        f"Styles, {reward.name}",
        render_table(("level", "accuracy"), *((name, render_share(level, key, 0.5)) for name, level in levels)),
        el("h3", "By style"),
        render_table(("", *(f"rejected {style}" for style in _STYLES)), *rows),
        note="hard: the rejected response is of the richer style; easy: the chosen one is; normal: both have the same.",
    )


def _render_cases(report: Report, comparisons: Mapping[int, Comparison]) -> Html:
    names = [reward.name for reward in report.rewards]
    if report.difference is not None:
        return render_flips(report.difference.flips, names, comparisons)
    return render_mistakes(report.rewards[0].mistakes, comparisons)


def _render_measured(report: Report) -> Html:
    measured = report.measured
    facts: list[tuple[str, Content]] = [
        ("file", measured.file),
        ("SHA-256", el("code", measured.sha256)),
        ("layout", measured.layout),
        ("rows", f"{measured.rows:,}"),
        *((f"left out: {reason}", f"{count:,}") for reason, count in measured.left_out.items()),
        ("service", measured.service),
    ]
    for reward in report.rewards:
        models = [f"{component}: {model}" for component, model in reward.models.items()]
        version = join(el("code", reward.recipe_version), *((el("br"), model) for model in models))
        facts.append((f"recipe {reward.name}", version))
        facts.append((f"left out of {reward.name}", f"{reward.excluded:,} comparisons; {without_score(reward)}"))
    facts += [
        ("ties", "count half" if measured.ties == "half" else "count as wrong"),
        *([("minimum accuracy", share(measured.min_accuracy))] if measured.min_accuracy is not None else []),
        (
            "intervals",
            f"95 %: Wilson where each prompt gives one comparison, else percentile bootstrap over prompts "
            f"({measured.resamples:,} draws, seed {measured.seed})",
        ),
        ("date", measured.date),
        ("reward-gateway", measured.gateway_version),
    ]
    return render_section("What was measured", render_facts(facts))
