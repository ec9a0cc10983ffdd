"""combine/tournament: the published values, the maximum against a library's, and laws of the three methods."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest
from reward_gateway.operations.combine.tournament import MOST_PLAYERS
from scipy.optimize import minimize

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
METHODS = ("win_rate", "bradley_terry", "elo")
Game = tuple[int, int, float]
ORDERED: list[Game] = [(0, 1, 1), (0, 2, 1), (1, 2, 1)]
TIED: list[Game] = [(0, 1, 1), (0, 2, 0.5), (1, 2, 1)]


def item_of(n: int, games: list[Game]) -> dict[str, Any]:
    return {"n": n, "games": [{"i": i, "j": j, "result": result} for i, j, result in games]}


def rated(call: Any, n: int, games: list[Game], **params: Any) -> list[Any]:
    (result,) = call("combine/tournament", item_of(n, games), **params)
    assert result["error"] is None, result["error"]
    rewards: list[Any] = result["rewards"]
    return rewards


@pytest.mark.parametrize(
    ("method", "games", "expected"),
    [
        ("win_rate", ORDERED, [1, 0.5, 0]),
        ("win_rate", TIED, [0.75, 0.5, 0.25]),
        ("bradley_terry", ORDERED, [0.59106, 0, -0.59106]),
        ("bradley_terry", TIED, [0.28820, 0, -0.28820]),
        ("elo", ORDERED[:1], [1016, 984, 1000]),
    ],
)
def test_the_published_values(call: Any, method: str, games: list[Game], expected: list[float]) -> None:
    assert rated(call, 3, games, method=method) == pytest.approx(expected, abs=5e-6)


def test_bradley_terry_is_what_is_answered_unless_something_else_is_asked_for(call: Any) -> None:
    assert rated(call, 3, ORDERED) == rated(call, 3, ORDERED, method="bradley_terry")


def test_elo_goes_by_the_order_of_the_games_and_by_k(call: Any) -> None:
    games: list[Game] = [(0, 1, 1), (1, 0, 1), (0, 1, 0.5)]
    first, second = 1000.0, 1000.0
    for i, _, result in games:
        points = result if i == 0 else 1 - result
        moved = 10 * (points - 1 / (1 + 10 ** ((second - first) / 400)))
        first, second = first + moved, second - moved
    assert rated(call, 2, games, method="elo", k=10) == pytest.approx([first, second])
    assert rated(call, 2, games[::-1], method="elo", k=10) != pytest.approx([first, second], abs=1e-6)


def test_a_player_without_a_game_has_no_win_rate_and_the_priors_mean(call: Any) -> None:
    (result,) = call("combine/tournament", item_of(3, ORDERED[:1]), method="win_rate")
    assert result["rewards"] == [1, 0, None]
    assert result["details"]["games"] == [1, 1, 0]
    assert rated(call, 3, ORDERED[:1])[2] == 0
    assert rated(call, 3, ORDERED[:1], method="elo")[2] == 1000


@pytest.mark.parametrize("prior_std", [0.1, 1.0, 1000.0])
def test_one_who_always_wins_has_a_finite_strength(call: Any, prior_std: float) -> None:
    rewards = rated(call, 2, [(0, 1, 1)] * 50, prior_std=prior_std)
    assert all(map(math.isfinite, rewards))
    assert rewards[0] > 0
    slope = 50 / (1 + math.exp(rewards[0] - rewards[1])) - rewards[0] / prior_std**2
    assert slope == pytest.approx(0, abs=1e-9)


def test_thousands_of_games_have_the_maximum_too(call: Any) -> None:
    rng = np.random.default_rng(7)
    truth = np.linspace(-1.5, 1.5, 24)
    pairs = [(int(i), int(j)) for i, j in rng.integers(0, 24, (20_000, 2)) if i != j]
    games: list[Game] = [(i, j, float(rng.random() < 1 / (1 + math.exp(truth[j] - truth[i])))) for i, j in pairs]
    rewards = np.array(rated(call, 24, games, prior_std=1000))
    first, second, points = (np.array(column) for column in zip(*games, strict=True))
    left = points - 1 / (1 + np.exp(rewards[second] - rewards[first]))
    assert np.bincount(first, left, 24) - np.bincount(second, left, 24) == pytest.approx(rewards / 1e6, abs=1e-7)
    assert rewards == pytest.approx(truth, abs=0.25)


@pytest.mark.parametrize(
    ("item", "param"),
    [
        (item_of(2, []), "games"),
        (item_of(2, [(0, 1, 1), (0, 2, 1)]), "games[1].j"),
        (item_of(2, [(2, 0, 1)]), "games[0].i"),
        (item_of(2, [(1, 1, 1)]), "games[0].j"),
        (item_of(2, [(-1, 1, 1)]), "games[0].i"),
        (item_of(2, [(0, 1, 0.75)]), "games[0].result"),
        (item_of(0, [(0, 1, 1)]), "n"),
        (item_of(MOST_PLAYERS + 1, [(0, 1, 1)]), "n"),
    ],
)
def test_what_is_no_game_is_an_error_of_its_item_alone(call: Any, item: dict[str, Any], param: str) -> None:
    bad, good = call("combine/tournament", item, item_of(3, ORDERED))
    assert (bad.get("rewards"), bad["error"]["code"], bad["error"]["param"]) == (None, "invalid_field", param)
    assert good["error"] is None


@pytest.mark.parametrize("params", [{"prior_std": 0.0}, {"k": 0.0}, {"method": "glicko"}])
def test_parameters_that_rate_nothing_are_refused(call: Any, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(params))):
        rated(call, 3, ORDERED, **params)


@st.composite
def tournaments(draw: st.DrawFn) -> tuple[int, list[Game]]:
    n = draw(st.integers(2, 6))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] != pair[1])
    games = draw(st.lists(st.tuples(pairs, st.sampled_from([1.0, 0.5, 0.0])), min_size=1, max_size=20))
    return n, [(i, j, result) for (i, j), result in games]


@given(tournaments(), st.sampled_from([0.3, 1.0, 5.0]))
@LAWS
def test_bradley_terry_is_the_maximum_that_a_library_finds(
    call: Any, drawn: tuple[int, list[Game]], prior_std: float
) -> None:
    n, games = drawn

    def lost(s: Any) -> float:
        said = sum(
            result * np.logaddexp(0, s[j] - s[i]) + (1 - result) * np.logaddexp(0, s[i] - s[j])
            for i, j, result in games
        )
        return float(said + s @ s / (2 * prior_std**2))

    found = minimize(lost, np.zeros(n), method="BFGS", options={"gtol": 1e-7}).x
    rewards = rated(call, n, games, prior_std=prior_std)
    assert rewards == pytest.approx(found, abs=1e-4)
    assert sum(rewards) == pytest.approx(0, abs=1e-12)


@given(tournaments())
@LAWS
def test_sums_and_bounds(call: Any, drawn: tuple[int, list[Game]]) -> None:
    n, games = drawn
    assert sum(rated(call, n, games, method="elo")) == pytest.approx(1000 * n)
    assert all(rate is None or 0 <= rate <= 1 for rate in rated(call, n, games, method="win_rate"))


@given(tournaments(), st.data())
@LAWS
def test_the_order_of_the_games_counts_for_elo_alone(
    call: Any, drawn: tuple[int, list[Game]], data: st.DataObject
) -> None:
    n, games = drawn
    shuffled = data.draw(st.permutations(games))
    for method in ("win_rate", "bradley_terry"):
        assert rated(call, n, shuffled, method=method) == pytest.approx(rated(call, n, games, method=method), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
@given(drawn=tournaments(), data=st.data())
@LAWS
def test_names_of_players_and_sides_of_games_count_nothing(
    call: Any, method: str, drawn: tuple[int, list[Game]], data: st.DataObject
) -> None:
    n, games = drawn
    place = data.draw(st.permutations(range(n)))
    turned = [(place[j], place[i], 1 - result) for i, j, result in games]
    rewards, renamed = rated(call, n, games, method=method), rated(call, n, turned, method=method)
    assert [renamed[place[i]] for i in range(n)] == [
        None if rate is None else pytest.approx(rate, abs=1e-9) for rate in rewards
    ]


@given(tournaments())
@LAWS
def test_lost_games_in_place_of_won_ones_turn_the_strengths_around(call: Any, drawn: tuple[int, list[Game]]) -> None:
    n, games = drawn
    turned = [(i, j, 1 - result) for i, j, result in games]
    assert rated(call, n, turned) == pytest.approx([-strength for strength in rated(call, n, games)], abs=1e-9)


@given(tournaments(), tournaments())
@LAWS
def test_a_batch_is_its_items_alone(call: Any, first: tuple[int, list[Game]], second: tuple[int, list[Game]]) -> None:
    together = call("combine/tournament", item_of(*first), item_of(*second))
    assert [result["rewards"] for result in together] == [rated(call, *first), rated(call, *second)]
