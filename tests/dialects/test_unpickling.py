"""A pickle from a stranger is read, and nothing in it is run."""

import io
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.errors import MalformedBody
from reward_gateway.http.dialects.unpickling import load_plain

from tests.clock import little_work

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)


@given(PLAIN, st.integers(0, 5))
def test_plain_values_come_out_as_they_went_in(value: Any, protocol: int) -> None:
    if (
        protocol < 3
        and b"_codecs" not in pickle.dumps(value, protocol)
        and b"__builtin__" in pickle.dumps(value, protocol)
    ):
        return  # empty bytes of old protocols are a call of bytes()
    assert load_plain(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "array",
    [
        np.array(["a kite", "ü"]),
        np.array(["x"], dtype=object),
        np.array([1.5, -2.0]),
        np.array([1, 2], dtype=">i4"),
        np.array([True, False]),
        np.array([b"ab", b"c"]),
    ],
)
def test_arrays_become_lists(array: Any, protocol: int) -> None:
    assert load_plain(pickle.dumps({"prompts": array}, protocol)) == {"prompts": array.tolist()}


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(3), np.bool_(True), np.str_("text")])
def test_scalars_become_numbers_and_texts(value: Any) -> None:
    assert load_plain(pickle.dumps(value)) == value.item()


class Runs:
    """A pickle that calls something when it is read."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.call, self.args = call, args

    def __reduce__(self) -> Any:
        return self.call, self.args


def _global(name: str) -> bytes:
    module, _, attribute = name.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


@pytest.mark.parametrize(
    "body",
    [
        pickle.dumps(Runs(eval, "1")),
        pickle.dumps(Runs(print, "x")),
        pickle.dumps(Runs(getattr, "x", "upper")),
        pickle.dumps(io.BytesIO(b"x")),
        pickle.dumps(np.zeros((2, 2))),
        pickle.dumps(np.array([1 + 1j])),
        b"",
        b"not a pickle",
        b"\x80\x04",
        _global("os.system") + b"(S'true'\ntR.",
        _global("numpy.load") + b"(S'/etc/passwd'\ntR.",
        _global("numpy.core.multiarray._reconstruct") + b"(N}S'__code__'\nNsb.",
        _global("numpy.core.multiarray._reconstruct") + b"}S'_call'\nNsb.",
        _global("numpy.dtype") + b"(S'V999999999'\ntR.",
        _global("numpy.dtype") + b"(S'O'\ntRN(I1\nS'x'\ntb.",
        b"P1\n.",
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        load_plain(body)


def test_a_pickle_cannot_reserve_what_it_does_not_hold() -> None:
    with little_work(seconds=3.0):
        load_plain(b"\x80\x04Nr" + struct.pack("<I", 2**32 - 1) + b".")  # a memo of four thousand million places
        array = _global("numpy.core.multiarray._reconstruct") + b"(tR(I1\n(I1000000000000\nt"
        for body in (
            b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",
            array + _global("numpy.dtype") + b"(S'O'\ntRI00\n]tb.",
            array + _global("numpy.dtype") + b"(S'f8'\ntRI00\nC\x08aaaaaaaatb.",
        ):
            with pytest.raises(MalformedBody):
                load_plain(body)
