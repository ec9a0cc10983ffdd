"""Why a sample is kept: a choice by chance, or one of the extremes of its recipe."""

from typing import Literal, get_args

Kind = Literal["reservoir", "top", "bottom", "flagged", "invalid", "spread", "disagreement"]
"""``reservoir``: any sample with the same chance. ``top``, ``bottom``: the highest and lowest rewards. ``flagged``,
``invalid``: by chance of these. ``spread``: best and worst of the groups whose rewards differ most. ``disagreement``:
where components contradict each other most."""

KINDS: tuple[Kind, ...] = get_args(Kind)

Mark = Literal["good", "bad", "hack"]

MARKS: tuple[Mark, ...] = get_args(Mark)

RESERVOIR = "reservoir"
"""The set of the reservoir, of all recipes."""

MARKED = "marked"
"""The set of what somebody has looked at and marked."""
