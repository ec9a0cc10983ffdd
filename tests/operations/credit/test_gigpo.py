"""credit/gigpo: steps from an equal state are compared with each other, episodes within their group."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OP = "credit/gigpo"
LAWS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Step = tuple[Any, float]
numbers = st.floats(-10, 10)
steps = st.lists(st.tuples(st.sampled_from(["a", "b", 1, {"x": [1, 2]}]), numbers), max_size=5)
trajectories = st.lists(st.tuples(numbers, steps), min_size=2, max_size=5)


def trajectory(outcome: float, *own: Step) -> dict[str, Any]:
    return {"outcome": outcome, "steps": [{"state": state, "reward": reward} for state, reward in own]}


def group(*members: tuple[float, list[Step]]) -> dict[str, Any]:
    return {"trajectories": [trajectory(outcome, *own) for outcome, own in members]}


def flat(rewards: Any) -> np.ndarray[Any, Any]:
    return np.concatenate([np.asarray(own, dtype=float) for own in rewards])


TWO = {"trajectories": [trajectory(1, ("s0", 0), ("s1", 1)), trajectory(0, ("s0", 0), ("s2", 0))]}


def test_the_published_value(call: Any) -> None:
    (result,) = call(OP, TWO, norm="mean")
    assert result["rewards"] == [pytest.approx([0.975, 0.5]), pytest.approx([-0.975, -0.5])]


def test_deviations_are_the_samples_and_a_millionth(call: Any) -> None:
    (result,) = call(OP, TWO, eps=0)
    assert result["rewards"][0] == pytest.approx([np.sqrt(2), np.sqrt(0.5)])
    (shrunk,) = call(OP, TWO)
    assert shrunk["rewards"][0][1] == pytest.approx(0.5 / (np.sqrt(0.5) + 1e-6), rel=1e-12)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 1, "b": [True, None]}, {"b": [True, None], "a": 1.0}, True),
        (1, 1.0, True),
        (1, True, False),
        ("1", 1, False),
        ([1, 2], [2, 1], False),
        ("state", "state ", False),
        (0.1, 0.1, True),
        (2**60, 2**60 + 1, False),
        ("\ud800", "\ud800", True),
    ],
)
def test_states_are_equal_if_their_json_is(call: Any, one: Any, other: Any, equal: bool) -> None:
    (result,) = call(OP, group((0, [(one, 1.0)]), (0, [(other, 0.0)])), norm="mean")
    assert result["rewards"] == ([[0.5], [-0.5]] if equal else [[0], [0]])


def test_a_state_that_a_trajectory_comes_back_to_is_compared_with_itself(call: Any) -> None:
    (result,) = call(OP, group((0, [("a", 1.0), ("a", 2.0)]), (0, [])), norm="mean", gamma=0.5)
    assert result["details"]["returns"][0] == [2.0, 2.0]
    (result,) = call(OP, group((0, [("a", 1.0), ("a", 4.0)]), (0, [])), norm="mean", gamma=0.5)
    assert result["rewards"] == [[-0.5, 0.5], []]


def test_a_trajectory_without_steps_counts_in_its_group_but_not_among_steps(call: Any) -> None:
    item = group((3, [("a", 0.0)]), (0, []), (0, [("b", 0.0), ("c", 0.0)]))
    (paper,) = call(OP, item, norm="mean")
    assert paper["rewards"] == [[2.0], [], [-1.0, -1.0]]
    assert paper["details"]["episode_advantage"] == [2.0, -1.0, -1.0]
    (released,) = call(OP, item, norm="mean", variant="released")
    assert released["rewards"] == [[2.0], [], [-1.0, -1.0]]
    assert released["details"]["episode_advantage"] == [2.0, None, -1.0]


def test_one_trajectory_alone_says_so(call: Any) -> None:
    (result,) = call(OP, group((5, [("a", 1.0), ("b", 2.0)])))
    assert result["rewards"] == [[0, 0]]
    assert result["details"]["single"] is True
    (nobody,) = call(OP, {"trajectories": []})
    assert nobody["rewards"] == []
    assert nobody["error"] is None


def test_states_and_rewards_may_come_as_two_lists(call: Any) -> None:
    lists = {
        "trajectories": [
            {"outcome": 1, "states": ["s0", "s1"], "step_rewards": [0, 1]},
            {"outcome": 0, "states": ["s0", "s2"], "step_rewards": [0, 0]},
        ]
    }
    assert call(OP, lists) == call(OP, TWO)


def deep(levels: int) -> Any:
    state: Any = 1
    for _ in range(levels):
        state = [state]
    return state


@pytest.mark.parametrize(
    ("member", "param"),
    [
        ({"outcome": 1}, "trajectories[1]"),
        ({"outcome": 1, "states": [1]}, "trajectories[1]"),
        ({"outcome": 1, "states": [1], "step_rewards": []}, "trajectories[1]"),
        ({"outcome": 1, "states": [None], "step_rewards": [0]}, "trajectories[1].states"),
        (trajectory(1, ("a", 0), (None, 0)), "trajectories[1].steps[1].state"),
        (trajectory(1, (deep(900), 0)), "trajectories[1]"),
        (trajectory(-1e308, ("a", 0)), "trajectories"),
        (trajectory(0, ("a", -1e308), ("b", -1e308)), "trajectories"),
    ],
)
def test_what_cannot_be_compared_is_that_items_error(call: Any, member: Any, param: str) -> None:
    item = {"trajectories": [trajectory(1e308, ("a", 1e308)), member]}
    before, result, after = call(OP, TWO, item, TWO)
    assert result["error"]["param"] == param
    assert before["rewards"] == after["rewards"] == call(OP, TWO)[0]["rewards"]


@given(trajectories, st.sampled_from(["std", "mean"]), st.floats(0, 1))
@LAWS
def test_both_levels_are_centred_and_are_what_the_advantage_is_made_of(
    call: Any, members: Any, norm: str, gamma: float
) -> None:
    (result,) = call(OP, group(*members), norm=norm, gamma=gamma, omega=0.5)
    details = result["details"]
    assert np.sum(details["episode_advantage"]) == pytest.approx(0, abs=1e-6)
    sums: dict[str, float] = {}
    for (_, own), advantages in zip(members, details["step_advantage"], strict=True):
        for (state, _), advantage in zip(own, advantages, strict=True):
            sums[repr(state)] = sums.get(repr(state), 0.0) + advantage
    assert list(sums.values()) == pytest.approx([0.0] * len(sums), abs=1e-6)
    for own, episode, level in zip(
        result["rewards"], details["episode_advantage"], details["step_advantage"], strict=True
    ):
        assert own == pytest.approx([episode + 0.5 * one for one in level])


@given(trajectories, st.floats(-100, 100), st.sampled_from([0.5, 2.0, 8.0]))
@LAWS
def test_outcomes_may_be_shifted_and_with_the_mean_alone_all_is_in_their_unit(
    call: Any, members: Any, shift: float, scale: float
) -> None:
    moved = [(outcome + shift, own) for outcome, own in members]
    scaled = [(scale * outcome, [(state, scale * reward) for state, reward in own]) for outcome, own in members]
    plain, shifted, larger = call(OP, group(*members), group(*moved), group(*scaled), norm="mean")
    assert flat(shifted["rewards"]) == pytest.approx(flat(plain["rewards"]), abs=1e-9)
    assert flat(larger["rewards"]) == pytest.approx(scale * flat(plain["rewards"]), abs=1e-9)


@given(trajectories, st.randoms(use_true_random=False))
@LAWS
def test_the_order_of_trajectories_changes_nothing(call: Any, members: Any, random: Any) -> None:
    order = list(range(len(members)))
    random.shuffle(order)
    plain, shuffled = call(OP, group(*members), group(*(members[k] for k in order)), norm="mean")
    for place, k in enumerate(order):
        assert shuffled["rewards"][place] == pytest.approx(plain["rewards"][k], abs=1e-9)
