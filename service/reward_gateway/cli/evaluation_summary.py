"""The report of an evaluation on a terminal."""

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reward_gateway.counted import count_of
from reward_gateway.lab.report import Accuracy, Difference, Matrix, Report, Reward, TiesSubset
from reward_gateway.lab.words import NONE, interval, number, p_value, points, share, without_score

from .histogram import draw_bar

BAR, SHORT_BAR = 20, 5
_STYLES = ("concise", "detailed", "Markdown")


def summarize_report(report: Report) -> RenderableType:
    """What was measured, and the figures of each reward side by side."""
    measured, rewards = report.measured, report.rewards
    left_out = sum(measured.left_out.values())
    more = f"; {left_out:,} of {measured.rows:,} rows without a preference" if left_out else ""
    size = f"{measured.comparisons:,} rows of layout {measured.layout}, {measured.prompts:,} prompts"
    parts: list[RenderableType] = [Text(f"{measured.file}: {size}{more}", style="bold"), Text(), _figures(rewards)]
    if report.difference is not None:
        parts += [Text(), *_difference(report.difference, rewards)]
    if any(reward.subsets for reward in rewards):
        parts += [Text("\naccuracy by subset"), _subsets(rewards)]
    for reward in rewards:
        if reward.ties_subset is not None:
            parts.append(Text(f"\n{reward.name}, subset Ties by its rule: {_ties_subset(reward.ties_subset)}"))
        if reward.matrix is not None:
            parts += [
                Text(f"\n{reward.name}: accuracy by style (row: chosen, column: rejected)"),
                _matrix(reward.matrix),
            ]
    parts += [Text("\naccuracy by length difference (words, chosen less rejected)")]
    parts += [_fifths(reward, len(rewards) > 1) for reward in rewards]
    parts.append(Text())
    parts += [Text(f"{reward.name}: recipe {reward.recipe_version}; {without_score(reward)}") for reward in rewards]
    return Group(*parts)


def _figures(rewards: Sequence[Reward]) -> Table:
    rows: dict[str, Callable[[Reward], str]] = {
        "accuracy": lambda reward: interval(reward.accuracy),
        "comparisons": lambda reward: f"{reward.accuracy.n:,}, {reward.accuracy.ties:,} ties",
        "mean over subsets": lambda reward: share(reward.subset_mean) if len(reward.subsets) > 1 else NONE,
        "hard": lambda reward: interval(reward.matrix.hard) if reward.matrix else NONE,
        "normal": lambda reward: interval(reward.matrix.normal) if reward.matrix else NONE,
        "easy": lambda reward: interval(reward.matrix.easy) if reward.matrix else NONE,
        "calibration error": lambda reward: share(reward.calibration.ece),
        "margin per 100 words": lambda reward: interval(reward.length.slope, percent=False),
        "without a score": lambda reward: (
            f"{reward.invalid:,} of {count_of(reward.samples, 'sample')}" if reward.invalid else NONE
        ),
    }
    table = Table("", *(reward.name for reward in rewards), box=None, header_style="bold", pad_edge=False)
    for name, cell in rows.items():
        cells = [cell(reward) for reward in rewards]
        if any(text != NONE for text in cells):
            table.add_row(name, *cells)
    return table


def _difference(found: Difference, rewards: Sequence[Reward]) -> list[RenderableType]:
    a, b = (reward.name for reward in rewards)
    better = f"{found.mcnemar.a_better:,} better by {a}, {found.mcnemar.b_better:,} by {b}"
    return [
        Text(f"{a} less {b}: {points(found.difference)} on {found.n:,} comparisons", style="bold"),
        Text(f"McNemar, exact: {p_value(found.mcnemar.p)}, {better}"),
        Text(
            f"the same verdict: {interval(found.agreement)}; Cohen's kappa {interval(found.kappa, percent=False)}; "
            f"{len(found.flips):,} flips"
        ),
    ]


def _subsets(rewards: Sequence[Reward]) -> Table:
    names = (reward.name for reward in rewards) if len(rewards) > 1 else ("",)
    table = Table("", *names, "comparisons", box=None, header_style="dim", pad_edge=False)
    for k, subset in enumerate(rewards[0].subsets):
        found = [reward.subsets[k].accuracy for reward in rewards]
        counts = " / ".join(dict.fromkeys(f"{one.n:,}" for one in found))
        table.add_row(subset.name, *(_bar(one, BAR if len(rewards) == 1 else SHORT_BAR) for one in found), counts)
    return table


def _bar(found: Accuracy, width: int = BAR) -> Text:
    return Text.assemble((draw_bar(found.value or 0, width).ljust(width), "cyan"), " ", interval(found), no_wrap=True)


def _ties_subset(found: TiesSubset) -> str:
    return (
        f"{interval(found.score)} (tied {share(found.tied_accuracy)}, reference {share(found.reference_accuracy)}, "
        f"preferred {share(found.correctness_preferred)}, hard {share(found.correctness_preferred_hard)}, "
        f"margin {number(found.margin_score)}; {found.prompts:,} prompts)"
    )


def _matrix(found: Matrix) -> Table:
    table = Table("", *_STYLES, box=None, header_style="dim", pad_edge=False)
    for name, row in zip(_STYLES, found.cells, strict=True):
        table.add_row(name, *(share(cell.value) for cell in row))
    return table


def _fifths(reward: Reward, named: bool) -> Table:
    table = Table(reward.name if named else "", "", "comparisons", box=None, header_style="dim", pad_edge=False)
    for fifth in reward.length.fifths:
        table.add_row(f"{fifth.low:+.0f} to {fifth.high:+.0f}", _bar(fifth.accuracy), f"{fifth.accuracy.n:,}")
    return table
