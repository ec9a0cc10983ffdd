"""combine/gdpo: the arithmetic is specified in test_groups."""

import math
from typing import Any

import pytest

ITEMS = [
    {"group": "p", "rewards": {"answer": 0.0, "length": -100.0}},
    {"group": "p", "rewards": {"answer": 1.0, "length": -300.0}},
]


def test_components_of_unlike_scale_weigh_as_their_weights_say(call: Any) -> None:
    even = call("combine/gdpo", *ITEMS, batch=False)
    assert [result["reward"] for result in even] == [pytest.approx(0.0), pytest.approx(0.0)]
    answer_first = call("combine/gdpo", *ITEMS, batch=False, weights={"length": 0.5})
    assert [result["reward"] for result in answer_first] == [pytest.approx(-(0.5**1.5)), pytest.approx(0.5**1.5)]


@pytest.mark.parametrize("scale", [1.0, 3.0, 1e9])
def test_components_that_cancel_each_other_leave_no_advantage_of_rounding(call: Any, scale: float) -> None:
    items = [{"group": "p", "rewards": {"a": a, "b": b}} for a, b in ((100.0, 0.0), (0.0, 1.0))]
    results = call("combine/gdpo", *items, weights={"a": scale, "b": scale})
    assert [result["reward"] for result in results] == [0.0, 0.0]


def test_members_equal_up_to_rounding_are_a_tie(call: Any) -> None:
    items = [{"group": "p", "rewards": {"a": a, "b": b}} for a, b in ((0.1 + 0.2, 0.0), (0.3, 1.0))]
    results = call("combine/gdpo", *items, batch=False)
    assert [result["reward"] for result in results] == pytest.approx([-math.sqrt(0.5), math.sqrt(0.5)])


def test_the_released_code_adds_eps_to_every_standard_deviation(call: Any) -> None:
    items = [{"group": "p", "rewards": {"a": a}} for a in (0.0, 1.0)]
    once = 0.5 / (math.sqrt(0.5) + 0.1)
    twice = once / (math.sqrt(2) * once + 0.1)
    for variant, batch, expected in (
        ("released", False, once),
        ("released", True, twice),
        ("paper", False, math.sqrt(0.5)),
        ("paper", True, math.sqrt(0.5)),
    ):
        results = call("combine/gdpo", *items, variant=variant, batch=batch, eps=0.1)
        assert [result["reward"] for result in results] == pytest.approx([-expected, expected]), (variant, batch)


def test_an_item_that_lacks_a_component_is_an_error_and_its_neighbours_are_answered(call: Any) -> None:
    *fine, lacking = call("combine/gdpo", *ITEMS, {"group": "p", "rewards": {"answer": 1.0}}, weights={"answer": 3.0})
    assert lacking["error"]["param"] == "rewards.length"
    assert all(result["error"] is None for result in fine)


def test_a_weight_that_names_no_component_is_an_error_of_every_item(call: Any) -> None:
    results = call("combine/gdpo", *ITEMS, weights={"lenght": 1.0})
    assert {result["error"]["param"] for result in results} == {"rewards.lenght"}
