"""Entries as bytes and as numbers: nothing is lost, nothing foreign is taken in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.cache.entries import (
    decode_entries,
    decode_entry,
    encode_entry,
    pack_entries,
    unpack_entries,
    unpack_found,
)
from reward_gateway.cache.port import Entry

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
entries = st.builds(
    Entry,
    st.lists(floats, min_size=1, max_size=4).map(lambda v: np.array(v, "<f4").tobytes()),
    st.integers(0, 2**32 - 1),
)


@given(st.binary(max_size=40), entries)
def test_an_entry_survives_the_store(key: bytes, entry: Entry) -> None:
    assert decode_entry(key, encode_entry(key, entry)) == entry


@given(st.binary(max_size=40), st.binary(max_size=40), entries)
def test_an_entry_belongs_to_its_key(key: bytes, other: bytes, entry: Entry) -> None:
    assert key == other or decode_entry(other, encode_entry(key, entry)) is None


@given(entries, st.data())
def test_a_flipped_bit_is_noticed(entry: Entry, data: st.DataObject) -> None:
    value = bytearray(encode_entry(b"key", entry))
    bit = data.draw(st.integers(0, 8 * len(value) - 1))
    value[bit // 8] ^= 1 << bit % 8
    assert decode_entry(b"key", bytes(value)) is None


@given(st.binary(max_size=60))
def test_anything_else_is_no_entry(value: bytes) -> None:
    assert decode_entry(b"key", value) is None


def test_what_cannot_be_read_is_counted_apart_from_what_is_missing() -> None:
    good = encode_entry(b"a", Entry(b"1234"))
    assert decode_entries([b"a", b"b", b"c"], [good, None, b"junk"]) == ([Entry(b"1234"), None, None], 1)


@given(st.lists(st.none() | st.lists(floats, min_size=2, max_size=2), max_size=8))
def test_numbers_come_back_as_they_were(rows: list[list[float] | None]) -> None:
    packed = [None if row is None else pack_entries(np.array([row]))[0] for row in rows]
    values = unpack_entries(packed, 2)
    assert np.isnan(values).all(axis=1).tolist() == [row is None for row in rows]
    for row, value in zip(rows, values.tolist(), strict=True):
        assert row is None or value == row


def test_an_entry_of_another_width_is_a_miss() -> None:
    values = unpack_entries([Entry(b"1234"), Entry(b"12345678")], 2)
    assert np.isnan(values).tolist() == [[True, True], [False, False]]


def test_flags_travel_with_their_rows() -> None:
    packed = pack_entries(np.array([[1.0], [2.0]]), [0, 5])
    assert packed == [Entry(np.float32(1).tobytes(), 0), Entry(np.float32(2).tobytes(), 5)]


def test_an_entry_without_a_number_is_none() -> None:
    assert decode_entries([b"key"], [encode_entry(b"key", Entry(b""))]) == ([None], 1)


def test_an_entry_has_no_flags_unless_it_is_said() -> None:
    assert Entry(b"\x00\x00\x80\x3f").flags == 0


def test_entries_that_are_all_there_have_the_same_numbers() -> None:
    values = np.array([[1.0, -2.5], [np.inf, 0.1], [3.0, 4.0]])
    entries = pack_entries(values)
    assert unpack_found(entries, 2).tolist() == unpack_entries(entries, 2).tolist() == values.astype("<f4").tolist()
    assert unpack_found([], 2).shape == unpack_entries([], 2).shape == (0, 2)
