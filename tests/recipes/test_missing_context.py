"""Context that is missing is never scored: prompts, groups, and the other members of a group."""

import json
import math
from typing import Any

import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.operations.registry import catalog
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.fields import reads_sample
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.recipes.missing_context import find_missing_context
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Media

from .conftest import batch_of, compile_recipe, run_plan

KNOWN = {
    "of_response": KnownModel(("response",)),
    "of_both": KnownModel(("prompt", "response")),
    "of_messages": KnownModel(("messages",)),
    "of_image": KnownModel(("prompt", "images")),
}
PROMPTED = sorted(
    {
        operation.name
        for operation in catalog().of_kind("score")
        if any(
            reads_sample(name, field)
            for name, field in operation.item.model_fields.items()
            if name in ("prompt", "messages")
        )
    }
)


def plan_of(recipe: str) -> Plan:
    return load_book(f"rewards: {{r: {recipe}}}", KNOWN).get("r")


def find_missing(recipe: str, **columns: Any) -> dict[int, tuple[str, str | None]]:
    """Row -> code and param, for two samples, the second of which came without a prompt."""
    batch = batch_of(2, **{"prompts": ["", ""], "without_prompt": frozenset({1}), **columns})
    found = find_missing_context(plan_of(recipe), batch)
    return {row: (reason.code, reason.param) for row, reason in found.items()}


@pytest.mark.parametrize("model", ["of_both", "of_messages", "of_image"])
def test_what_a_model_reads_may_not_be_missing(model: str) -> None:
    assert find_missing(f"{{components: {{a: {{score: {model}}}}}}}") == {1: ("missing_field", "prompt")}


@pytest.mark.parametrize("name", PROMPTED)
def test_every_operation_that_reads_a_prompt_needs_one(name: str) -> None:
    params = {"judge": "j", "opponent": "o", "model": "of_both"}
    operation = catalog().get("score", name)
    assert operation is not None
    known = {key: value for key, value in params.items() if key in operation.params.model_fields}
    if "judge" in known:
        known.pop("model", None)  # where either may be asked, one is named
    transforms = [{"aggregate": {"how": "min"}}] if operation.returns == "vector" else []
    inputs = {
        field: {"feature": "x"}
        for field, described in operation.item.model_fields.items()
        if described.is_required() and not reads_sample(field, described)
    }
    recipe = {"components": {"a": {"score": name, "params": known, "inputs": inputs, "transforms": transforms}}}
    plan = plan_of(json.dumps(recipe))
    assert plan.needs_prompt is not bool(operation.prompt_unless)
    assert "prompt" in plan.inputs


def test_an_operation_that_reads_none_needs_none() -> None:
    assert find_missing("{components: {a: {score: exact_match}}}") == {}
    assert find_missing("{components: {a: {score: of_response}}}") == {}


def test_a_field_that_is_bound_to_the_prompt_reads_it() -> None:
    recipe = "{components: {a: {score: roboreward, params: {judge: j}, inputs: {task: {sample: prompt}}}}}"
    assert find_missing(recipe) == {1: ("missing_field", "prompt")}
    constant = recipe.replace("{sample: prompt}", "open the door")
    assert find_missing(constant) == {}


def test_a_recipe_may_do_without() -> None:
    assert find_missing("{components: {a: {score: of_both}}, optional: [prompt]}") == {}


def test_a_component_may_do_without() -> None:
    rule = "{score: judge_reference, params: {judge: j}, optional: true}"
    recipe = f"{{components: {{rule: {rule}, model: {{score: of_response}}}}, combine: harmo}}"
    assert not plan_of(recipe).needs_prompt


def test_numbers_that_a_model_would_have_read_the_prompt_for_stand_in_for_it() -> None:
    plan = compile_recipe("components: {a: {score: perplexity}}")
    features = [{"logprobs": [-1.0, -1.0]}, {}]
    result = run_plan(plan, batch_of(2, without_prompt=frozenset({0, 1}), features=features))
    assert (set(result.invalid), result.invalid[1].code, result.invalid[1].param) == ({1}, "missing_field", "prompt")


def test_recipes_say_that_they_read_the_prompt() -> None:
    assert plan_of("{components: {a: {score: judge_reference, params: {judge: j}}}}").inputs.count("prompt") == 1
    assert "prompt" not in plan_of("{components: {a: {score: exact_match}}}").inputs


@pytest.mark.parametrize("how", ["mean", "zscore", "rloo", "rank", "gdpo"])
def test_what_compares_a_group_needs_a_group_or_a_prompt(how: str) -> None:
    recipe = f"{{components: {{a: {{score: of_response}}}}, group: {{normalize: {how}}}}}"
    assert find_missing(recipe) == {1: ("missing_field", "group")}
    assert find_missing(recipe, group_names=[None, "g"]) == {}
    assert find_missing(recipe.replace("group: {", "group: {answer: combined, ")) == {}


def test_stored_references_need_to_know_whose_they_are() -> None:
    recipe = "{components: {a: {score: of_response, transforms: [{par: {reference_rewards: {references: stored}}}]}}}"
    assert find_missing(recipe) == {1: ("missing_field", "group")}


def test_samples_without_a_prompt_are_no_group() -> None:
    recipe = (
        "{components: {a: {score: given, inputs: {value: {feature: x}}}}, group: {normalize: zscore, answer: combined}}"
    )
    batch = batch_of(
        3, prompts=[""] * 3, without_prompt=frozenset(range(3)), features=[{"x": v} for v in (0.5, 0.7, 0.1)]
    )
    result = run_plan(plan_of(recipe), batch)
    assert result.reward.tolist() == [0.5, 0.7, 0.1]


# Groups of one.

GIVEN = "{score: given, inputs: {value: {feature: x}}}"
VERPO = "{alpha: 1.0, sigma: 1.0, delta: 0.1, beta: 1.0, gamma: 1.0}"
METHODS = {
    **{
        how: f"components: {{a: {GIVEN}}}\ngroup: {{normalize: {how}}}\n"
        for how in ("mean", "zscore", "rloo", "rank", "gdpo")
    },
    "transform/group_normalise": f"components: {{a: {GIVEN[:-1]}, transforms: [group_normalise]}}}}\n",
    "combine/gdpo": f"components: {{a: {GIVEN}, b: {GIVEN}}}\ncombine: gdpo\n",
    "combine/cgrpo": f"components: {{outcome: {GIVEN}, rubric: {GIVEN}}}\ncombine: cgrpo\n",
    "combine/harmo": f"components: {{model: {GIVEN}}}\ncombine: {{harmo: {{over: [model]}}}}\n",
    "credit/verpo": f"components: {{outcome: {GIVEN}}}\ncredit: {{verpo: {VERPO}}}\n",
}
TWO = [{"x": 0.2}, {"x": 0.6}]


def alone(recipe: str, features: list[dict[str, float]], **columns: Any) -> Any:
    given = [{**row, "turn_pass": [[1.0], [0.0]]} for row in features]
    return run_plan(compile_recipe(recipe), batch_of(len(features), features=given, **columns))


@pytest.mark.parametrize("recipe", METHODS.values(), ids=METHODS.keys())
def test_a_group_of_one_is_refused(recipe: str) -> None:
    result = alone(recipe, [{"x": 0.5}])
    assert result.invalid[0].code == "group_of_one"
    assert math.isnan(result.reward[0])
    assert result.reward_raw is not None
    assert math.isnan(result.reward_raw[0])


@pytest.mark.parametrize("recipe", METHODS.values(), ids=METHODS.keys())
def test_so_is_the_only_valid_member_of_a_group_of_two(recipe: str) -> None:
    result = alone(recipe, [{"x": 0.5}, {}])
    assert (result.invalid[0].code, result.invalid[1].code) == ("group_of_one", "missing_field")


@pytest.mark.parametrize("recipe", METHODS.values(), ids=METHODS.keys())
def test_a_group_of_two_beside_it_is_scored_as_if_it_were_not_there(recipe: str) -> None:
    features = [{"x": 0.5}, *TWO, *[{"x": 0.9}, {"x": 0.1}]]
    groups = ["lone", "a", "a", "b", "b"]
    beside, apart = alone(recipe, features, group_names=groups), alone(recipe, features[1:], group_names=groups[1:])
    assert set(beside.invalid) == {0}
    assert beside.reward[1:].tolist() == pytest.approx(apart.reward.tolist(), nan_ok=True)


@pytest.mark.parametrize("how", ["zscore", "rank"])
def test_what_compares_a_request_refuses_a_request_of_one(how: str) -> None:
    recipe = f"components: {{a: {GIVEN[:-1]}, transforms: [{how}]}}}}\n"
    assert alone(recipe, [{"x": 0.5}]).invalid[0].code == "group_of_one"
    assert not alone(recipe, TWO, group_names=["a", "b"]).invalid
    assert alone(recipe + "group: {single: raw}\n", [{"x": 0.5}]).reward.tolist() == [0.5]


@pytest.mark.parametrize("how", ["mean", "zscore", "rloo", "rank", "gdpo"])
@pytest.mark.parametrize(("single", "expected"), [("raw", 0.5), ("zero", 0.0)])
def test_a_recipe_may_say_what_a_group_of_one_gets(how: str, single: str, expected: float) -> None:
    recipe = f"components: {{a: {GIVEN}}}\ngroup: {{normalize: {how}, single: {single}}}\n"
    result = alone(recipe, [{"x": 0.5}, *TWO], group_names=["lone", "a", "a"])
    assert result.reward[0] == expected
    assert result.reward_raw is not None
    assert result.reward_raw.tolist() == [0.5, 0.2, 0.6]
    assert not result.invalid


def test_a_step_that_compares_leaves_a_lone_value_as_it_is() -> None:
    recipe = METHODS["transform/group_normalise"]
    assert alone(recipe + "group: {single: raw}\n", [{"x": 0.5}]).reward.tolist() == [0.5]
    assert alone(recipe + "group: {single: zero}\n", [{"x": 0.5}]).reward.tolist() == [0.0]


def test_with_the_combined_answer_a_lone_sample_is_valid() -> None:
    recipe = f"components: {{a: {GIVEN}}}\ngroup: {{normalize: zscore, answer: combined}}\n"
    result = alone(recipe, [{"x": 0.5}, *TWO], group_names=["lone", "a", "a"])
    assert not result.invalid
    assert result.reward[0] == 0.5
    assert result.reward[1:] == pytest.approx([-0.7069, 0.7069], abs=1e-3)


def test_answers_of_grouped_recipes_have_the_reward_before_the_group() -> None:
    result = alone(METHODS["zscore"], TWO)
    assert result.reward_raw is not None
    assert result.reward_raw.tolist() == [0.2, 0.6]
    assert alone(f"components: {{a: {GIVEN}}}\n", TWO).reward_raw is None


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("answer: combined", "set `normalize`"),
        ("single: raw", "nothing in this recipe compares"),
        ("normalize: mean, answer: combined, cohort: {size: 2}", "drop one"),
    ],
)
def test_settings_that_contradict_each_other_are_faults(group: str, said: str) -> None:
    with pytest.raises(InvalidRecipe, match=said):
        compile_recipe(f"components: {{a: {GIVEN}}}\ngroup: {{{group}}}\n")


# Images that nothing reads.


@pytest.mark.parametrize(("model", "flagged"), [("of_response", True), ("of_image", False)])
@pytest.mark.parametrize("field", ["images", "frames"])
def test_images_that_nothing_reads_are_flagged(model: str, flagged: bool, field: str) -> None:
    from .conftest import raw_scores

    plan = plan_of(f"{{components: {{a: {{score: {model}}}}}}}")
    batch = batch_of(2, **{field: [[Media(b"png")], []]})
    result = run_plan(plan, batch, {"a": raw_scores(1.0, 2.0)})
    expected = {0: ("media_ignored",)} if flagged or field == "frames" else {}
    assert result.flags == expected
