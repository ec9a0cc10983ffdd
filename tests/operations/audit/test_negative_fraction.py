"""audit/negative_fraction (after 2511.16073)."""

from typing import Any

import pytest

OP = "audit/negative_fraction"


def test_the_share_of_negative_rewards(call: Any) -> None:
    (result,) = call(OP, {"rewards": [-1, 0, 2, -0.5]})
    assert result["reward"] == 0.5
    assert result["details"]["alarm"] is False


def test_a_window_looks_at_the_last_ones(call: Any) -> None:
    (result,) = call(OP, {"rewards": [1, 1, -1, -1], "classes": ["A", "B", "R", "R"]}, window=2)
    assert result["reward"] == 1
    assert result["details"] == {"count": 2, "class_rates": {"R": 1.0}, "alarm": True}


def test_one_class_always_rings_even_where_rewards_are_fine(call: Any) -> None:
    (result,) = call(OP, {"rewards": [1, 1], "classes": ["REJECTED", "REJECTED"]})
    assert result["details"]["alarm"] is True


@pytest.mark.parametrize("item", [{"rewards": []}, {"rewards": [1], "classes": []}])
def test_nothing_to_count_is_an_error(call: Any, item: dict[str, Any]) -> None:
    assert call(OP, item)[0]["error"]["code"] == "invalid_field"
