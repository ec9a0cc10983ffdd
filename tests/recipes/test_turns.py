"""A vector reward has one entry for each of the assistant's turns of a response, and none for anybody else's."""

import math
from typing import Any

import numpy as np
import pytest
from reward_gateway.operations.effects import Vector
from reward_gateway.operations.registry import catalog
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.recipes.fields import member_model
from reward_gateway.recipes.turns import find_own_turns

from tests.recipes.conftest import batch_of, compile_recipe

THREE = [
    {"role": "assistant", "content": "I search."},
    {"role": "tool", "content": "\\boxed{42}"},
    {"role": "assistant", "content": "I search again."},
    {"role": "user", "content": "Well?"},
    {"role": "assistant", "content": "<answer>Paris</answer>"},
]
OUTCOME = "outcome: {score: exact_match, params: {answer_only: true}}"
GIVEN = "{score: given_steps, inputs: {values: {feature: steps}}}"
# credit -> the recipe, its features for three turns, the same for all five messages, and what three turns get.
BY_TURN: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[float]]] = {
    "renorm": (
        f"components: {{{OUTCOME}, process: {GIVEN}}}\ncredit: renorm",
        {"steps": [0.5, 0.25]},
        {"steps": [0.5, 0.9, 0.25, 0.9]},
        [0.5, 0.25, 1.0],
    ),
    "renorm, of features": (
        f"components: {{{OUTCOME}}}\ncredit: {{renorm: {{process: {{feature: steps}}}}}}",
        {"steps": [[1, 2], [1, 4]]},
        {"steps": [[1, 2], [9, 9], [1, 4], [9, 9]]},
        [0.5, 0.25, 1.0],
    ),
    "steps_and_outcome": (
        f"components: {{{OUTCOME}, process: {GIVEN}}}\ncredit: steps_and_outcome",
        {"steps": [0.1, 0.2, 0.3]},
        {"steps": [0.1, 9, 0.2, 9, 0.3]},
        [0.1, 0.2, 1.3],
    ),
    "steps_and_outcome, of differences": (
        f"components: {{{OUTCOME}, process: {{score: given_steps, inputs: {{values: {{feature: steps}}}}, "
        "transforms: [{prm_refine: {mode: delta}}]}}\ncredit: steps_and_outcome",
        {"steps": [0.1, 0.2, 0.3]},
        {"steps": [0.1, 9, 0.2, 9, 0.3]},
        [-0.1, 0.2, 1.0],
    ),
    "potential_shaping": (
        f"components: {{rewards: {GIVEN}}}\ncredit: {{potential_shaping: {{potentials: {{feature: phi}}}}}}",
        {"steps": [0, 0, 1], "phi": [0.1, 0.2, 0.4, 0.8]},
        {"steps": [0, 9, 0, 9, 1], "phi": [0.1, 9, 0.2, 9, 0.4, 0.8]},
        [0.1, 0.2, 1.4],
    ),
    "return_to_go": (
        f"components: {{rewards: {GIVEN}}}\ncredit: {{return_to_go: {{rewards: {{component: rewards}}}}}}",
        {"steps": [1, 2, 3]},
        {"steps": [1, 9, 2, 9, 3]},
        [6, 5, 3],
    ),
    "igpo": (
        f"components: {{{OUTCOME}}}\n"
        "credit: {igpo: {gold: [Paris], gold_logprobs: {feature: logprobs}, response: {sample: response}}}\n"
        "group: {single: raw}",
        {"logprobs": [[0.0], [-1.0], [0.0]]},
        {"logprobs": [[0.0], [-9.0], [-1.0], [-9.0], [0.0]]},
        [math.exp(-1) - 1, 1 - math.exp(-1), 1.0],
    ),
}


def conversation(roles: str) -> list[dict[str, str]]:
    """Messages by the first letters of their roles."""
    names = {"a": "assistant", "t": "tool", "u": "user", "s": "system", "f": "function", "m": "model"}
    return [{"role": names[role], "content": f"turn {place}"} for place, role in enumerate(roles)]


@pytest.mark.parametrize("layout", ["turns", "messages"])
@pytest.mark.parametrize("name", BY_TURN)
def test_every_turn_of_the_assistants_has_a_reward(evaluated: Any, name: str, layout: str) -> None:
    recipe, by_turn, by_message, expected = BY_TURN[name]
    features = by_turn if layout == "turns" else by_message
    result = evaluated(recipe, responses=[THREE], references=["Paris"], features=[features])
    assert not result.invalid, result.invalid
    assert list(result.rewards[0]) == pytest.approx(expected)


@pytest.mark.parametrize("name", BY_TURN)
@pytest.mark.parametrize("number", [1, 7, 9])
def test_another_number_is_refused_with_its_place(evaluated: Any, name: str, number: int) -> None:
    recipe, by_turn, _, _ = BY_TURN[name]
    wrong = {key: [values[0]] * number for key, values in by_turn.items()}
    responses = [THREE, THREE]
    result = evaluated(recipe, responses=responses, references=["Paris"] * 2, features=[wrong, by_turn])
    assert set(result.invalid) == {0}, "its neighbour is scored"
    assert result.invalid[0].code == "invalid_field"
    assert result.invalid[0].param in {f"features.{key}" for key in by_turn}
    assert "3 assistant turns" in result.invalid[0].message


def test_six_numbers_for_three_turns_are_no_more() -> None:
    assert find_own_turns(THREE) == [0, 2, 4]


@pytest.mark.parametrize("name", BY_TURN)
def test_a_text_and_a_single_message_have_steps_of_their_own(evaluated: Any, name: str) -> None:
    recipe, by_turn, _, expected = BY_TURN[name]
    answer = "<answer>Paris</answer>"
    responses: list[Any] = [answer, [{"role": "assistant", "content": answer}]]
    result = evaluated(recipe, responses=responses, references=["Paris"] * 2, features=[by_turn] * 2)
    assert [list(vector) for vector in result.rewards] == [pytest.approx(expected)] * 2


@pytest.mark.parametrize("roles", ["ata", "aa", "uaua", "taa", "afsa", "mum", "atattta", "au"])
def test_as_many_rewards_as_turns_for_any_conversation(evaluated: Any, roles: str) -> None:
    recipe = f"components: {{{OUTCOME}, process: {GIVEN}}}\ncredit: renorm"
    turns = sum(role in "am" for role in roles)
    for steps in ([0.5] * (turns - 1), [0.5] * len(roles)):
        result = evaluated(recipe, responses=[conversation(roles)], references=["Paris"], features=[{"steps": steps}])
        if len(steps) == turns != len(roles):
            assert set(result.invalid) == {0}, "one too many"
        elif not (len(steps) == len(roles) == turns):
            assert len(result.rewards[0]) == turns


def test_a_response_without_a_turn_of_the_assistants_is_refused(evaluated: Any) -> None:
    recipe, by_turn, _, _ = BY_TURN["renorm"]
    result = evaluated(recipe, responses=[conversation("tu")], references=["Paris"], features=[by_turn])
    assert "assistant" in result.invalid[0].message


def test_every_credit_assignment_by_step_says_so() -> None:
    """The rest places rewards on tokens, frames, regions or denoising steps, which are no turns."""
    tokens = {"kl_penalty", "prime", "token_redistribution", "treg"}
    elsewhere = {*tokens, "progress_steps", "shapley", "spatial_map", "turning_point"}
    by_step = {operation.name for operation in catalog().of_kind("credit") if operation.turn_fields is not None}
    assert by_step == {operation.name for operation in catalog().of_kind("credit")} - elsewhere
    for operation in catalog().of_kind("credit"):
        grouped = "trajectories" in operation.item.model_fields
        item = member_model(operation, "trajectories") if grouped else operation.item
        assert item is not None
        assert set(operation.turn_fields or ()) <= set(item.model_fields)


def test_groups_that_reward_another_number_of_turns_are_refused(evaluated: Any) -> None:
    recipe = """
components: {outcome: {score: exact_match}}
credit: {verpo: {alpha: 1, sigma: 1, delta: 1, beta: 1, gamma: 1}}
"""
    passes = [[1.0, 0.0]] * 3
    features = [{"turn_pass": passes}, {"turn_pass": [[1.0, 0.0]] * 5}, {"turn_pass": [[0.0, 0.0]] * 3}]
    result = evaluated(recipe, responses=[THREE] * 3, references=["Paris"] * 3, features=features)
    assert [len(result.rewards[i]) for i in (0, 2)] == [3, 3]
    assert set(result.invalid) == {1}
    assert "3 assistant turns" in result.invalid[1].message


def test_a_process_reward_model_judges_the_turns(evaluated: Any) -> None:
    recipe = f"""
components: {{{OUTCOME}, process: {{score: process_reward, params: {{model: m}}}}}}
credit: {{steps_and_outcome: {{step_rewards: {{component: process}}, outcome: {{component: outcome}}}}}}
"""
    running = evaluate_plan(compile_recipe(recipe), batch_of(1, responses=[THREE], references=["Paris"]), {})
    asked: Any = running.send(None)
    assert asked.batch.steps == [["I search.", "I search again.", "<answer>Paris</answer>"]]
    with pytest.raises(StopIteration) as ended:
        running.send([Vector(np.array([0.1, 0.2, 0.3]))])
    assert list(ended.value.value.rewards[0]) == pytest.approx([0.1, 0.2, 1.3])
