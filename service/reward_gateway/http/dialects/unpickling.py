"""Pickles from strangers, read without running anything: plain values, and numpy's arrays as lists.

A pickle is a program; this one may only build bytes, texts, numbers, booleans, None, lists, tuples, sets and dicts.
Numpy's constructors are replaced by readers of their arguments, everything else that a pickle names is refused.
Python's own unpickler in Python is used, whose memory grows with the body alone: the one in C can be told to reserve
gigabytes.
"""

import io
import pickle
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from reward_gateway.errors import MalformedBody

_DTYPE = re.compile(r"(?:\?|b1|[iuf][1248]|[US]\d{1,6}|O8?)")


def loads(body: bytes) -> Any:
    """The value of a pickle.

    Raises:
        MalformedBody: it is none, or names something that is not read here.
    """
    try:
        return _Reader(io.BytesIO(body)).load()
    except Exception:  # a hostile pickle can make any of them
        raise MalformedBody("the body is no pickle of plain values (bytes, text, numbers, lists, dicts)") from None


class _Opaque:
    """Something that a pickle may call and never change."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError


class _Kind:
    """A numpy dtype: its letters, and the byte order that its state tells."""

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
    """A numpy array of one dimension, as a list; its state is read, nothing is reserved."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, _, raw = state
        values = raw if isinstance(raw, list) else np.frombuffer(raw, kind.dtype).tolist()
        if len(shape) != 1 or len(values) != shape[0]:
            raise pickle.UnpicklingError
        self[:] = values


def _scalar(kind: _Kind, raw: bytes) -> Any:
    return np.frombuffer(raw, kind.dtype).tolist()[0]


def _latin(text: str, encoding: str) -> bytes:
    """How old protocols write bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError
    return text.encode("latin-1")


def _from_buffer(raw: bytes, kind: _Kind, shape: Any, order: str) -> _Array:
    """How protocol 5 writes arrays."""
    array = _Array()
    array.__setstate__((1, tuple(shape), kind, order == "F", bytes(raw)))
    return array


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _latin,
    ("__builtin__", "bytes"): lambda: b"",
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): lambda *_: _Array(),
    **{
        (f"numpy.{core}.multiarray", name): make
        for core in ("core", "_core")
        for name, make in (("_reconstruct", lambda *_: _Array()), ("scalar", _scalar))
    },
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}


class _Reader(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _Opaque(_KNOWN[module, name])
