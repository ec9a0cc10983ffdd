"""Deadlines: positive, the smallest holds, none over the longest."""

import pytest
from reward_gateway.errors import InvalidRequest
from reward_gateway.settings import Settings
from reward_gateway.traffic.deadlines import deadline_at, parse_milliseconds, seconds_of_milliseconds

SETTINGS = Settings(default_deadline_s=120, max_deadline_s=600)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [((), 120), ((None, None), 120), ((5.0, None), 5), ((5.0, 3.0), 3), ((3.0, 5.0), 3), ((9999.0,), 600)],
)
def test_the_smallest_holds(given: tuple[float | None, ...], seconds: float) -> None:
    assert deadline_at(1000.0, SETTINGS, *given) == 1000.0 + seconds


def test_a_long_deadline_is_not_cut_to_the_default() -> None:
    assert deadline_at(0.0, SETTINGS, 500.0) == 500.0


@pytest.mark.parametrize(
    "text", ["0", "-1", "-0.0", "nan", "inf", "soon", "", "1 s", "1_000", "+5", "1e3", "\u0661", "5.", ".5", "9" * 400]
)
def test_a_deadline_is_a_positive_finite_number(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_milliseconds(text, "x-request-deadline-ms")
    assert refused.value.param == "x-request-deadline-ms"


def test_milliseconds_become_seconds() -> None:
    assert parse_milliseconds("1500", "p") == 1.5
    assert seconds_of_milliseconds(0.5, "p") == 0.0005
