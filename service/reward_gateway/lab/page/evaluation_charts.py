"""The charts of an evaluation: reliability, accuracy by length difference, and score distributions."""

from collections.abc import Sequence

from reward_gateway.pages.html import Content, Html, el, join

from ..report import Reward
from ..words import interval, number, share
from .charts import Chart, Colour, Series, render_chart
from .parts import render_facts

Drawn = tuple[list[Chart], Html]
KEYS: tuple[Colour, Colour] = ("a", "b")


def draw_calibration(rewards: Sequence[Reward]) -> Drawn:
    """The reliability plot: accuracy over confidence."""
    series, rows = [Series("", "line", "soft", (0.5, 1.0), (0.5, 1.0))], []
    for reward, colour in zip(rewards, KEYS, strict=False):
        bins = [one for one in reward.calibration.bins if one.n]
        label = f"{reward.name}, ECE {share(reward.calibration.ece)}"
        x, y = [one.confidence for one in bins], [one.accuracy for one in bins]
        series.append(Series(label, "points", colour, x, y, sizes=[one.n for one in bins]))
        rows += [
            (reward.name, f"{one.low:.2f} to {one.high:.2f}", f"{one.n:,}", share(one.confidence), share(one.accuracy))
            for one in bins
        ]
    lowest = min((y for one in series for y in one.y if y is not None), default=0.5)
    chart = Chart(
        "calibration",
        f"Accuracy over confidence of {_names(rewards)}",
        "confidence σ(|margin|)",
        "accuracy",
        series,
        percent=("x", "y"),
        x_range=(0.48, 1.02),
        y_range=(min(0.45, lowest - 0.05), 1.03),
        height=380,
    )
    return [chart], render_chart(chart, ("reward", "confidence", "pairs", "mean confidence", "accuracy"), *rows)


def draw_lengths(rewards: Sequence[Reward]) -> Drawn:
    """Accuracy by fifths of the length difference, with intervals; the slopes stand below."""
    series, rows = [], []
    for reward, colour in zip(rewards, KEYS, strict=False):
        found = [(fifth.mean, fifth.accuracy) for fifth in reward.length.fifths]
        series.append(
            Series(
                reward.name,
                "points",
                colour,
                [x for x, _ in found],
                [one.value for _, one in found],
                [one.low for _, one in found],
                [one.high for _, one in found],
            )
        )
        rows += [
            (reward.name, f"{fifth.low:+.0f} to {fifth.high:+.0f}", f"{fifth.accuracy.n:,}", interval(fifth.accuracy))
            for fifth in reward.length.fifths
        ]
    lowest = min((y for one in series for y in one.low if y is not None), default=0.5)
    means = [x for one in series for x in one.x if x is not None]
    beside = 0.05 * (max(means) - min(means)) or 1.0 if means else 1.0
    chart = Chart(
        "length",
        f"Accuracy by length difference of {_names(rewards)}",
        "length difference in words, chosen less rejected",
        "accuracy",
        series,
        percent=("y",),
        x_range=(min(means) - beside, max(means) + beside) if means else (-1.0, 1.0),
        y_range=(max(-0.03, min(0.45, lowest - 0.05)), 1.03),
    )
    slopes = [(reward.name, _describe_slope(reward)) for reward in rewards if reward.length.slope.value is not None]
    place = render_chart(chart, ("reward", "words", "pairs", "accuracy"), *rows)
    return [chart], join(place, el("h3", "Margin per 100 words") if slopes else None, render_facts(slopes))


def _describe_slope(reward: Reward) -> str:
    slope = reward.length.slope
    if slope.low is None or slope.high is None:
        return interval(slope, percent=False)
    shown = "goes up with length" if slope.low > 0 else "goes down with length" if slope.high < 0 else "includes 0"
    return f"{interval(slope, percent=False)}: {shown}"


def draw_distributions(rewards: Sequence[Reward]) -> Drawn:
    """One chart per reward: their scales differ."""
    charts, places = [], []
    for reward, key in zip(rewards, KEYS, strict=False):
        found = reward.distribution
        sides: tuple[tuple[Colour, Sequence[int]], ...] = (
            ("chosen", found.chosen.counts),
            ("rejected", found.rejected.counts),
        )
        series = [Series(side, "steps", side, found.edges, counts) for side, counts in sides]
        chart = Chart(
            f"scores-{key}",
            f"Scores of chosen and rejected responses by {reward.name}",
            f"score by {reward.name}",
            "responses",
            series,
            y_range=(0.0, 1.08 * max(1, *found.chosen.counts, *found.rejected.counts)),
        )
        rows: list[tuple[Content, ...]] = []
        for name, moments in (("chosen", found.chosen), ("rejected", found.rejected)):
            middle = [moments.quantiles.get(q) for q in ("0", "0.05", "0.5", "0.95", "1")]
            rows.append((name, f"{moments.n:,}", *map(number, (moments.mean, moments.std, *middle))))
        charts.append(chart)
        places.append(
            render_chart(chart, ("responses", "n", "mean", "std", "min", "5 %", "median", "95 %", "max"), *rows)
        )
    return charts, el("div", places, class_="plots")


def _names(rewards: Sequence[Reward]) -> str:
    return " and ".join(reward.name for reward in rewards)
