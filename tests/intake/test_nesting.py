"""JSON nesting on the bytes: the same depth that a parser would find."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.nesting import check_nesting, nesting

LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text('[]{}"\\ab', max_size=8)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"', max_size=3), inner, max_size=3)
)


def depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 0


@given(VALUES)
def test_the_depth_is_that_of_the_value(value: Any) -> None:
    assert nesting(json.dumps(value).encode()) == depth(value)


@given(VALUES, st.integers(0, 6), st.integers(0, 3))
def test_the_check_refuses_exactly_what_is_deeper(value: Any, limit: int, above: int) -> None:
    data = json.dumps(value).encode()
    if depth(value) + above > limit and depth(value) > 0:
        with pytest.raises(InvalidRequest):
            check_nesting(data, limit, above=above)
    elif depth(value) + above <= limit:
        check_nesting(data, limit, above=above)


def test_a_long_string_of_brackets_and_escapes_is_read_in_one_go() -> None:
    assert nesting(b'["' + b'\\"[{' * 200_000 + b'"]') == 1


def test_many_strings_are_read_in_little_memory() -> None:
    data = b"[" + b'"ab",' * 2_000_000 + b'[""]]'
    tracemalloc.start()
    assert nesting(data) == 2
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * len(data)
