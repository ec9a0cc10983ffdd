"""transform/affine."""

from typing import Any

import pytest


def test_scales_then_shifts(call: Any) -> None:
    results = call("transform/affine", {"reward": 2.0}, {"reward": -1.0}, scale=3.0, shift=1.0)
    assert [result["reward"] for result in results] == [7.0, -2.0]


def test_an_item_without_a_reward_has_its_own_error_and_its_neighbour_is_answered(call: Any) -> None:
    missing, fine = call("transform/affine", {}, {"reward": 1.0})
    assert missing["error"]["code"] == "missing_field"
    assert missing["error"]["param"] == "reward"
    assert fine["reward"] == 1.0


def test_a_text_where_a_number_stands_refuses_the_request_with_its_place(call: Any) -> None:
    from reward_gateway.errors import InvalidRequest

    with pytest.raises(InvalidRequest) as refused:
        call("transform/affine", {"reward": 1.0}, {"reward": "high"})
    assert refused.value.param == "items[1].reward"
