"""transform/group_normalise, zscore and rank: the arithmetic itself is specified in test_groups."""

from typing import Any

import pytest
from reward_gateway.operations.registry import catalog

PAIR = [{"reward": 1.0, "group": "p"}, {"reward": 0.0, "group": "p"}]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean", [0.5, -0.5, 0.0]),
        ("rloo", [1.0, -1.0, 0.0]),
        ("rank", [1.0, 0.0, 0.5]),
        ("minmax", [1.0, 0.0, 0.0]),
        ("none", [1.0, 0.0, 7.0]),
    ],
)
def test_each_way_compares_an_item_with_its_group_only(call: Any, how: str, expected: list[float]) -> None:
    results = call("transform/group_normalise", *PAIR, {"reward": 7.0, "group": "alone"}, how=how)
    assert [result["reward"] for result in results] == expected


def test_the_default_is_the_sample_z_score_of_grpo(call: Any) -> None:
    results = call("transform/group_normalise", *PAIR)
    assert results[0]["reward"] == pytest.approx(0.5 / (0.5**0.5 + 1e-6))
    (high, _) = call("transform/group_normalise", *PAIR, eps=0.0, spread="population")
    assert high["reward"] == 1.0


def test_an_item_without_a_group_is_that_items_error(call: Any) -> None:
    fine, _, lost = call("transform/group_normalise", *PAIR, {"reward": 1.0}, how="mean")
    assert fine["reward"] == 0.5
    assert lost["error"]["param"] == "group"


def test_z_score_and_rank_compare_all_items_of_the_request(call: Any) -> None:
    items = [{"reward": value} for value in (2.0, 4.0, 6.0)]
    assert [r["reward"] for r in call("transform/zscore", *items, eps=0.0)] == [-1.0, 0.0, 1.0]
    assert [r["reward"] for r in call("transform/rank", *items)] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("name", ["group_normalise", "zscore", "rank"])
def test_the_catalogue_says_that_neighbours_matter(name: str) -> None:
    operation = catalog().get("transform", name)
    assert operation is not None
    assert operation.grouped
