"""score/graphia_dst and score/graphia_edge."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

DST, EDGE = "score/graphia_dst", "score/graphia_edge"
EXAMPLE: dict[str, Any] = {
    "candidates": [3, 7, 9, 12],
    "gt": [7, 12, 20],
    "gnn_probs": [0.9, 0.8, 0.4, 0.2],
    "dx_src": 2,
    "step": 250,
    "format_ok": True,
    "similarity": 0.42,
}


def reward(call: Any, reward_type: str, *, bonus: bool = False, **changes: Any) -> float:
    [result] = call(DST, {**EXAMPLE, **changes}, reward_type=reward_type, format_bonus=bonus, mu_sim=0.3, sigma_sim=0.1)
    assert result["error"] is None, result
    return float(result["reward"])


@pytest.mark.parametrize(
    ("reward_type", "expected"),
    [
        ("overlap", 2.0),
        ("5_overlap", 10.0),
        ("hit", 1.0),
        ("weight", 18.0),
        ("gnn", 1.82),
        ("gnn_curriculum", 6.82),
        ("gnn_curriculum_reverse", 1.82 + 3.5 * 2),
        ("gnn_weight", 11.82),
        ("likr", 0.5 + 0.5 * 0.42),
    ],
)
def test_every_kind_of_reward(call: Any, reward_type: str, expected: float) -> None:
    assert reward(call, reward_type) == pytest.approx(expected)


def test_five_times_the_overlap_plus_the_format_is_the_default(call: Any) -> None:
    [result] = call(DST, EXAMPLE)
    assert result["reward"] == 11.0
    assert result["details"]["gnn"] == pytest.approx(1.82)
    assert result["details"]["a"] == 2.5


def test_text_that_does_not_parse_scores_nothing_at_all(call: Any) -> None:
    for kind in ("5_overlap", "gnn_curriculum", "weight"):
        assert reward(call, kind, bonus=True, format_ok=False) == 0.0


def test_duplicates_collapse(call: Any) -> None:
    assert reward(call, "overlap", candidates=[7, 7, 7, 7]) == 1.0
    assert reward(call, "weight", gt=[7, 7, 12, 20]) == 18.0


def test_an_empty_side_has_no_ratio_and_no_similarity(call: Any) -> None:
    assert reward(call, "weight", gt=[]) == 0.0
    assert reward(call, "weight", candidates=[], gnn_probs=[]) == 0.0


@pytest.mark.parametrize(("similarity", "expected"), [(0.0, -23.0), (0.25, 1.0), (0.3, 6.0)])
def test_the_weighted_reward_is_cut_towards_zero(call: Any, similarity: float, expected: float) -> None:
    # 20/3 + 100 (s - 0.3), cut
    assert reward(call, "weight", similarity=similarity) == expected


def test_without_ground_truth_the_graph_network_judges_alone(call: Any) -> None:
    for kind in ("gnn_curriculum", "gnn_curriculum_reverse", "gnn_weight"):
        assert reward(call, kind, gt=None) == pytest.approx(1.82)


def test_similarity_may_come_as_features(call: Any) -> None:
    features: dict[str, Any] = {"candidate_features": [[1.0, 0.0], [0.0, 1.0]], "gt_features": [[0.42, 0.42]]}
    assert reward(call, "weight", similarity=None, **features) == 18.0


@pytest.mark.parametrize(
    ("reward_type", "changes", "word"),
    [
        ("gnn", {"gnn_probs": [0.1]}, "gnn_probs"),
        ("gnn", {"gnn_probs": None}, "gnn_probs"),
        ("gnn", {"dx_src": None}, "dx_src"),
        ("gnn", {"dx_src": -1}, "dx_src"),
        ("gnn_curriculum", {"step": None}, "step"),
        ("overlap", {"gt": None}, "gt"),
        ("weight", {"similarity": None}, "similarity"),
    ],
)
def test_a_missing_part_is_the_items_error(call: Any, reward_type: str, changes: dict[str, Any], word: str) -> None:
    bad, fine = call(DST, {**EXAMPLE, **changes}, EXAMPLE, reward_type=reward_type, mu_sim=0.3, sigma_sim=0.1)
    assert word in bad["error"]["message"]
    assert fine["error"] is None


def test_the_weighted_reward_needs_its_statistics(call: Any) -> None:
    with pytest.raises(InvalidRequest, match="mu_sim"):
        call(DST, EXAMPLE, reward_type="weight")


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_the_two_curricula_share_six_overlaps(call: Any, ours: list[int], true: list[int], step: int) -> None:
    item = {"candidates": ours, "gt": true, "gnn_probs": [0.5] * len(ours), "dx_src": 1, "step": step}
    [up] = call(DST, item, reward_type="gnn_curriculum", format_bonus=False)
    [down] = call(DST, item, reward_type="gnn_curriculum_reverse", format_bonus=False)
    gnn, overlap = up["details"]["gnn"], up["details"]["overlap"]
    assert up["reward"] + down["reward"] == pytest.approx(2 * gnn + 6 * overlap)
    assert overlap <= min(len(set(ours)), len(set(true)))


def test_an_edge_is_its_probability_plus_the_weighted_truth(call: Any) -> None:
    right, wrong, unknown = call(
        EDGE,
        {"label": "reply", "gt": "reply", "gnn_prob": 0.7, "step": 50},
        {"label": "reply", "gt": "follow", "gnn_prob": 0.7, "step": 50},
        {"label": "reply", "gnn_prob": 0.7},
    )
    assert right["reward"] == pytest.approx(1.7)
    assert wrong["reward"] == unknown["reward"] == 0.7


@pytest.mark.parametrize(("step", "weight"), [(0, 1.0), (100, 1.0), (250, 2.5), (500, 5.0), (9999, 5.0)])
def test_the_weight_of_the_truth_grows_from_1_to_5(call: Any, step: int, weight: float) -> None:
    item = {"label": 1, "gt": 1, "gnn_probs": {"1": 0.5, "2": 0.5}, "step": step}
    assert call(EDGE, item)[0]["reward"] == pytest.approx(0.5 + weight)
    assert call(EDGE, item, reward_type="gnn_curriculum_reverse")[0]["reward"] == pytest.approx(0.5 + 6 - weight)


def test_an_edge_that_does_not_parse_scores_nothing(call: Any) -> None:
    [result] = call(EDGE, {"label": "x", "gt": "x", "gnn_prob": 0.9, "step": 1, "format_ok": False})
    assert result["reward"] == 0.0


@pytest.mark.parametrize(
    ("reward_type", "item"),
    [
        ("gnn", {"label": "x"}),
        ("correct", {"label": "x", "gnn_prob": 0.2}),
        ("gnn_curriculum", {"label": "x", "gt": "x", "gnn_prob": 0.2}),
    ],
)
def test_an_edge_without_what_its_kind_needs_is_an_error(call: Any, reward_type: str, item: dict[str, Any]) -> None:
    [result] = call(EDGE, item, reward_type=reward_type)
    assert "needs" in result["error"]["message"]
