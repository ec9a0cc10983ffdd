"""score/set_fad (2504.15217)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

OP = "score/set_fad"


def test_the_worked_example_from_stored_statistics(call: Any) -> None:
    half = float(np.sqrt(0.5))
    stored = {"mean": [1.0], "cov": [[4.0]]}
    (result,) = call(OP, {"embeddings": [[-half], [half]], "reference": "exemplars/v1"}, answers=[stored])
    assert result["reward"] == pytest.approx(-2.0)
    assert result["details"]["fad"] == pytest.approx(2.0)


def test_a_set_is_at_distance_zero_from_itself_even_when_singular(call: Any) -> None:
    rows = [[1.0, 2.0, 3.0], [2.0, 1.0, 0.0]]
    (result,) = call(OP, {"embeddings": rows, "reference_embeddings": rows})
    assert result["reward"] == pytest.approx(0, abs=1e-9)
    assert result["details"]["flags"] == ["singular_covariance"]


def test_single_items_are_compared_by_their_place(call: Any) -> None:
    (result,) = call(OP, {"embeddings": [[0.0, 0.0]], "reference_embeddings": [[3.0, 4.0]]})
    assert result["reward"] == pytest.approx(-25)


def test_a_stored_reference_may_be_embeddings(call: Any) -> None:
    (result,) = call(OP, {"embeddings": [[0.0], [2.0]], "reference": "x"}, answers=[[[0.0], [2.0]]])
    assert result["reward"] == pytest.approx(0, abs=1e-9)


def test_no_reference_and_unequal_dimensions_are_errors(call: Any) -> None:
    for broken in call(
        OP,
        {"embeddings": [[1.0]]},
        {"embeddings": [], "reference_embeddings": [[1.0]]},
        {"embeddings": [[1.0]], "reference_embeddings": [[1.0, 2.0]]},
    ):
        assert broken["error"]["code"] == "invalid_field"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 3), st.sampled_from([1.0, 1e3]))
def test_equal_to_the_textbook_formula_symmetric_and_never_negative(call: Any, seed: int, d: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(8, d)) * scale, rng.normal(size=(9, d)) * 2 + 1
    there, back = call(
        OP,
        {"embeddings": a.tolist(), "reference_embeddings": b.tolist()},
        {"embeddings": b.tolist(), "reference_embeddings": a.tolist()},
    )
    ca, cb = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    cross = np.trace(np.atleast_2d(sqrtm(ca @ cb)).real)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca) + np.trace(cb) - 2 * cross
    assert -there["reward"] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert back["reward"] == pytest.approx(there["reward"], rel=1e-6, abs=1e-6)
    assert there["reward"] <= 0
