"""How a job is cut, and a piece that has cost too many workers divided."""

import orjson
from reward_gateway.jobs.pieces import Cut, Piece, cut_places, decode_piece, encode_pieces, join_pieces


def make_samples(n: int) -> list[bytes]:
    return [orjson.dumps({"response": str(place)}) for place in range(n)]


def responses(piece: Piece) -> list[int]:
    return [int(sample["response"]) for sample in orjson.loads(piece.samples)]


def test_groups_are_kept_whole_and_samples_are_not_lost() -> None:
    cut = cut_places(7, ["a", "b", "a", "c", "b", "a", "c"], largest=4)
    assert cut == [Cut([0, 2, 5], [3]), Cut([1, 4, 3, 6], [2, 2])]
    assert [list(places) for places, _ in cut_places(7, None, largest=4)] == [[0, 1, 2, 3], [4, 5, 6]]


def test_a_group_that_is_larger_than_a_piece_is_one() -> None:
    assert cut_places(5, ["a"] * 4 + ["b"], largest=2) == [Cut([0, 1, 2, 3], [4]), Cut([4], [1])]


def test_a_piece_is_divided_between_groups() -> None:
    piece = Piece.of([4, 0, 1, 2, 3, 6], make_samples(7), [1, 4, 1])
    first, second = piece.halve()
    assert (first.places, first.groups) == ([4], [1])
    assert (second.places, second.groups, responses(second)) == ([0, 1, 2, 3, 6], [4, 1], [0, 1, 2, 3, 6])
    assert [part.groups for part in second.halve()] == [[4], [1]]


def test_a_piece_of_one_group_or_one_sample_is_not_divided() -> None:
    assert Piece.of([0, 1, 2], make_samples(3), [3]).halve() == []
    assert Piece.of([0], make_samples(1), []).halve() == []


def test_a_piece_without_groups_is_halved() -> None:
    parts = Piece.of(range(5), make_samples(5), []).halve()
    assert [part.places for part in parts] in ([[0, 1], [2, 3, 4]], [[0, 1, 2], [3, 4]])
    assert [place for part in parts for place in responses(part)] == list(range(5))


def test_pieces_together_are_the_job() -> None:
    samples = make_samples(9)
    pieces = map(decode_piece, encode_pieces(samples, [Cut([8, 3, 1], []), Cut([0, 2, 4, 5, 6, 7], [])]))
    whole = join_pieces(pieces)
    assert whole.places == list(range(9)) == responses(whole)
