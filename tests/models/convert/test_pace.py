"""Slow steps of a conversion say how far they are."""

from collections.abc import Callable

import pytest
from reward_models.convert.pace import tell_pace


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that moves on by that much from look to look."""
    looks = iter(range(1_000))
    return lambda: next(looks) * seconds


def test_a_line_every_two_seconds_says_what_is_left() -> None:
    told: list[str] = []
    assert list(tell_pace("abcdef", "rows by torch", told.append, ticking(1.0))) == list("abcdef")
    assert told == [
        "1 of 6 rows by torch, about 10 s left",
        "3 of 6 rows by torch, about 4 s left",
        "5 of 6 rows by torch, about 1 s left",
    ]


@pytest.mark.parametrize("rows", ["", "a", "abcdef"])
def test_what_is_quick_says_nothing(rows: str) -> None:
    told: list[str] = []
    assert list(tell_pace(rows, "rows", told.append, ticking(0.1))) == list(rows)
    assert told == []
