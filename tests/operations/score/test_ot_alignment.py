"""score/ot_alignment (2602.01624)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "score/ot_alignment"
COST = [[0, 1], [1, 0]]


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"cost": COST, "attention": [[0.6, 0.4], [0.5, 0.5]]})
    plan = np.array(result["details"]["plan"])
    assert np.diag(plan) == pytest.approx([0.51858] * 2, abs=1e-5)
    assert plan[0, 1] == pytest.approx(1.07e-9, rel=1e-2)
    assert result["reward"] == pytest.approx(1.0372, abs=1e-4)
    assert np.array(result["details"]["attention"]) == pytest.approx(np.eye(2), abs=1e-6)


def test_a_constant_cost_is_no_cost(call: Any) -> None:
    constant, zero = call(OP, {"cost": [[3, 3], [3, 3]]}, {"cost": [[0, 0], [0, 0]]})
    assert constant == zero
    assert np.ptp(constant["details"]["plan"]) == pytest.approx(0)


def test_balanced_transport_moves_everything(call: Any) -> None:
    (result,) = call(OP, {"cost": COST}, mass=1.0)
    assert result["reward"] == pytest.approx(1.0)


def test_a_row_without_attention_follows_the_plan(call: Any) -> None:
    (result,) = call(OP, {"cost": COST, "attention": [[0, 0], [1, 1]]})
    assert result["details"]["attention"][0] == pytest.approx([1, 0], abs=1e-6)


def test_the_cost_is_built_from_embeddings_times_and_positions(call: Any) -> None:
    item = {
        "text_embeddings": [[1, 0], [0, 1]],
        "video_embeddings": [[1, 0], [0, 1]],
        "attention": [[1, 0], [0, 1]],
        "times": [0, 1],
        "positions": [[0, 0], [1, 1]],
    }
    (built,) = call(OP, item)
    assert np.array(built["details"]["plan"]) == pytest.approx(np.eye(2) * 0.51858, abs=1e-5)


def test_what_cannot_be_aligned_is_an_error(call: Any) -> None:
    for broken in call(
        OP,
        {},
        {"cost": []},
        {"cost": [[1], [1, 2]]},
        {"cost": COST, "attention": [[1, 1]]},
        {"cost": COST, "attention": [[1, -1], [1, 1]]},
        {"text_embeddings": [[0, 0]], "video_embeddings": [[1, 0]]},
        {"text_embeddings": [[1, 0]], "video_embeddings": [[1, 0, 0]]},
        {"text_embeddings": [[1, 0]], "video_embeddings": [[1, 0]], "times": [0]},
    ):
        assert broken["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000), st.sampled_from([1.0, 1e4]))
def test_finite_positive_and_equivariant_to_the_order_of_patches(
    call: Any, n: int, m: int, seed: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    cost, attention = rng.normal(size=(n, m)) * scale, rng.random((n, m))
    order = rng.permutation(m)
    plain, moved = call(
        OP,
        {"cost": cost.tolist(), "attention": attention.tolist()},
        {"cost": cost[:, order].tolist(), "attention": attention[:, order].tolist()},
    )
    plan = np.array(plain["details"]["plan"])
    assert np.isfinite(plan).all()
    assert (plan >= 0).all()
    assert np.array(moved["details"]["plan"]) == pytest.approx(plan[:, order], rel=1e-6, abs=1e-9)
    assert np.array(plain["details"]["attention"]).sum(axis=1) == pytest.approx(np.ones(n))
