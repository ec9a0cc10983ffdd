"""String tensors: every cut of every request, joined, reads as the rows that were cut."""

from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.backends.encoded_rows import Piece
from reward_gateway.backends.triton.tensors import (
    EMPTY,
    TensorRows,
    frame_texts,
    frame_value,
    join_pieces,
    unframe_values,
)

columns = st.lists(st.binary(max_size=8), min_size=1, max_size=10)


def packed(**values: list[bytes]) -> TensorRows:
    return TensorRows.of(
        {name: [frame_value(value) for value in column] for name, column in values.items()},
        len(next(iter(values.values()))),
    )


@given(st.lists(columns, min_size=1, max_size=4), st.data())
def test_pieces_of_requests_are_joined_in_order(requests: list[list[bytes]], data: st.DataObject) -> None:
    pieces, expected = [], []
    for values in requests:
        start = data.draw(st.integers(0, len(values) - 1))
        stop = data.draw(st.integers(start + 1, len(values)))
        pieces.append(Piece(packed(x=values), start, stop))
        expected += values[start:stop]
    assert unframe_values(join_pieces(pieces)["x"], len(expected)) == expected


def test_a_tensor_that_only_some_requests_fill_is_empty_in_the_others() -> None:
    pieces = [Piece(packed(x=[b"a", b"b"]), 0, 2), Piece(packed(x=[b"c"], y=[b"d"]), 0, 1)]
    joined = join_pieces(pieces)
    assert unframe_values(joined["y"], 3) == [b"", b"", b"d"]
    assert frame_value(b"") == EMPTY


@given(columns, st.integers(1, 12), st.integers(0, 60), st.data())
def test_a_cut_fits_and_is_as_long_as_it_may_be(values: list[bytes], rows: int, room: int, data: st.DataObject) -> None:
    request = packed(x=values)
    start = data.draw(st.integers(0, len(values) - 1))
    stop = request.fit_rows(start, rows, room)
    sizes = [len(value) + 4 for value in values]
    assert start <= stop <= min(start + rows, len(values))
    assert sum(sizes[start:stop]) <= room
    assert stop == min(start + rows, len(values)) or sum(sizes[start : stop + 1]) > room
    if stop > start:
        assert request.count_bytes(start, stop) == sum(sizes[start:stop])


@given(st.binary(max_size=30), st.integers(0, 4))
def test_anything_else_is_refused_or_reads_back_as_itself(tensor: bytes, rows: int) -> None:
    try:
        values = unframe_values(tensor, rows)
    except ValueError:
        return
    assert len(values) == rows
    assert b"".join(map(frame_value, values)) == tensor


@given(st.lists(st.text()))
def test_text_is_utf_8_and_a_lone_surrogate_a_question_mark(texts: list[str]) -> None:
    framed = frame_texts([*texts, "\ud83d!"])
    assert unframe_values(b"".join(framed), len(texts) + 1) == [*(text.encode() for text in texts), b"?!"]
