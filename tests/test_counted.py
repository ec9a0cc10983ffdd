"""Counts in sentences."""

import pytest
from reward_gateway.counted import count_of


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 recipes"), (1, "1 recipe"), (2, "2 recipes"), (1024, "1,024 recipes")]
)
def test_a_count_agrees_with_its_noun(number: int, said: str) -> None:
    assert count_of(number, "recipe") == said
