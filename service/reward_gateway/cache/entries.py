"""Conversion of entries to stored bytes and to arrays.

A stored value is a version byte, the flags (uint32), K float32 numbers, all little-endian, and a CRC-32 over the key
and everything before it: a damaged value, or one that belongs to another key, is never read as a score. The CRC of a
text followed by its own CRC is a constant, so the check is one pass over the value.
"""

from collections.abc import Sequence
from operator import itemgetter
from struct import Struct
from zlib import crc32

import numpy as np

from reward_gateway.cache.port import Entry
from reward_gateway.sample import FloatArray

VERSION = 1
_STORED, _READ = np.dtype("<f4"), np.dtype(np.float64)
_head = Struct("<BI")
_tail = Struct("<I")
_RESIDUE = 0x2144DF1C
_values_of = itemgetter(0)
_OVERHEAD = _head.size + _tail.size


def encode_entry(key: bytes, entry: Entry) -> bytes:
    """The bytes that are stored under an entry's key."""
    body = _head.pack(VERSION, entry.flags) + entry.values
    return body + _tail.pack(crc32(body, crc32(key)))


def decode_entry(key: bytes, value: bytes) -> Entry | None:
    """The entry stored under a key; None if the value is damaged or belongs to another key."""
    size = len(value) - _OVERHEAD
    if size <= 0 or size % 4 or value[0] != VERSION or crc32(value, crc32(key)) != _RESIDUE:
        return None
    return Entry(value[_head.size : -_tail.size], _head.unpack_from(value)[1])


def decode_entries(keys: Sequence[bytes], values: Sequence[bytes | None]) -> tuple[list[Entry | None], int]:
    """Stored values as entries, and the number of values that were present but unreadable."""
    entries = [None if value is None else decode_entry(key, value) for key, value in zip(keys, values, strict=True)]
    return entries, entries.count(None) - values.count(None)


def unpack_entries(entries: Sequence[Entry | None], width: int) -> FloatArray:
    """The numbers of looked-up entries as an array.

    Args:
        width: K, the model's numbers per sample; an entry with another count is a miss.

    Returns:
        [n, K] float64, NaN in the rows that were not found.
    """
    size = 4 * width
    readable = [entry[0] for entry in entries if entry is not None and len(entry[0]) == size]
    found = np.array(np.frombuffer(b"".join(readable), _STORED), _READ).reshape(-1, width)
    if len(readable) == len(entries):
        return found
    is_found = np.array([entry is not None and len(entry[0]) == size for entry in entries], np.bool_)
    values = np.full((len(entries), width), np.nan)
    values[is_found] = found
    return values


def unpack_found(entries: Sequence[Entry], width: int) -> FloatArray:
    """The numbers of entries that are all there, K each, as :func:`unpack_entries` returns them."""
    return np.array(np.frombuffer(b"".join(map(_values_of, entries)), _STORED), _READ).reshape(-1, width)


def pack_entries(values: FloatArray, flags: Sequence[int] | None = None) -> list[Entry]:
    """Entries of [n, K] numbers. The numbers came from a model as float32, so storing them as float32 loses nothing."""
    data, size = values.astype("<f4").tobytes(), 4 * values.shape[1]
    starts = range(0, len(data), size)
    if flags is None:
        return [Entry(data[start : start + size]) for start in starts]
    return [Entry(data[start : start + size], bits) for start, bits in zip(starts, flags, strict=True)]
