"""credit/mt_grpo: every turn but the last has its own advantage beside the outcome's."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OP = "credit/mt_grpo"
LAWS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

numbers = st.floats(-10, 10)
members = st.lists(st.tuples(numbers, st.lists(numbers, min_size=1, max_size=4)), min_size=2, max_size=5)


def group(*own: tuple[float, list[float]]) -> dict[str, Any]:
    return {"trajectories": [{"outcome": outcome, "turn_rewards": turns} for outcome, turns in own]}


def zscore(*values: float) -> np.ndarray[Any, Any]:
    return np.asarray((np.array(values) - np.mean(values)) / (np.std(values, ddof=1) + 1e-4))


def test_two_turns_as_in_the_paper(call: Any) -> None:
    (result,) = call(OP, group((1, [0.5, 9]), (0, [0.1, 2]), (0, [0.3, 5])), coef=2.0)
    outcome, first = zscore(1, 0, 0), zscore(0.5, 0.1, 0.3)
    for k, own in enumerate(result["rewards"]):
        assert own == pytest.approx([outcome[k] + 2 * first[k], outcome[k]], rel=1e-12)


def test_a_turn_is_compared_with_the_turns_of_its_number(call: Any) -> None:
    (result,) = call(OP, group((1, [0.5]), (0, [0.1, 0.7, 0]), (0, [0.3, 0.2, 0.1, 0])))
    outcome, first, second = zscore(1, 0, 0), zscore(0.5, 0.1, 0.3), zscore(0.7, 0.2)
    assert result["rewards"][0] == pytest.approx([outcome[0]])
    assert result["rewards"][1] == pytest.approx([outcome[1] + first[1], outcome[1] + second[0], outcome[1]])
    third = zscore(0, 0.1)[1]
    assert result["rewards"][2] == pytest.approx([outcome[2] + x for x in (first[2], second[1], third, 0)])


def test_released_knows_two_parts_and_joins_rewards_where_no_tool_answered(call: Any) -> None:
    (result,) = call(OP, group((1, [0.5]), (0, [0.1, 0.7, 0.4]), (0, [0.3, 0.2])), variant="released", coef=0.5)
    outcome, first, joint = zscore(1, 0, 0), zscore(0.5, 0.1, 0.3), zscore(1.5, 0.1, 0.3)
    assert result["rewards"][0] == pytest.approx([joint[0]])
    assert result["rewards"][1] == pytest.approx([outcome[1] + 0.5 * first[1], outcome[1], outcome[1]])
    assert result["rewards"][2] == pytest.approx([outcome[2] + 0.5 * first[2], outcome[2]])


def test_no_turns_no_rewards_but_the_outcome_counts(call: Any) -> None:
    (result,) = call(OP, group((1, [0.5, 0]), (0, [])))
    assert result["rewards"][1] == []
    assert result["rewards"][0] == pytest.approx([zscore(1, 0)[0]] * 2)
    (released,) = call(OP, group((1, [0.5, 0]), (0, [])), variant="released")
    assert released["error"]["param"] == "trajectories[1].turn_rewards"


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_one_trajectory_alone_says_so(call: Any, variant: str) -> None:
    alone, pair, nobody = call(OP, group((1, [0.5, 0])), group((1, [0.5]), (1, [0.5])), group(), variant=variant)
    assert alone["rewards"] == [[0, 0]]
    assert alone["details"]["single"] is True
    assert pair["rewards"] == [[0], [0]]
    assert pair["details"]["single"] is None
    assert nobody["rewards"] == []


def test_numbers_that_run_over_are_that_items_error(call: Any) -> None:
    fine = group((1, [0.5, 0]), (0, [0.1, 0]))
    one, outcomes, turns, other = call(
        OP, fine, group((1e308, [0, 0]), (-1e308, [0, 0])), group((0, [1e308, 0]), (0, [-1e308, 0])), fine
    )
    assert one["rewards"] == other["rewards"]
    assert one["error"] is None
    assert outcomes["error"]["param"] == turns["error"]["param"] == "trajectories"


@given(members, st.floats(-100, 100), st.floats(-100, 100))
@LAWS
def test_outcomes_and_turns_may_be_shifted_each(call: Any, members: Any, up: float, along: float) -> None:
    moved = [(outcome + up, [turn + along for turn in turns]) for outcome, turns in members]
    # Deviations no greater than the rounding of the shift count as none.
    if any(0 < spread < 1e-9 for spread in spreads(members)):
        return
    plain, shifted = call(OP, group(*members), group(*moved))
    for a, b in zip(plain["rewards"], shifted["rewards"], strict=True):
        assert b == pytest.approx(a, abs=1e-4)


def spreads(members: Any) -> list[float]:
    longest = max(len(turns) for _, turns in members)
    columns = [[outcome for outcome, _ in members]]
    columns += [[turns[t] for _, turns in members if len(turns) > t] for t in range(longest)]
    return [float(np.ptp(column)) for column in columns]


@given(members)
@LAWS
def test_the_last_turn_and_only_it_gets_the_outcomes_advantage_alone(call: Any, members: Any) -> None:
    (result,) = call(OP, group(*members))
    outcomes, turns = result["details"]["outcome_advantage"], result["details"]["turn_advantage"]
    assert sum(outcomes) == pytest.approx(0, abs=1e-6)
    for own, outcome, level in zip(result["rewards"], outcomes, turns, strict=True):
        assert own[-1] == pytest.approx(outcome)
        assert own[:-1] == pytest.approx([outcome + one for one in level[:-1]])
