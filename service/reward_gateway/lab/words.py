"""Figures as people read them: with their intervals, and short."""

from .report import Accuracy, Estimate, Reward

NONE = "–"


def share(value: float | None) -> str:
    """A share in percent."""
    return NONE if value is None else f"{value:.1%}"


def number(value: float | None) -> str:
    """A number with three significant digits, with a real minus sign."""
    return NONE if value is None else f"{value:.3g}".replace("-", "−")


def interval(found: Accuracy | Estimate, *, percent: bool = True) -> str:
    """A figure and its interval: 71.2% (69.1 to 73.2)."""
    if found.value is None:
        return NONE
    main = share(found.value) if percent else number(found.value)
    if found.low is None or found.high is None:
        return main
    low, high = (f"{end:.1%}".rstrip("%") if percent else number(end) for end in (found.low, found.high))
    return f"{main} ({low} to {high})".replace("-", "−")


def points(found: Estimate) -> str:
    """A difference of shares in percentage points, with its interval: +11.5 points (9.1 to 14.0)."""
    if found.value is None:
        return NONE
    main = f"{100 * found.value:+.1f} points"
    around = "" if found.low is None or found.high is None else f" ({100 * found.low:.1f} to {100 * found.high:.1f})"
    return (main + around).replace("-", "−")


def p_value(p: float) -> str:
    """A p-value."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def without_score(reward: Reward) -> str:
    """How many samples have no score, and why."""
    if not reward.invalid:
        return "every sample has a score"
    reasons = ", ".join(f"{count:,} {code}" for code, count in reward.reasons.items())
    return f"{reward.invalid:,} of {reward.samples:,} samples without a score ({reasons})"
