"""combine/gdpo: the arithmetic is specified in test_groups."""

from typing import Any

import pytest

ITEMS = [
    {"group": "p", "rewards": {"answer": 0.0, "length": -100.0}},
    {"group": "p", "rewards": {"answer": 1.0, "length": -300.0}},
]


def test_components_of_unlike_scale_weigh_as_their_weights_say(call: Any) -> None:
    even = call("combine/gdpo", *ITEMS, eps=0.0, batch=False)
    assert [result["reward"] for result in even] == [pytest.approx(0.0), pytest.approx(0.0)]
    answer_first = call("combine/gdpo", *ITEMS, eps=0.0, batch=False, weights={"length": 0.5})
    assert [result["reward"] for result in answer_first] == [pytest.approx(-(0.5**1.5)), pytest.approx(0.5**1.5)]


def test_an_item_that_lacks_a_component_is_an_error_and_its_neighbours_are_answered(call: Any) -> None:
    *fine, lacking = call("combine/gdpo", *ITEMS, {"group": "p", "rewards": {"answer": 1.0}}, weights={"answer": 3.0})
    assert lacking["error"]["param"] == "rewards.length"
    assert all(result["error"] is None for result in fine)


def test_a_weight_that_names_no_component_is_an_error_of_every_item(call: Any) -> None:
    results = call("combine/gdpo", *ITEMS, weights={"lenght": 1.0})
    assert {result["error"]["param"] for result in results} == {"rewards.lenght"}
