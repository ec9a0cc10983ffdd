"""credit/igpo."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.credit.igpo import balanced, f1

PATH = "credit/igpo"
TURNS = [[-2.0, -2.0], [-1.0, -1.0], [-0.5, -0.5]]
RIGHT = "<think>hm</think><answer>Barack Obama</answer>"


def item(turns: list[list[float]] = TURNS, response: str = RIGHT, **more: Any) -> dict[str, Any]:
    return {"gold_logprobs": turns, "response": response, "gold": ["Barack Hussein Obama"], **more}


def test_turns_earn_what_they_add_to_the_belief_in_the_answer(call: Any) -> None:
    [result] = call(PATH, item())
    assert result["rewards"] == pytest.approx([0.2325, 0.2387, 0.8], abs=5e-5)
    assert result["details"]["probabilities"] == pytest.approx([0.1353, 0.3679, 0.6065], abs=5e-5)
    assert result["details"]["returns"] == pytest.approx([1.2712, 1.0387, 0.8], abs=5e-5)
    assert result["details"]["f1"] == pytest.approx(0.8)


def test_returns_may_be_discounted(call: Any) -> None:
    [result] = call(PATH, item([[-1.0], [-1.0]]), gamma=0.5)
    assert result["details"]["returns"] == pytest.approx([0.4, 0.8])


@pytest.mark.parametrize("turns", [[], [[-1.0]]])
def test_a_single_turn_has_only_its_f1(call: Any, turns: list[list[float]]) -> None:
    assert call(PATH, item(turns))[0]["rewards"] == pytest.approx([0.8])


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("the cat", ["the cat"], 1.0),
        ("The, CAT!", ["the cat"], 1.0),
        ("cat cat cat", ["cat"], 1.0),
        ("dog", ["cat"], 0.0),
        ("", ["cat"], 0.0),
        ("cat", [""], 0.0),
        ("a b", ["a c", "a b"], 1.0),
        ("well-known", ["well known"], 1.0),
    ],
)
def test_f1_compares_sets_of_words(answer: str, golds: list[str], expected: float) -> None:
    assert f1(answer, golds) == pytest.approx(expected)


def test_one_gold_text_may_hold_several_answers(call: Any) -> None:
    [result] = call(PATH, item(gold=["George Bush<|answer_split|>Barack Obama"]))
    assert result["details"]["f1"] == 1.0


@pytest.mark.parametrize(
    "response",
    [
        "no answer at all",
        "<answer>open",
        "<think>open<answer>x</answer>",
        "<answer>x</answer></code>",
        "</tool_call><tool_call><answer>x</answer>",
    ],
)
def test_broken_tags_cost_two(call: Any, response: str) -> None:
    assert call(PATH, item(response=response))[0]["rewards"][-1] == -2.0
    assert call(PATH, item(response=response), format_penalty=0)[0]["rewards"][-1] == 0.0


def test_the_first_answer_counts_and_may_be_empty(call: Any) -> None:
    first, empty = call(
        PATH,
        item(response="<answer>barack obama</answer> or <answer>barack hussein obama</answer>"),
        item(response="<answer></answer>"),
    )
    assert first["details"]["f1"] == pytest.approx(0.8)
    assert empty["details"]["f1"] == 0.0


def test_tags_balance_pair_by_pair() -> None:
    assert balanced("<think>a</think><think>b</think>")
    assert not balanced("</think><think>")
    assert not balanced("<think></think></think><think>")


@pytest.mark.parametrize(
    "bad",
    [item([[]]), item([[-1.0], [0.5]]), item(gold=[]), item(turns=TURNS) | {"turns": 5}],
)
def test_what_has_no_probability_is_the_items_error(call: Any, bad: dict[str, Any]) -> None:
    wrong, fine = call(PATH, bad, item())
    assert wrong["error"]["code"] == "invalid_field"
    assert fine["error"] is None


def test_the_released_code_pads_long_roll_outs_and_falls_back_on_short_ones(call: Any) -> None:
    short, long, fitting = call(
        PATH, item() | {"turns": 5}, item() | {"turns": 11}, item() | {"turns": 3}, variant="released"
    )
    assert short["rewards"] == pytest.approx([0.8])
    assert long["rewards"] == pytest.approx([0.2325, 0.2387, 0.0, 0.8], abs=5e-5)
    assert len(fitting["rewards"]) == 3


def test_the_papers_advantage_standardises_the_group_and_then_sums(call: Any) -> None:
    items = [item([[-1.0], [-0.5]], group="a"), item([[-1.0], [-2.0]], "<answer>x</answer>", group="a")]
    alone = item(group="b")
    first, second, third = call(PATH, *items, alone)
    pooled = np.array([*first["rewards"], *second["rewards"]])
    scored = (pooled - pooled.mean()) / pooled.std()
    assert first["details"]["advantage"] == pytest.approx([scored[0] + scored[1], scored[1]])
    assert second["details"]["advantage"] == pytest.approx([scored[2] + scored[3], scored[3]])
    assert third["details"]["advantage"] == call(PATH, item())[0]["details"]["advantage"]


def test_the_released_advantage_is_centred_turn_by_turn_over_all_rollouts(call: Any) -> None:
    beliefs = [[math.log(0.2)], [math.log(0.5)]]
    one_word_of_nine = item(beliefs, "<answer>obama</answer>") | {"gold": ["obama b c d e f g h i"]}
    first, second = call(PATH, item(), one_word_of_nine, variant="released")
    assert first["details"]["returns"] == pytest.approx([1.2712, 1.0387, 0.8], abs=5e-5)
    assert second["details"]["returns"] == pytest.approx([0.5, 0.2])
    # the second is finished after two turns, and counts 0 in the third
    assert first["details"]["advantage"] == pytest.approx([0.3856, 0.41935, 0.4], abs=5e-5)
    assert second["details"]["advantage"] == pytest.approx([-0.3856, -0.41935], abs=5e-5)


@given(st.lists(st.lists(st.floats(-1e4, 0), min_size=1, max_size=4), max_size=6))
@settings(max_examples=50, deadline=None)
def test_gains_telescope_and_everything_is_finite(call: Any, turns: list[list[float]]) -> None:
    [result] = call(PATH, item(turns))
    believed = result["details"]["probabilities"]
    assert all(0.0 <= p <= 1.0 for p in believed)
    gain = believed[-1] - believed[0] if believed else 0.0
    assert sum(result["rewards"][:-1]) == pytest.approx(gain, abs=1e-9)
    assert all(math.isfinite(value) for value in result["details"]["advantage"])
    assert result["details"]["returns"][:1] == pytest.approx([sum(result["rewards"])], abs=1e-9)
