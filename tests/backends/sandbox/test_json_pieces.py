"""JSON in pieces is the JSON of one call."""

import json
from typing import Any

import pytest
from reward_gateway.backends.sandbox.json_pieces import encode_json


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"a": {}, "b": [[], [{}]], "ü": None},
        list(range(2500)),
        [*range(1500), [1], {"a": [True, 2.5, "x"]}],
        {"language": "python", "input": [{"frame": [0.5] * 2000, "name": "\ud800"}] * 1200},
        ("pair", {"of": ("tuples",)}),
        "text",
        10**30,
    ],
)
def test_pieces_are_what_one_call_writes(value: Any) -> None:
    assert encode_json(value) == json.dumps(value).encode()
