"""A terminal summary of rewards: histogram, moments, quantiles, and the errors of samples without a reward."""

from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reward_gateway.counted import count_of
from reward_gateway.sample import FloatArray

BINS = 16
WIDTH = 48
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_QUANTILES = {"min": 0.0, "5%": 0.05, "median": 0.5, "95%": 0.95, "max": 1.0}


def draw_bar(share: float, width: int = WIDTH) -> str:
    """A bar of ``share`` (0..1) of ``width`` characters, with a resolution of an eighth of a character."""
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def draw_histogram(rewards: FloatArray) -> Table:
    """Equal bins from the smallest reward to the largest; one bin if all are equal."""
    low, high = float(rewards.min()), float(rewards.max())
    counts, edges = np.histogram(rewards, bins=BINS if high > low else 1, range=(low, high) if high > low else None)
    table = Table("from", "", "samples", box=None, header_style="dim", pad_edge=False)
    for count, edge in zip(counts.tolist(), edges.tolist(), strict=False):
        table.add_row(
            f"{low if high == low else edge:.4g}", Text(draw_bar(count / counts.max()), style="cyan"), f"{count:,}"
        )
    return table


def summarize(reward: str, rewards: Sequence[float], reasons: Mapping[str, int]) -> RenderableType:
    """Summary of a file's rewards.

    Args:
        rewards: rewards of the valid samples.
        reasons: error code -> number of samples without a reward.
    """
    values = np.asarray(rewards, dtype=np.float64)
    lost = sum(reasons.values())
    parts: list[RenderableType] = [
        Text(f"{reward}: {count_of(len(values), 'reward')}, {count_of(lost, 'sample')} without one", style="bold")
    ]
    if len(values):
        moments = {"mean": values.mean(), "std": values.std()}
        quantiles = dict(zip(_QUANTILES, np.quantile(values, list(_QUANTILES.values())).tolist(), strict=True))
        parts += [_line(moments), _line(quantiles), Text(), draw_histogram(values)]
    if lost:
        parts.append(Text("\nwithout a reward:"))
        parts += [Text(f"  {count:,}  {code}") for code, count in sorted(reasons.items(), key=lambda item: -item[1])]
    return Group(*parts)


def _line(numbers: Mapping[str, float]) -> Text:
    return Text("  ".join(f"{name} {value:.4g}" for name, value in numbers.items()))
