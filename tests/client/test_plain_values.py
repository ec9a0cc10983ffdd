"""What trainers hold (numpy, tensors, objects of clients) as the JSON that it means."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from reward_gateway.client.plain_values import to_plain


class Tensor:
    """torch's tensor, as far as it is looked at."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> "Tensor":
        return self

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self._values

    def tolist(self) -> Any:
        return self._values.tolist()


class Brain:
    """A tensor of a type that numpy does not have."""

    def tolist(self) -> list[float]:
        return [0.5]

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Got unsupported ScalarType BFloat16")


class Dumped:
    """A message of a client's library."""

    def model_dump(self) -> dict[str, Any]:
        return {"name": "f", "arguments": np.array(["a"])}


@dataclass
class Call:
    """The same as a dataclass."""

    name: str
    sizes: Any = field(default_factory=lambda: np.arange(2))


SEVERAL = np.empty(2, object)
SEVERAL[:] = [np.array(["a"]), {"n": np.float32(0.1)}]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(72), 72),
        (np.uint8(7), 7),
        (np.bool_(True), True),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), 0.1),
        (np.float16(0.1), 0.1),
        (np.str_("Paris"), "Paris"),
        (np.datetime64("2026-11-29"), "2026-11-29"),
        (np.array(72), 72),
        (np.array("Paris", object), "Paris"),
        (np.array([1, 2]), [1, 2]),
        (np.array([[0.1], [0.2]], np.float32), [[0.1], [0.2]]),
        (np.array(["Paris", "paris"]), ["Paris", "paris"]),
        (np.array([], object), []),
        (SEVERAL, [["a"], {"n": 0.1}]),
        ({"target": np.array(["Paris"]), 3: (np.int32(1), None)}, {"target": ["Paris"], "3": [1, None]}),
        (Tensor([1, 2]), [1, 2]),
        (Tensor(np.float32(0.1)), 0.1),
        (Brain(), [0.5]),
        ([Dumped(), Call("g")], [{"name": "f", "arguments": ["a"]}, {"name": "g", "sizes": [0, 1]}]),
    ],
)
def test_a_value_is_what_it_means(value: Any, plain: Any) -> None:
    found = to_plain(value)
    assert (found, type(found)) == (plain, type(plain))
    assert json.loads(json.dumps(found)) == found


@given(arrays.arrays(st.sampled_from([np.int8, np.uint64, np.float32, np.float64, bool]), arrays.array_shapes()))
def test_an_array_is_the_list_of_its_values(array: Any) -> None:
    found = np.array(to_plain(array), array.dtype)
    assert found.shape == array.shape
    assert np.array_equal(found, array, equal_nan=array.dtype.kind == "f")
    json.dumps(to_plain(array))
