"""What a recipe makes of a batch: the same numbers as its operations, row by row, and a reason where there is none."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import ModelUnavailable, Overloaded, StateUnavailable, Unavailable
from reward_gateway.operations import effects
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.recipes.unavailable import explain_unavailable
from reward_gateway.sample import Invalid

from tests.recipes.conftest import batch_of, compile_recipe, run_plan

MIXED = """
components:
  helpful: {score: text_preference, transforms: [{log_sigmoid: {reference: 0.4}}]}
  harmless: {score: text_harmless, transforms: [{log_sigmoid: {reference: 0.1}}]}
  brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.5}}
guards: [empty_response]
combine: {log_sigmoid_sum: {over: [helpful, harmless]}, then: {add: [brevity]}}
"""


def log_sigmoid(z: float) -> float:
    return -math.log1p(math.exp(-z))


def test_models_rules_and_a_sum_make_one_reward(evaluated: Any) -> None:
    result = evaluated(
        MIXED, raw={"helpful": [1.42, 0.0], "harmless": [0.8, -1.0]}, responses=["one two three four", ""]
    )
    expected = log_sigmoid(1.42 - 0.4) + log_sigmoid(0.8 - 0.1) - 1.0
    assert result.reward[0] == pytest.approx(expected)
    assert result.components["helpful"].raw[0] == 1.42
    assert result.components["helpful"].value[0] == pytest.approx(log_sigmoid(1.02))
    assert result.components["brevity"].model is None
    assert result.flags == {1: ("empty_response",)}
    assert not result.invalid, "an empty response is flagged, and scored all the same"


def test_results_begin_with_the_flags_of_the_batch_and_those_of_failed_samples_stay() -> None:
    batch = batch_of(3, responses=["", "two", "three"], flags={0: ("noticed",), 2: ("noticed",)})
    batch.invalid[2] = Invalid("invalid_media", "images[0]: empty", param="images[0]")
    plan = compile_recipe("components: {brevity: {score: length_penalty}}\nguards: [empty_response]")
    assert run_plan(plan, batch).flags == {0: ("noticed", "empty_response"), 2: ("noticed",)}
    assert batch.flags == {0: ("noticed",), 2: ("noticed",)}


def test_a_failed_model_row_keeps_its_reason_and_its_neighbours_their_reward(evaluated: Any) -> None:
    from .conftest import raw_scores

    failed = raw_scores(float("nan"), 0.5, invalid={0: Invalid("model_error", "undecodable")})
    result = evaluated(MIXED, raw={"helpful": failed, "harmless": [0.1, 0.1]}, responses=["a", "a"])
    assert math.isnan(result.reward[0])
    assert result.invalid[0].component == "helpful"
    assert np.isfinite(result.reward[1])


def test_a_sample_without_what_the_recipe_needs_is_invalid_and_says_which_field(evaluated: Any) -> None:
    recipe = "components: {a: {score: given, inputs: {value: {feature: mine}}}}"
    result = evaluated(recipe, features=[{"mine": 2.0}, {"other": 1.0}])
    assert result.reward[0] == 2.0
    assert result.invalid[1].param == "features.mine"


def test_a_guard_flags_zeroes_or_refuses_as_the_recipe_says(evaluated: Any) -> None:
    base = "components: {a: {score: given, inputs: {value: 3.0}}}\nguards: [{empty_response: {action: %s}}]"
    flagged = evaluated(base % "flag", responses=["", "x"])
    zeroed = evaluated(base % "zero", responses=["", "x"])
    refused = evaluated(base % "invalid", responses=["", "x"])
    assert flagged.reward.tolist() == [3.0, 3.0]
    assert zeroed.reward.tolist() == [0.0, 3.0]
    assert refused.invalid[0].code == "guard"
    assert refused.reward[1] == 3.0


def test_what_a_guard_zeroes_is_compared_as_a_zero(evaluated: Any) -> None:
    recipe = """
components: {a: {score: given, inputs: {value: 3.0}}}
guards: [{empty_response: {action: zero}}]
group: {normalize: mean}
"""
    result = evaluated(recipe, responses=["", "x"], group_names=["g", "g"])
    assert result.reward.tolist() == [-1.5, 1.5]


def test_a_missing_response_is_not_an_empty_one(evaluated: Any) -> None:
    recipe = "components: {a: {score: response_length}}\nguards: [empty_response]"
    result = evaluated(recipe, responses=[None, ""])
    assert result.invalid[0].code == "missing_field"
    assert result.flags == {1: ("empty_response",)}


def test_a_flagged_truncation_may_be_refused(evaluated: Any) -> None:
    from .conftest import raw_scores

    cut = raw_scores(1.0, 2.0, flags={1: ("truncated",)})
    flagged = evaluated("components: {a: {score: m}}", raw={"a": cut}, responses=["x", "y"])
    refused = evaluated("components: {a: {score: m, truncation: refuse}}", raw={"a": cut}, responses=["x", "y"])
    assert flagged.flags == {1: ("truncated",)}
    assert not flagged.invalid
    assert refused.invalid[1].code == "truncated"


def test_rewards_are_compared_within_their_group(evaluated: Any) -> None:
    recipe = "components: {a: {score: given, inputs: {value: {feature: v}}}}\ngroup: {normalize: mean}"
    features = [{"v": 1.0}, {"v": 5.0}, {"v": 3.0}, {"v": 9.0}]
    result = evaluated(recipe, features=features, group_names=["x", "y", "x", "y"])
    assert result.reward.tolist() == [-1.0, -2.0, 1.0, 2.0]


def test_an_invalid_sample_changes_nobodys_baseline(evaluated: Any) -> None:
    recipe = "components: {a: {score: given, inputs: {value: {feature: v}}}}\ngroup: {normalize: mean}"
    features: list[dict[str, float]] = [{"v": 1.0}, {}, {"v": 3.0}]
    result = evaluated(recipe, features=features, group_names=["x"] * 3)
    assert result.reward[[0, 2]].tolist() == [-1.0, 1.0]
    assert math.isnan(result.reward[1])


def test_step_rewards_are_aggregated_or_end_in_credit(evaluated: Any) -> None:
    steps = "components: {p: {score: given, inputs: {value: 0.0}}}"
    assert evaluated(steps, responses=["a"]).rewards is None
    renorm = """
components:
  outcome: {score: given, inputs: {value: {feature: correct}}}
credit: {renorm: {process: {feature: judged}, outcome: {component: outcome}}}
"""
    features = [{"correct": 0.0, "judged": [[4, 6], [5, 5]]}, {"correct": 1.0, "judged": [[4, 6], [5, 5]]}]
    result = evaluated(renorm, features=features)
    assert result.rewards[0] == pytest.approx([-1 / 3, 0.0, 0.0])
    assert result.rewards[1] == pytest.approx([2 / 3, 1.0, 1.0])


def test_an_entry_of_a_vector_that_cannot_be_shaped_makes_its_sample_invalid(evaluated: Any) -> None:
    recipe = """
components:
  steps: {score: step_values, transforms: [log, {aggregate: {how: min}}]}
"""
    recipe = recipe.replace("step_values", "given_steps")
    features = [{"values": [1.0, 2.0]}, {"values": [1.0, -2.0]}]
    result = evaluated(recipe, features=features)
    assert result.reward[0] == 0.0
    assert result.invalid[1].component == "steps"


def test_a_stream_transform_sees_the_batch_and_gives_every_row_its_value(evaluated: Any) -> None:
    from reward_gateway.operations.effects import Moments

    recipe = (
        "components: {a: {score: given, inputs: {value: {feature: v}},"
        " transforms: [{running_normalise: {stream: run}}]}}"
    )
    features = [{"v": 1.0}, {"v": 3.0}]
    result = evaluated(recipe, features=features, answers=[Moments(2, 2.0, 2.0)])
    assert result.reward == pytest.approx(np.array([-1.0, 1.0]) / math.sqrt(2.0))


def test_a_group_operation_gives_its_members_their_rewards(evaluated: Any) -> None:
    recipe = """
components:
  rule: {score: given, inputs: {value: {feature: correct}}}
  length: {score: given, inputs: {value: {feature: tokens}}}
combine: {harmo: {p_max: 0.5, tau: 0.5, over: [rule, length]}}
"""
    features = [
        {"correct": 1.0, "tokens": 200.0},
        {"correct": 1.0, "tokens": 220.0},
        {"correct": 0.0, "tokens": 40.0},
        {"correct": 0.0, "tokens": 90.0},
    ]
    result = evaluated(recipe, features=features, group_names=["q"] * 4)
    assert result.reward == pytest.approx([1.0, 1.0, -0.3095, -0.0714], abs=1e-4)


COHORT = """
components: {a: {score: given, inputs: {value: {feature: v}}}}
group: {normalize: mean, cohort: {size: 3, timeout_s: 5, incomplete: %s}}
"""


def test_a_sample_is_compared_with_its_cohort_wherever_the_others_came_from(evaluated: Any) -> None:
    members = np.array([[1.0, 1.0], [5.0, 5.0], [3.0, 3.0]])
    result = evaluated(COHORT % "score", features=[{"v": 5.0}], answers=[[(members, 1)]])
    assert result.reward.tolist() == [2.0]
    assert not result.flags


def test_an_incomplete_cohort_is_scored_and_flagged_or_refused(evaluated: Any) -> None:
    small = [(np.array([[1.0, 1.0], [5.0, 5.0]]), 1)]
    scored = evaluated(COHORT % "score", features=[{"v": 5.0}], answers=[small])
    refused = evaluated(COHORT % "invalid", features=[{"v": 5.0}], answers=[small])
    assert scored.reward.tolist() == [2.0]
    assert scored.flags == {0: ("cohort_incomplete",)}
    assert "only 2 of 3" in refused.invalid[0].message


TWO_IN_A_COHORT = """
components:
  a: {score: given, inputs: {value: {feature: a}}}
  b: {score: given, inputs: {value: {feature: b}}}
combine: {weighted_sum: {weights: {a: 2.0, b: 1.0}}}
group: {%s, cohort: {size: 2, timeout_s: 7, incomplete: score}}
"""


def asked_of_cohorts(evaluation: Any) -> effects.JoinCohorts:
    """The first effect of an evaluation that needs nothing else."""
    asked = evaluation.send(None)
    assert isinstance(asked, effects.JoinCohorts)
    return asked


def test_a_member_brings_its_reward_and_its_components_to_its_cohort() -> None:
    plan = compile_recipe(TWO_IN_A_COHORT % "normalize: mean")
    batch = batch_of(2, prompts=["p", "q"], features=[{"a": 1.0, "b": 3.0}, {"a": 2.0, "b": 4.0}])
    asked = asked_of_cohorts(evaluate_plan(plan, batch, {}))
    assert np.array(asked.payloads).tolist() == [[5.0, 1.0, 3.0], [8.0, 2.0, 4.0]]
    assert (list(asked.rows), asked.size, asked.timeout_s) == ([0, 1], 2, 7.0)
    assert len(set(asked.names)) == 2, "prompts have cohorts of their own"
    assert all(name.startswith(f"{plan.name}/{plan.version}/") for name in asked.names)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("normalize: mean", -7.5),  # of rewards 5 and 20, whatever the components are
        ("normalize: rloo", -15.0),
        # The first component is above the mean, the second below, by the same once their scale is taken out; the first
        # weighs more. What is left of two members is their order: one deviation (with n - 1) apart.
        ("normalize: gdpo, weights: {a: 3.0, b: 1.0}", math.sqrt(0.5)),
    ],
)
def test_a_cohort_is_compared_by_the_columns_that_the_recipe_says(evaluated: Any, how: str, expected: float) -> None:
    members = np.array([[5.0, 2.0, 1000.0], [20.0, 1.0, 2000.0]])
    result = evaluated(TWO_IN_A_COHORT % how, features=[{"a": 1.0, "b": 3.0}], answers=[[(members, 0)]])
    assert result.reward[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("value", [1e300, -1e300])
def test_an_infinite_reward_is_a_reason_and_no_number(evaluated: Any, value: float) -> None:
    recipe = "components: {a: {score: given, inputs: {value: {feature: v}}, transforms: [{affine: {scale: 1.0e+300}}]}}"
    with np.errstate(over="ignore"):
        result = evaluated(recipe, features=[{"v": value}, {"v": 2.0}])
    assert result.invalid[0].code == "not_finite"
    assert math.isnan(result.reward[0])
    assert result.reward[1] == 2e300
    assert list(result.invalid) == [0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=12), st.randoms())
def test_alone_in_any_batch_and_in_any_order_a_sample_has_one_reward(rows: list[tuple[float, float]], rng: Any) -> None:
    from .conftest import batch_of, compile_recipe, raw_scores, run_plan

    plan = compile_recipe(MIXED)
    order = list(range(len(rows)))
    rng.shuffle(order)

    def rewards(chosen: list[int]) -> list[float]:
        batch = batch_of(len(chosen), responses=["word " * (i % 5) for i in chosen])
        raw = {
            "helpful": raw_scores(*(rows[i][0] for i in chosen)),
            "harmless": raw_scores(*(rows[i][1] for i in chosen)),
        }
        return list(run_plan(plan, batch, raw).reward)

    together = dict(zip(order, rewards(order), strict=True))
    assert [together[i] for i in range(len(rows))] == [rewards([i])[0] for i in range(len(rows))]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StateUnavailable("the store is away"), "state_unavailable"),
        (Overloaded("too many wait"), "overloaded"),
        (ModelUnavailable("the model is away"), "model_unavailable"),
    ],
)
def test_an_effect_that_cannot_be_answered_is_the_reason_of_its_samples_in_its_own_words(
    error: Unavailable, code: str
) -> None:
    reason = explain_unavailable(error)
    assert (reason.code, reason.message) == (code, error.message)
    assert reason.server_caused


def test_a_component_with_a_vector_a_sample_shows_the_vectors_and_their_sums(evaluated: Any) -> None:
    rewards = evaluated(
        "components: {a: {score: given_steps}}\ncredit: return_to_go", features=[{"values": [1.0, 2.0]}]
    )
    assert rewards.components["a"].vectors is not None
