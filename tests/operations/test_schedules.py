"""Who meets whom: pairs, rounds and bounds of every schedule."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.schedules import Pair, ScheduleName, count_games, plan_schedule

Decide = Callable[[int, int], float | None]


def stronger_wins(i: int, j: int) -> float:
    """The player of the lower number."""
    return float(i < j)


def play(name: ScheduleName, n: int, decide: Decide = stronger_wins, **more: int) -> list[list[Pair]]:
    """The rounds that are played."""
    schedule = plan_schedule(name, n, **more)
    rounds: list[list[Pair]] = []
    try:
        pairs = next(schedule)
        while True:
            rounds.append(list(pairs))
            pairs = schedule.send([decide(i, j) for i, j in pairs])
    except StopIteration:
        return rounds


def test_all_is_every_pair_in_one_round() -> None:
    assert play("all", 4) == [[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]]
    assert [play("all", n) for n in (0, 1)] == [[], []]


def test_anchor_is_one_against_each_other() -> None:
    assert play("anchor", 4) == [[(1, 0), (2, 0), (3, 0)]]
    assert play("anchor", 3, anchor=2) == [[(0, 2), (1, 2)]]
    assert play("anchor", 1) == []


def test_swiss_pairs_those_of_nearly_as_many_points() -> None:
    assert play("swiss", 4) == [[(0, 1), (2, 3)], [(0, 2), (1, 3)]]
    assert play("swiss", 4, rounds=9) == [[(0, 1), (2, 3)], [(0, 2), (1, 3)], [(0, 3), (1, 2)]]


def test_in_swiss_another_sits_out_each_round_of_an_odd_number() -> None:
    rounds = play("swiss", 5, rounds=3)
    sat_out = [set(range(5)) - {player for pair in pairs for player in pair} for pairs in rounds]
    assert [len(players) for players in sat_out] == [1] * 3
    assert len(set.union(*sat_out)) == 3


@pytest.mark.parametrize("n", [4, 6, 8, 12, 16, 32])
def test_in_swiss_nobody_of_an_even_number_sits_out_while_there_are_few_rounds(n: int) -> None:
    assert [len(pairs) for pairs in play("swiss", n)] == [n // 2] * math.ceil(math.log2(n))


def test_a_knock_out_leaves_one() -> None:
    assert play("knockout", 4) == [[(0, 1), (2, 3)], [(0, 2)]]
    assert play("knockout", 4, lambda i, j: float(i > j)) == [[(0, 1), (2, 3)], [(1, 3)]]
    assert play("knockout", 5) == [[(0, 1), (2, 3)], [(4, 0)], [(2, 0)]]


@pytest.mark.parametrize("came_to", [0.5, None])
def test_in_a_knock_out_the_first_goes_on_of_a_tie_and_of_a_game_without_a_verdict(came_to: float | None) -> None:
    assert play("knockout", 4, lambda i, j: came_to) == [[(0, 1), (2, 3)], [(0, 2)]]


EVERY = st.sampled_from(["all", "swiss", "knockout", "anchor"])
CAME_TO = st.sampled_from([0.0, 0.5, 1.0, None])


@given(EVERY, st.integers(0, 17), st.data())
def test_nobody_meets_itself_or_the_same_twice_and_there_are_no_more_games_than_counted(
    name: ScheduleName, n: int, data: st.DataObject
) -> None:
    rounds = play(name, n, lambda i, j: data.draw(CAME_TO))
    pairs = [frozenset(pair) for played in rounds for pair in played]
    assert all(len(pair) == 2 for pair in pairs)
    assert len({*pairs}) == len(pairs) <= count_games(name, n)
    if name != "swiss":
        assert len(pairs) == count_games(name, n)
    if name in ("swiss", "knockout") and n > 1:
        assert len(rounds) <= math.ceil(math.log2(n))
        assert all(len({player for pair in played for player in pair}) == 2 * len(played) for played in rounds)


@given(EVERY, st.integers(2, 17), st.data())
def test_everybody_has_a_game(name: ScheduleName, n: int, data: st.DataObject) -> None:
    rounds = play(name, n, lambda i, j: data.draw(CAME_TO))
    assert {player for played in rounds for pair in played for player in pair} == set(range(n))
