"""score/vendi (2504.15217)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "score/vendi"


def test_the_worked_example(call: Any) -> None:
    assert call(OP, {"kernel": [[1, 0.5], [0.5, 1]]})[0]["reward"] == pytest.approx(1.75477, abs=1e-5)


def test_equal_items_count_once_and_orthogonal_ones_all(call: Any) -> None:
    same, different, one = call(
        OP,
        {"embeddings": [[1, 2], [2, 4], [0.5, 1]]},
        {"embeddings": [[1, 0, 0], [0, 7, 0], [0, 0, -3]]},
        {"embeddings": [[3, 4]]},
    )
    assert same["reward"] == pytest.approx(1)
    assert different["reward"] == pytest.approx(3)
    assert one["reward"] == pytest.approx(1)


def test_contributions_say_what_each_item_adds(call: Any) -> None:
    (result,) = call(OP, {"embeddings": [[1, 0], [1, 0], [0, 1]]}, contributions=True)
    contributions = result["details"]["contributions"]
    assert contributions[2] == max(contributions)
    assert call(OP, {"kernel": [[1]]}, contributions=True)[0]["details"]["contributions"] == [1]


def test_what_is_no_set_is_an_error(call: Any) -> None:
    for broken in call(
        OP,
        {},
        {"embeddings": []},
        {"embeddings": [[0, 0], [1, 0]]},
        {"embeddings": [[1], [1, 2]]},
        {"kernel": [[1, 0.5], [0.2, 1]]},
        {"kernel": [[2]]},
        {"kernel": [[1, 0]]},
    ):
        assert broken["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 1000), st.floats(1e-3, 1e4))
def test_between_one_and_n_and_free_of_order_and_scale(call: Any, n: int, d: int, seed: int, scale: float) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, d)) + 0.01
    plain, other = call(OP, {"embeddings": rows.tolist()}, {"embeddings": (rows[::-1] * scale).tolist()})
    assert 1 - 1e-9 <= plain["reward"] <= n + 1e-9
    assert other["reward"] == pytest.approx(plain["reward"], rel=1e-6)
