"""audit/representation_distance and audit/mrm_probe (2511.12464)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

OP = "audit/representation_distance"


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"hidden": [1, 1], "centroids": [[0, 0], [4, 5]]}, tau=2.0)
    assert result["details"]["distances"] == pytest.approx([1.4142, 5.0], abs=1e-4)
    assert result["details"]["min_distance"] == result["reward"] == pytest.approx(1.4142, abs=1e-4)
    assert result["details"]["keep"] is True


def test_a_dimension_names_stored_centroids_by_label(call: Any) -> None:
    stored = {"low": [0.0, 0.0], "high": [4.0, 5.0]}
    (result,) = call(OP, {"hidden": [4, 5], "dimension": "helpfulness"}, answers=[stored])
    assert (result["details"]["nearest"], result["reward"]) == ("high", 0)


def test_beyond_the_threshold_it_is_dropped(call: Any) -> None:
    assert call(OP, {"hidden": [141.0], "centroids": [[0.0]]})[0]["details"]["keep"] is False
    assert call(OP, {"hidden": [140.0], "centroids": [[0.0]]})[0]["details"]["keep"] is True


def test_what_cannot_be_measured_is_an_error(call: Any) -> None:
    for broken in call(OP, {"hidden": [1]}, {"hidden": [1], "centroids": []}, {"hidden": [1], "centroids": [[1, 2]]}):
        assert broken["error"]["code"] == "invalid_field"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=2), min_size=1, max_size=4))
def test_never_negative_zero_at_a_centroid_and_free_of_order(call: Any, centroids: list[list[float]]) -> None:
    at, there, back = call(
        OP,
        {"hidden": centroids[0], "centroids": centroids},
        {"hidden": [1, 2], "centroids": centroids},
        {"hidden": [1, 2], "centroids": centroids[::-1]},
    )
    assert at["reward"] == 0
    assert there["reward"] == back["reward"] >= 0


def states(seed: int, gap: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    labels = ["bad", "good"] * 20
    rows = rng.normal(size=(40, 3)) + gap * np.array([[label == "good", 0, 0] for label in labels])
    return {
        "train_hidden": rows[:20].tolist(),
        "train_labels": labels[:20],
        "test_hidden": rows[20:].tolist(),
        "test_labels": labels[20:],
    }


def test_a_probe_tells_apart_what_is_apart(call: Any) -> None:
    apart, mixed = call("audit/mrm_probe", states(0, 12.0), states(0, 0.0), quantile=1.0)
    assert apart["reward"] == apart["details"]["nearest_centroid"] == 1
    assert mixed["reward"] < 0.9
    (kept,) = call(
        OP,
        {"hidden": states(0, 12.0)["test_hidden"][0], "centroids": apart["details"]["centroids"]},
        tau=apart["details"]["threshold"] + 1e-9,
    )
    assert kept["details"]["keep"] is True


def test_a_probe_needs_two_labels_and_one_a_state(call: Any) -> None:
    good = states(1, 1.0)
    for broken in call(
        "audit/mrm_probe",
        {**good, "train_labels": ["bad"] * 20},
        {**good, "test_labels": ["other"] * 20},
        {**good, "train_labels": ["bad"]},
    ):
        assert broken["error"]["code"] == "invalid_field"
