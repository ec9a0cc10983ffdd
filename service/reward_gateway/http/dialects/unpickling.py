"""Untrusted pickles, read without executing anything: plain values, and numpy's arrays as lists.

A pickle is a program; here it may only build bytes, texts, numbers, booleans, None, lists, tuples, sets and dicts.
Numpy's constructors are replaced by readers of their arguments; every other global is refused. The unpickler is the
one written in Python, whose memory is bounded by the size of the body: the C one can be made to allocate gigabytes.
"""

import io
import pickle
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from reward_gateway.errors import MalformedBody

_DTYPE = re.compile(r"(?:\?|b1|[iuf][1248]|[US]\d{1,6}|O8?)")


def load_plain(body: bytes) -> Any:
    """Read the value of a pickle.

    Raises:
        MalformedBody: it is not a pickle, or it names a global that is not allowed.
    """
    try:
        return _Reader(io.BytesIO(body)).load()
    except Exception:  # a malicious pickle can raise any exception
        raise MalformedBody("the body is not a pickle of plain values (bytes, text, numbers, lists, dicts)") from None


class _Opaque:
    """A callable whose state a pickle cannot change."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError


class _Kind:
    """A numpy dtype: its type code, and the byte order from its state."""

    __slots__ = ("_order", "_text")

    def __init__(self, text: Any, *_: Any) -> None:
        if not isinstance(text, str) or not _DTYPE.fullmatch(text):
            raise pickle.UnpicklingError
        self._text = text
        self._order: Literal["<", ">", "="] = "="

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        self._order = order if order in ("<", ">", "=") else "="

    @property
    def dtype(self) -> "np.dtype[Any]":
        return np.dtype(self._text).newbyteorder(self._order)


class _Array(list[Any]):
    """A one-dimensional numpy array as a list, read from its state without allocating its shape."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, _, raw = state
        values = raw if isinstance(raw, list) else np.frombuffer(raw, kind.dtype).tolist()
        if len(shape) != 1 or len(values) != shape[0]:
            raise pickle.UnpicklingError
        self[:] = values


def _read_scalar(kind: _Kind, raw: bytes) -> Any:
    return np.frombuffer(raw, kind.dtype).tolist()[0]


def _encode_latin1(text: str, encoding: str) -> bytes:
    """How protocols before 3 encode bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError
    return text.encode("latin-1")


def _array_from_buffer(raw: bytes, kind: _Kind, shape: Any, order: str) -> _Array:
    """How protocol 5 encodes arrays."""
    array = _Array()
    array.__setstate__((1, tuple(shape), kind, order == "F", bytes(raw)))
    return array


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _encode_latin1,
    ("__builtin__", "bytes"): lambda: b"",
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): lambda *_: _Array(),
    **{
        (f"numpy.{core}.multiarray", name): make
        for core in ("core", "_core")
        for name, make in (("_reconstruct", lambda *_: _Array()), ("scalar", _read_scalar))
    },
    **{(f"numpy.{core}.numeric", "_frombuffer"): _array_from_buffer for core in ("core", "_core")},
}


class _Reader(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _Opaque(_KNOWN[module, name])
