"""score/repetition_penalty and distinct_ngrams."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LAWS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def of(call: Any, name: str, *responses: str, **params: Any) -> list[float]:
    return [result["reward"] for result in call(f"score/{name}", *({"response": r} for r in responses), **params)]


def test_the_penalty_is_the_share_of_ngrams_that_return(call: Any) -> None:
    # "a b a b a": pairs ab ba ab ba, 2 of 4 have occurred before.
    assert of(call, "repetition_penalty", "a b A b a", "a b c d", "a", "", n=2, max_penalty=3.0) == [
        -1.5,
        0.0,
        0.0,
        0.0,
    ]


def test_distinct_ngrams_are_the_other_share(call: Any) -> None:
    assert of(call, "distinct_ngrams", "a b a b a", "a b c", "a", "") == [0.5, 1.0, 0.0, 0.0]


@given(text=st.text(alphabet="ab ", max_size=60), n=st.integers(1, 4))
@LAWS
def test_both_stay_within_their_bounds_and_saying_it_twice_never_helps(call: Any, text: str, n: int) -> None:
    once, twice = of(call, "repetition_penalty", text, text + " " + text, n=n)
    assert -1.0 < twice <= 0.0
    if len(text.split()) >= n:
        (distinct,) = of(call, "distinct_ngrams", text, n=n)
        assert distinct == pytest.approx(1.0 + once)
        assert 0.0 < distinct <= 1.0
