"""Entries as bytes in a store, and as numbers again.

A stored value is a version byte, the flags (uint32), K float32 numbers, all little-endian, and a CRC-32 over the key
and all of it: a value that was damaged, or that belongs to another key, is not taken for a score. The CRC of a text
followed by its own CRC is a constant, so checking is one pass over the value.
"""

from collections.abc import Sequence
from struct import Struct
from zlib import crc32

import numpy as np

from reward_gateway.cache.port import Entry
from reward_gateway.sample import BoolArray, FloatArray

VERSION = 1
_head = Struct("<BI")
_tail = Struct("<I")
_RESIDUE = 0x2144DF1C
_OVERHEAD = _head.size + _tail.size


def encode(key: bytes, entry: Entry) -> bytes:
    """The stored form of an entry under its key."""
    body = _head.pack(VERSION, entry.flags) + entry.values
    return body + _tail.pack(crc32(body, crc32(key)))


def decode(key: bytes, value: bytes) -> Entry | None:
    """An entry from what is stored under its key; None if that is anything else."""
    size = len(value) - _OVERHEAD
    if size <= 0 or size % 4 or value[0] != VERSION or crc32(value, crc32(key)) != _RESIDUE:
        return None
    return Entry(value[_head.size : -_tail.size], _head.unpack_from(value)[1])


def decode_many(keys: Sequence[bytes], values: Sequence[bytes | None]) -> tuple[list[Entry | None], int]:
    """Stored values as entries, and how many were there and could not be read."""
    entries = [None if value is None else decode(key, value) for key, value in zip(keys, values, strict=True)]
    return entries, entries.count(None) - values.count(None)


def unpack(entries: Sequence[Entry | None], width: int) -> tuple[FloatArray, BoolArray]:
    """Numbers of looked-up entries.

    Args:
        width: K, the numbers that the model gives; an entry with any other number of them is a miss.

    Returns:
        [n, K] float64, NaN in the rows that were not found; and [n] bool, True where one was found.
    """
    size = 4 * width
    found = np.fromiter((entry is not None and len(entry[0]) == size for entry in entries), np.bool_, len(entries))
    values = np.full((len(entries), width), np.nan)
    data = b"".join([entry[0] for entry in entries if entry is not None and len(entry[0]) == size])
    values[found] = np.frombuffer(data, "<f4").reshape(-1, width)
    return values, found


def pack(values: FloatArray, flags: Sequence[int] | None = None) -> list[Entry]:
    """Entries of [n, K] numbers that came as float32, so that nothing is lost."""
    data = np.ascontiguousarray(values, "<f4").tobytes()
    size = 4 * values.shape[1]
    ends = range(size, len(data) + 1, size)
    if flags is None:
        return [Entry(data[end - size : end]) for end in ends]
    return [Entry(data[end - size : end], bits) for end, bits in zip(ends, flags, strict=True)]
