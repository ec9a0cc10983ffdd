"""score/donor_game."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "score/donor_game"


def move(donor: str, recipient: str, action: str, amount: Any = None, round: int = 1) -> dict[str, Any]:
    return {"round": round, "donor": donor, "recipient": recipient, "action": action, "amount": amount}


def play(call: Any, *moves: dict[str, Any], agents: dict[str, float] | None = None, **params: Any) -> dict[str, Any]:
    [result] = call(PATH, {"agents": agents or {"a": 10, "b": 10}, "moves": list(moves)}, **params)
    assert isinstance(result, dict)
    return result


def test_a_donation_costs_once_and_gives_twice(call: Any) -> None:
    result = play(call, move("a", "b", "donate", 4))
    assert result["rewards"] == [6.0, 18.0]
    assert result["details"]["resources"] == {"a": 6.0, "b": 18.0}
    assert result["details"]["mean_resources"] == 12.0
    assert result["details"]["mean_fraction"] == pytest.approx(0.4)
    assert result["details"]["survivors"] == ["b"]


def test_punishment_costs_once_and_hurts_twice_but_never_below_nothing(call: Any) -> None:
    assert play(call, move("a", "b", "punish", 2))["rewards"] == [8.0, 6.0]
    assert play(call, move("a", "b", "punish", 9))["rewards"] == [1.0, 0.0]


def test_refusing_changes_nothing(call: Any) -> None:
    result = play(call, move("a", "b", "refuse"))
    assert result["rewards"] == [10.0, 10.0]
    assert result["details"]["mean_fraction"] is None


@pytest.mark.parametrize(
    ("action", "amount"),
    [("donate", 10.5), ("donate", -1), ("donate", None), ("donate", "all of it"), ("punish", 99), ("steal", 1)],
)
def test_a_move_that_is_not_legal_gives_nothing_and_is_flagged(call: Any, action: str, amount: Any) -> None:
    result = play(call, move("a", "b", "donate", 1), move("a", "b", action, amount))
    assert result["rewards"] == [9.0, 12.0]
    assert result["details"]["rejected"] == [1]
    assert result["details"]["flags"] == ["illegal_move"]
    assert result["details"]["mean_fraction"] == pytest.approx(0.05)


def test_a_number_in_words_is_none_but_in_digits_is_one(call: Any) -> None:
    assert play(call, move("a", "b", "donate", "4"))["rewards"] == [6.0, 18.0]


def test_giving_all_there_is_is_legal_and_giving_of_nothing_counts_as_all(call: Any) -> None:
    result = play(call, move("a", "b", "donate", 10), move("a", "b", "donate", 0, round=2))
    assert result["details"]["rejected"] == []
    assert result["details"]["mean_fraction"] == 1.0


def test_rounds_are_played_in_their_order(call: Any) -> None:
    later = move("b", "a", "donate", 12, round=2)
    assert play(call, later, move("a", "b", "donate", 1, round=1))["rewards"] == [9 + 24.0, 0.0]


def test_reputation_rewards_treating_others_as_they_treated_others(call: Any) -> None:
    result = play(call, move("b", "a", "donate", 5), move("a", "b", "donate", 4), move("a", "b", "donate", 8, round=2))
    # a gave 4 of 20 first; then 8 of 16 to b, who has .5: ((1 - 0) + .5 * .2) / 1.5
    assert result["details"]["reputation"] == {"b": 0.5, "a": pytest.approx(1.1 / 1.5)}


@pytest.mark.parametrize(
    ("agents", "moves"),
    [({"a": 1, "b": 1, "c": 1}, []), ({}, []), ({"a": -1, "b": 1}, []), ({"a": 1, "b": 1}, [("a", "z")])],
)
def test_what_is_no_game_is_the_items_error(call: Any, agents: dict[str, float], moves: list[Any]) -> None:
    [result] = call(PATH, {"agents": agents, "moves": [move(a, b, "donate", 0) for a, b in moves]})
    assert result["error"]["code"] == "invalid_field"


games = st.lists(
    st.builds(
        move,
        st.sampled_from("ab"),
        st.sampled_from("ab"),
        st.sampled_from(["donate", "punish", "refuse"]),
        st.floats(-5, 50) | st.none(),
        st.integers(1, 3),
    ),
    max_size=12,
)


@given(games)
@settings(max_examples=50, deadline=None)
def test_nobody_falls_below_nothing_and_without_a_gain_nothing_is_made(call: Any, moves: list[dict[str, Any]]) -> None:
    result = play(call, *moves)
    assert min(result["rewards"]) >= 0.0
    assert all(0.0 <= value <= 1.0 for value in result["details"]["reputation"].values())
    assert sum(play(call, *moves, gain=1.0)["rewards"]) <= 20.0 + 1e-9
    only_gifts = [entry for entry in moves if entry["action"] == "donate"]
    assert sum(play(call, *only_gifts, gain=1.0)["rewards"]) == pytest.approx(20.0)
