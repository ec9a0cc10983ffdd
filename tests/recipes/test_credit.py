"""Credit assignment at the end of a recipe: over a sample's own steps, or over all samples of its prompt."""

from typing import Any

import pytest
from reward_gateway.errors import InvalidRecipe

RECIPE = """
components:
  outcome: {score: given, inputs: {value: {feature: outcome}}}
credit: {%s: {}}
"""


def test_a_group_that_is_a_name_leaves_each_sample_its_own_item(evaluated: Any) -> None:
    sample = {"outcome": 1.0, "step_rewards": [0.50, 0.45, 0.52, 0.60], "final": 0.60}
    result = evaluated(RECIPE % "turning_point", features=[sample, {**sample, "final": 0.52}])
    assert not result.invalid
    assert result.rewards[0] == pytest.approx([-0.05, 0.15, 0.08])


def test_a_list_of_trajectories_is_all_samples_of_the_prompt(evaluated: Any) -> None:
    samples = [
        {"outcome": 1.0, "logp_prm": [-1.0, -2.0], "logp_old": [-1.4, -1.8]},
        {"outcome": 0.0, "logp_prm": [-1.0], "logp_old": [-1.4]},
    ]
    result = evaluated(RECIPE % "oprl", features=samples)
    assert [list(row) for row in result.rewards] == [pytest.approx([0.02, -0.01]), pytest.approx([0.02])]


LARE = """
components:
  outcome: {score: given, inputs: {value: {feature: outcome}}}
credit: {lare: {direct: true, rescale: true%s}}
"""


def test_a_field_is_read_and_bound_by_the_name_that_callers_know(evaluated: Any, compiled: Any) -> None:
    samples = [{"outcome": 6.0, "factors": [[1.0], [2.0]], "return": 5.0}, {"outcome": 6.0, "factors": [[1.0], [2.0]]}]
    result = evaluated(LARE % "", features=samples)
    assert list(result.rewards[0]) == [2.0, 3.0]
    assert (result.invalid[1].message, result.invalid[1].param) == ("rescale needs return", "return")
    bound = evaluated(LARE % ", return: {component: outcome}", features=samples)
    assert [list(vector) for vector in bound.rewards] == [[2.5, 3.5]] * 2


KL = """
components:
  outcome: {score: given, inputs: {value: {feature: outcome}}}
credit: {kl_penalty: %s}
"""


def test_the_divergence_of_every_token_is_charged_and_the_outcome_stands_on_the_last(evaluated: Any) -> None:
    samples = [{"outcome": 1.0, "logp": [-0.6, -1.2], "ref_logp": [-1.0, -1.0]}, {"outcome": 1.0, "logp": [-0.6]}]
    result = evaluated(KL % "{beta: 0.1}", features=samples)
    assert list(result.rewards[0]) == pytest.approx([-0.04, 1.02])
    assert result.invalid[1].code == "missing_field"


def test_a_coefficient_that_adapts_makes_the_recipe_stateful_and_none_a_cohort_could_use(compiled: Any) -> None:
    adaptive, cohort = (
        "{name: kl, target: 6, horizon: 100}",
        "group: {normalize: mean, cohort: {size: 2, timeout_s: 1}}",
    )
    assert not compiled(KL % "{beta: 0.1}").stateful
    assert compiled(KL % adaptive).stateful
    assert compiled(KL % "{beta: 0.1}" + cohort).group.cohort is not None
    with pytest.raises(InvalidRecipe, match="kl_penalty keeps state"):
        compiled(KL % adaptive + cohort)


def test_a_sample_whose_own_trajectory_is_incomplete_leaves_the_others_of_its_prompt_alone(evaluated: Any) -> None:
    whole = {"outcome": 1.0, "states": [1, 2], "step_rewards": [0.0, 1.0]}
    samples = [whole, {**whole, "outcome": 0.0}, {"outcome": 1.0, "states": [1]}]
    result = evaluated(RECIPE % "gigpo", features=samples)
    assert [None if row is None else len(row) for row in result.rewards] == [2, 2, None]
    assert result.rewards[0] == pytest.approx([0.70711, 0.70711], abs=1e-5)
    assert (result.invalid[2].param, result.invalid[2].message) == (
        "features",
        "features: give steps, or states and step_rewards",
    )


def test_turns_are_those_of_the_assistant(evaluated: Any) -> None:
    turns = [{"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}]
    response = [*turns, {"role": "assistant", "content": "c"}]
    by_turn, by_message = [0.5, 0.0], [0.1, 9.0, 0.0]
    recipe = RECIPE.replace(
        "credit", "  turn_rewards: {score: given_steps, inputs: {values: {feature: turns}}}\ncredit"
    )
    features = [{"outcome": 1.0, "turns": by_turn}, {"outcome": 0.0, "turns": by_message}]
    result = evaluated(recipe % "mt_grpo", responses=[response] * 2, features=features)
    assert result.rewards[1] == pytest.approx([-1.41386, -0.70701], abs=5e-6)


OUTCOME_AND_PROCESS = """
components:
  outcome: {score: given, inputs: {value: {feature: outcome}}}
  process: {score: given_steps, inputs: {values: {feature: process}}}
guards: [{empty_response: {action: zero}}]
credit: renorm
"""


def test_the_reward_of_renorm_is_the_outcome_that_its_vector_ends_with(evaluated: Any) -> None:
    features = [{"outcome": value, "process": [0.5]} for value in (3.0, -2.0, 0.25)]
    result = evaluated(OUTCOME_AND_PROCESS, features=features)
    assert result.reward.tolist() == [1.0, 0.0, 0.25]
    assert result.rewards == [[0.5, 1.0], [-0.5, 0.0], [-0.25, 0.25]]
    assert result.flags == {0: ("outcome_clipped",), 1: ("outcome_clipped",)}


def test_a_reward_that_a_guard_makes_zero_is_zero_in_the_vector_too(evaluated: Any) -> None:
    result = evaluated(OUTCOME_AND_PROCESS, responses=["", "a"], features=[{"outcome": 1.0, "process": [0.5]}] * 2)
    assert result.reward.tolist() == [0.0, 1.0]
    assert result.rewards == [[-0.5, 0.0], [0.5, 1.0]]
