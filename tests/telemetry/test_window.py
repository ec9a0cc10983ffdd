"""The window: the latest rows in order, a reference that stays as it was, columns that come later."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.telemetry.window import REWARD, Column, Window

FLAG = Column("flag", "master_key")


@given(st.integers(1, 9), st.lists(st.integers(0, 25), max_size=12))
def test_it_holds_the_latest_rows_in_their_order_whatever_pieces_they_came_in(size: int, pieces: list[int]) -> None:
    window, sent = Window(size), np.arange(float(sum(pieces)))
    start = 0
    for rows in pieces:
        window.append({REWARD: sent[start : start + rows]}, rows)
        start += rows
    assert window.latest_rows().get(REWARD, np.empty(0)).tolist() == sent[-size:].tolist()
    assert window.latest_rows(2).get(REWARD, np.empty(0)).tolist() == sent[-min(2, size) :].tolist()
    if len(sent) < size:
        assert window.reference is None
    else:
        assert window.reference is not None
        assert window.reference[REWARD].tolist() == sent[:size].tolist()
    assert window.since_reference == max(0, len(sent) - size)


def test_a_column_that_comes_later_held_nothing_before_and_one_that_is_not_given_holds_nothing() -> None:
    window = Window(4)
    window.append({REWARD: np.ones(2)}, 2)
    window.append({FLAG: np.ones(1)}, 1)
    latest = window.latest_rows()
    assert latest[FLAG].tolist() == [0.0, 0.0, 1.0]
    np.testing.assert_array_equal(latest[REWARD], [1.0, 1.0, np.nan])


def test_after_a_reset_the_reference_is_taken_from_what_comes_and_the_latest_rows_stay() -> None:
    window = Window(3)
    window.append({REWARD: np.arange(5.0)}, 5)
    window.reset()
    assert window.reference is None
    assert window.since_reference == 0
    assert window.latest_rows()[REWARD].tolist() == [2.0, 3.0, 4.0]
    window.append({REWARD: np.arange(10.0, 14.0)}, 4)
    assert window.reference is not None
    assert window.reference[REWARD].tolist() == [10.0, 11.0, 12.0]


def test_what_was_taken_out_does_not_change_any_more() -> None:
    window = Window(2)
    window.append({REWARD: np.zeros(2)}, 2)
    taken = window.latest_rows()
    window.append({REWARD: np.ones(2)}, 2)
    assert taken[REWARD].tolist() == [0.0, 0.0]
    assert window.reference is not None
    assert window.reference[REWARD].tolist() == [0.0, 0.0]
