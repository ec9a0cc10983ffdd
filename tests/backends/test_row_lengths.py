"""How many usual rows a long one counts as, by what calls took."""

import random

import pytest
from reward_gateway.backends.encoded_rows import SizedRows
from reward_gateway.backends.row_lengths import RowLengths


def learned(by_bytes: float, *, rows: int = 1, pauses: float = 0.0) -> RowLengths:
    """After 400 calls of rows of 100 to 1,900 bytes, whose time is that share by their bytes, with some noise."""
    dice, lengths = random.Random(7), RowLengths()
    for _ in range(400):
        sizes = [dice.randint(100, 1900) for _ in range(rows)]
        later = by_bytes * (sum(sizes) / 1000 - rows) + dice.gauss(0, 0.1)
        later += 30 * (dice.random() < pauses)
        lengths.learn(rows, sum(sizes), later)
    return lengths


def test_a_row_counts_by_its_bytes_where_these_say_what_it_takes() -> None:
    lengths = learned(1.0)
    assert lengths.weigh(1, 3000) == pytest.approx(3, rel=0.25)
    assert 1 <= lengths.weigh(10, 1000) <= 3


def test_a_row_counts_as_one_where_bytes_say_nothing() -> None:
    """Pictures: all are brought to one size."""
    lengths = learned(0.0)
    assert lengths.weigh(1, 100) == pytest.approx(1, abs=0.25)
    assert lengths.weigh(1, 2000) == pytest.approx(1, abs=0.25)


def test_rows_of_one_size_count_as_so_many() -> None:
    lengths = RowLengths()
    for _ in range(100):
        lengths.learn(8, 800, random.gauss(0, 1))
    assert lengths.weigh(8, 800) == pytest.approx(8)


def test_calls_of_several_rows_say_it_too() -> None:
    assert learned(0.5, rows=4).weigh(1, 3000) == pytest.approx(2, rel=0.25)


def test_a_machine_that_does_something_else_now_and_then_says_little() -> None:
    assert learned(0.0, pauses=0.05).weigh(1, 2000) == pytest.approx(1, abs=0.6)
    assert learned(1.0, pauses=0.05).weigh(1, 3000) == pytest.approx(3, rel=0.3)


def test_the_slice_that_fits_is_the_longest_that_is_not_too_heavy() -> None:
    lengths, rows = learned(1.0), SizedRows([500, 1500, 1600, 1700, 5000])
    for start in range(rows.size):
        for most in (0.2, 1.0, 1.7, 2.5, 40.0):
            weights = [lengths.weigh(end - start, rows.count_bytes(start, end)) for end in range(start + 1, 6)]
            assert lengths.fit_rows(rows, start, most) == start + sum(weight <= most for weight in weights)


def test_before_anything_is_known_rows_are_counted() -> None:
    lengths, rows = RowLengths(), SizedRows([500, 1500, 1600])
    assert lengths.weigh(3, 1600) == 3
    assert [lengths.fit_rows(rows, 0, most) for most in (0.9, 1.0, 2.5, 1e9)] == [0, 1, 2, 3]
