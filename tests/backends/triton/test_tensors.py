"""String tensors: every cut of every request, joined, reads as the rows that were cut."""

from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.backends.encoded_rows import Piece
from reward_gateway.backends.triton.tensors import (
    TensorRows,
    encode_texts,
    frame_value,
    frame_values,
    join_pieces,
    unframe_values,
)

columns = st.lists(st.binary(max_size=8), min_size=1, max_size=10)


def packed(**values: list[bytes]) -> TensorRows:
    return TensorRows.of(values, len(next(iter(values.values()))))


@given(st.lists(columns, min_size=1, max_size=4), st.data())
def test_pieces_of_requests_are_joined_in_order(requests: list[list[bytes]], data: st.DataObject) -> None:
    pieces, expected = [], []
    for values in requests:
        start = data.draw(st.integers(0, len(values) - 1))
        stop = data.draw(st.integers(start + 1, len(values)))
        pieces.append(Piece(packed(x=values), start, stop))
        expected += values[start:stop]
    assert join_pieces(pieces)["x"] == expected


def test_a_tensor_that_only_some_requests_fill_is_empty_in_the_others() -> None:
    pieces = [Piece(packed(x=[b"a", b"b"]), 0, 2), Piece(packed(x=[b"c"], y=[b"d"]), 0, 1)]
    assert join_pieces(pieces) == {"x": [b"a", b"b", b"c"], "y": [b"", b"", b"d"]}


@given(st.lists(st.binary(max_size=300)), st.lists(st.binary(max_size=300)))
def test_a_size_is_that_of_all_framed_values(first: list[bytes], second: list[bytes]) -> None:
    size = min(len(first), len(second))
    request = packed(x=first[:size], y=second[:size])
    assert request.size == size
    for start in range(size):
        sent = join_pieces([Piece(request, start, size)]).values()
        assert request.count_bytes(start, size) == sum(len(b"".join(frame_values(values))) for values in sent)


@given(st.lists(st.binary(max_size=300)))
def test_framed_values_read_back(values: list[bytes]) -> None:
    tensor = b"".join(frame_values(values))
    assert tensor == b"".join(map(frame_value, values))
    assert unframe_values(tensor, len(values)) == values


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
    assert encode_texts(texts) == [text.encode() for text in texts]
    assert encode_texts([*texts, "\ud83d!"]) == [*(text.encode() for text in texts), b"?!"]
