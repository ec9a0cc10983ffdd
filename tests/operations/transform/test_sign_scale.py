"""transform/sign_scale (2312.09238)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "transform/sign_scale"


@pytest.mark.parametrize(
    ("sparse", "dense", "expected"),
    [(0, 0.37, 0.1), (-5, 2, -0.9), (3, 4, 1.1), (0, 0, 0), (-1, -1, -1.1), (1e4, -1e-4, 0.9)],
)
def test_the_worked_examples(call: Any, sparse: float, dense: float, expected: float) -> None:
    assert call(OP, {"sparse": sparse, "dense": dense})[0]["reward"] == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(0.1, 10))
def test_only_signs_count_and_they_are_odd(call: Any, sparse: float, dense: float, scale: float) -> None:
    plain, scaled, mirrored = call(
        OP,
        {"sparse": sparse, "dense": dense},
        {"sparse": sparse * scale, "dense": dense * scale},
        {"sparse": -sparse, "dense": -dense},
    )
    if min(abs(sparse), abs(dense)) > 1e-300:
        assert plain == scaled
    assert mirrored["reward"] == -plain["reward"]
    assert any(abs(plain["reward"]) == pytest.approx(value) for value in (0, 0.1, 0.9, 1, 1.1))
