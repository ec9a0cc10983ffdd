"""What may be stored: finite numbers, vectors of one size, JSON."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.errors import InvalidRequest
from reward_gateway.state.values import (
    check_mapping,
    check_numbers,
    check_reference_rewards,
    check_vectors,
    encode_set,
)


@pytest.mark.parametrize("value", [[], [1, -2.5], (0.0,), [np.float64(1.5)]])
def test_a_list_of_finite_numbers_becomes_floats(value: Any) -> None:
    found = check_numbers(value, "rewards")
    assert found == [float(entry) for entry in value]
    assert all(type(entry) is float for entry in found)


@pytest.mark.parametrize("value", ["12", b"12", None, 1.0, {1.0: 2}, [True], ["1"], [None], [float("nan")], [np.inf]])
def test_anything_else_is_no_list_of_numbers(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^rewards: ") as refused:
        check_numbers(value, "rewards")
    assert refused.value.param == "value"


@pytest.mark.parametrize("value", [[], "a", None, {1: 2}, {"a": 1, None: 2}])
def test_an_object_has_texts_as_keys(value: Any) -> None:
    assert check_mapping({"a": value}, "labels") == {"a": value}
    with pytest.raises(InvalidRequest, match=r"^labels: ") as refused:
        check_mapping(value, "labels")
    assert refused.value.param == "value"


def test_references_are_lists_of_numbers_by_group() -> None:
    assert check_reference_rewards({"p": [1, 2.5], "q": []}) == {"p": [1.0, 2.5], "q": []}
    for wrong in ([1.0], {"p": 1.0}, {"p": ["1"]}):
        with pytest.raises(InvalidRequest, match=r"^references: "):
            check_reference_rewards(wrong)


def test_a_set_is_written_as_compact_json() -> None:
    assert encode_set({"a": [1, 2.5, None]}) == '{"a":[1,2.5,null]}'
    for wrong in (float("nan"), {1, 2}, [float("inf")]):
        with pytest.raises(InvalidRequest) as refused:
            encode_set(wrong)
        assert refused.value.param == "value"


@pytest.mark.parametrize("value", [[[1, 2], [3, 4]], np.array([[1.0, 2.0], [3.0, 4.0]])])
def test_vectors_of_one_size_are_a_matrix(value: Any) -> None:
    found = check_vectors(value, "archive")
    assert found.dtype == np.float64
    assert found.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("value", [[], np.empty((0, 0)), np.empty((0, 3)), np.empty(0)])
def test_no_vectors_have_no_size(value: Any) -> None:
    assert check_vectors(value, "archive").shape == (0, 0)


@pytest.mark.parametrize(
    "value",
    [
        [1.0, 2.0],
        [[]],
        [[1.0], [1.0, 2.0]],
        [[float("nan")]],
        [["a"]],
        [[[1.0]]],
        np.empty((0, 2, 2)),
        None,
        {},
        "",
        1.0,
    ],
)
def test_anything_else_is_no_list_of_vectors(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^archive: ") as refused:
        check_vectors(value, "archive")
    assert refused.value.param == "value"
