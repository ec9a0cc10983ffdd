"""Ranges of values in words."""

import pytest
from reward_gateway.guide.tables import describe_limits


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"minimum": 0, "maximum": 65_535}, "0 to 65,535"),
        ({"minimum": 1}, "at least 1"),
        ({"maximum": 0.5}, "at most 0.5"),
        ({"exclusiveMinimum": 0, "maximum": 8}, "over 0, at most 8"),
        ({"minimum": 0, "exclusiveMaximum": 1}, "at least 0, under 1"),
        ({"minLength": 1, "maxLength": 64}, "1 to 64 characters"),
        ({"minItems": 2}, "at least 2 entries"),
        ({"anyOf": [{"minimum": 1}, {"type": "null"}]}, "at least 1"),
        ({"type": "string"}, ""),
    ],
)
def test_a_range_is_said_in_words(schema: dict[str, object], said: str) -> None:
    assert describe_limits(schema) == said
