"""A recipe that cannot work is refused when it is loaded, with what is wrong."""

from typing import Any

import pytest
from reward_gateway.backends.port import ModelInfo
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.known_models import KnownModel, known_models

READS_TEXT = KnownModel(("prompt", "response"), ("score",))
KNOWN = {"m": READS_TEXT, "text_preference": READS_TEXT, "robot": KnownModel(("frames",), ("progress", "success"))}


def faults_of(text: str, models: Any = None) -> str:
    with pytest.raises(InvalidRecipe) as refused:
        load_book(text, models)
    return " | ".join(f"{fault['path']}: {fault['message']}" for fault in refused.value.faults)


class TestAVersionOfAModel:
    KNOWN = {"m": READS_TEXT, "m@1": READS_TEXT, "m@2": KnownModel(("prompt", "images"))}  # noqa: RUF012

    def test_one_that_is_served_is_asked_by_its_version(self) -> None:
        book = load_book("rewards: {r: {components: {a: {score: m@2}}}}", self.KNOWN)
        assert book.get("r").models == ("m@2",)
        assert book.get("r").inputs == ("prompt", "images")

    def test_one_that_is_not_served_is_refused(self) -> None:
        with pytest.raises(InvalidRecipe, match=r"no version '3' \(served: m@1, m@2\)"):
            load_book("rewards: {r: {components: {a: {score: m@3}}}}", self.KNOWN)

    def test_one_that_is_still_loading_is_known(self) -> None:
        info = ModelInfo("m", "2", True, ("prompt",), ("score",), 8, versions=("2-abc",), expected=("3",))
        assert set(known_models([info])) == {"m", "m@2", "m@3"}


def test_a_model_that_is_not_loaded_is_known_from_its_files() -> None:
    held = ModelInfo("robot", "", False, (), (), 0, wanted=False)
    on_disk = ModelInfo("robot", "1", False, ("prompt", "frames"), ("progress", "success"), 64)
    elsewhere = ModelInfo("other", "1", False, ("prompt",), ("score",), 64)
    known = known_models([held], [on_disk, elsewhere])
    assert known == {"robot": KnownModel(("prompt", "frames"), ("progress", "success"))}


def one(recipe: str) -> str:
    return f"rewards: {{r: {recipe}}}"


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ("{}", "components"),
        ("{components: {}}", "components"),
        ("{components: {a: {}}}", "rewards.r.components.a.score: Field required"),
        ("{components: {a: {score: m, truncation: drop}}}", "r.components.a.truncation"),
        ("{components: {a: {score: nothing_known}}}", "no scoring operation and no model"),
        ("{components: {a: {score: lenght_penalty}}}", "did you mean 'length_penalty'?"),
        ("{components: {a: {score: text_preferense}}}", "did you mean 'text_preference'?"),
        ("{components: {a: {score: process_reward, params: {model: text_preferance}}}}", "mean 'text_preference'?"),
        ("{components: {a: {score: robot}}}", "gives 2 numbers: choose one with `dimension` (progress, success)"),
        (
            "{components: {a: {score: verify_rm, params: {model: robot}}}}",
            "gives 2 numbers (progress, success), and one is",
        ),
        ("{components: {a: {score: robot, dimension: sucess}}}", "no dimension 'sucess'; did you mean 'success'?"),
        ("{components: {a: {score: m}}, guards: [emtpy_response]}", "did you mean 'empty_response'?"),
        ("{components: {a: {score: m, transforms: [log_sigmoit]}}}", "did you mean 'log_sigmoid'"),
        ("{components: {good: {score: m}}, combine: {weighted_sum: {weights: {god: 1}}}}", "did you mean 'good'?"),
        (
            "{components: {a: {score: m}, b: {score: m}}, combine: {weighted_sum: {weights: {a: 1}}}}",
            "r.components.b: the component 'b' is not used by combine/weighted_sum",
        ),
        (
            "{components: {a: {score: m}, b: {score: m}, c: {score: m}}, combine: {gate: {gate: a, weights: {b: 1}}}}",
            "the component 'c' is not used by combine/gate",
        ),
        (
            "{components: {a: {score: m}, b: {score: m}}, combine: {geometric: {weights: {a: 1}}}}",
            "the component 'b' is not used by combine/geometric",
        ),
        (
            "{components: {a: {score: m}, b: {score: m}}, combine: {weighted: {weights: {a: 1}}}}",
            "the component 'b' is not used by combine/weighted",
        ),
        (
            "{components: {a: {score: m}, b: {score: m}}, combine: {lexicographic: {order: [{name: a}]}}}",
            "the component 'b' is not used by combine/lexicographic",
        ),
        (
            "{components: {a: {score: m}, b: {score: m}}, combine: {lexicographic: {order: [{name: a}, {name: x}]}}}",
            "combine.lexicographic.order[1].name: there is no component 'x'",
        ),
        (
            "{components: {a: {score: m}, b: {score: m}}, "
            "combine: {weighted_sum: {over: [a], weights: {a: 1, b: 1}}, then: {add: [b]}}}",
            "the component 'b' is not combined",
        ),
        (
            "{components: {outcome: {score: m}, process: {score: given_steps}, spare: {score: m}}, credit: renorm}",
            "the component 'spare' is not read by credit/renorm",
        ),
        ("{components: {a: {score: m, params: {x: 1}}}}", "it takes no params"),
        ("{components: {a: {score: given, dimension: x}}}", "only a model has dimensions"),
        ("{components: {a: {score: m, transforms: [{affine: {}, aggregate: {}}]}}}", "one name"),
        ("{components: {a: {score: m, transforms: [{affine: 3}]}}}", "transforms"),
        ("{components: {a: {score: m, transforms: [{affine: {scale: {feature: x}}}]}}}", "scale"),
        ("{components: {a: {score: m}}, combine: {weighted_sum: {over: [b]}}}", "no component 'b'"),
        (
            "{components: {good: {score: m}, "
            "a: {score: m, transforms: [{par: {reference_rewards: {component: god}}}]}}}",
            "r.components.a.transforms[0].par.reference_rewards: "
            "there is no component 'god' before this one; did you mean 'good'?",
        ),
        (
            "{components: {a: {score: m}, b: {score: m}}, combine: heron}",
            "r.combine: combine/heron does not take named components",
        ),
        ("{components: {a: {score: m}}, combine: {no_such_combiner: {}}}", "no operation combine/no_such_combiner"),
        ("{components: {a: {score: m}}, guards: [{empty_response: {action: explode}}]}", "flag, zero or invalid"),
        (
            "{components: {a: {score: m}}, guards: [{ensemble_disagreement: {components: [a, b], threshold: 1.0}}]}",
            "no component 'b'",
        ),
        (
            "{components: {a: {score: m}, b: {score: m}}, combine: weighted_sum, guards: [emtpy_response]}",
            "did you mean 'empty_response'?",
        ),
        (
            "{components: {a: {score: m}, b: {score: m}}, combine: weighted_sum, "
            "guards: [{saturated: {component: b, high: much}}]}",
            "guards[0].saturated.high: Input should be a valid number",
        ),
        ("{components: {a: {score: m}}, on_invalid: default}", "default needs default_reward"),
        ("{components: {a: {score: m}}, group: {normalize: sideways}}", "group.normalize"),
        ("{components: {a: {score: m}}, group: {normalize: mean, weights: {a: 2}}}", "need `normalize: gdpo`"),
        ("{components: {a: {score: m}}, group: {cohort: {size: 4}}}", "set `normalize`"),
        ("{components: {a: {score: m}}, typo: 1}", "typo"),
    ],
)
def test_a_fault_is_named(recipe: str, says: str) -> None:
    assert says in faults_of(one(recipe), KNOWN)


@pytest.mark.parametrize(
    "recipe",
    [
        "{components: {a: {score: m}, b: {score: m}}, combine: {weighted_sum: {weights: {a: 1, b: 0}}}}",
        "{components: {a: {score: m}, b: {score: m}}, combine: {weighted_sum: {weights: {a: 1}}, then: {add: [b]}}}",
        "{components: {a: {score: m}, b: {score: m}}, combine: {gate: {gate: a}}}",
        "{components: {a: {score: m}, b: {score: m}}, combine: weighted_sum}",
        "{components: {b: {score: m}, a: {score: m, transforms: [{par: {reference_rewards: {component: b}}}]}}, "
        "combine: {weighted_sum: {weights: {a: 1}}}}",
        "{components: {a: {score: m}, b: {score: m}}, combine: {weighted_sum: {weights: {a: 1}}}, "
        "guards: [{saturated: {component: b, high: 1.0}}]}",
        "{components: {a: {score: robot, dimension: progress}}}",
        "{components: {a: {score: likelihood}}}",
    ],
)
def test_what_counts_somewhere_and_what_is_said_outright_is_no_fault(recipe: str) -> None:
    assert load_book(one(recipe), KNOWN)


def test_a_fault_of_an_experiments_candidate_is_named() -> None:
    text = "rewards: {r: {components: {a: {score: m}}}}\nexperiments: {e: {model: m, candidate: text_preferenc}}"
    assert "experiments.e.candidate: there is no model 'text_preferenc'; did you mean" in faults_of(text, KNOWN)


def test_an_experiment_on_a_model_that_no_recipe_asks_is_named() -> None:
    text = "rewards: {r: {components: {a: {score: m}}}}\nexperiments: {e: {model: robot, candidate: m}}"
    assert "experiments.e.model: no recipe asks for 'robot' (models in use: m)" in faults_of(text, KNOWN)


def test_the_models_in_use_are_not_known_while_a_recipe_has_a_fault() -> None:
    text = "rewards: {r: {components: {a: {score: robto}}}}\nexperiments: {e: {model: robot, candidate: m}}"
    assert "experiments.e.model" not in faults_of(text, KNOWN)


def test_a_default_that_is_misspelt_is_named() -> None:
    assert "did you mean 'helpful'?" in faults_of(
        "default: helpfull\nrewards: {helpful: {components: {a: {score: m}}}}"
    )


def test_a_name_that_is_no_operation_is_a_model_where_the_models_are_not_known_yet() -> None:
    plan = load_book(one("{components: {a: {score: some_model}}}")).get("r")
    assert plan.models == ("some_model",)


def test_the_version_is_of_the_content_and_not_of_the_description() -> None:
    base = load_book(one("{components: {a: {score: m}}}")).get("r").version
    described = load_book(one("{description: hello, components: {a: {score: m}}}")).get("r").version
    other = load_book(one("{components: {a: {score: m, transforms: [affine]}}}")).get("r").version
    assert base == described
    assert base != other
    assert base.startswith("b3:")


def test_the_summary_names_the_inputs_that_a_sample_must_have() -> None:
    recipe = "{components: {a: {score: given, inputs: {value: {feature: mine}}}}}"
    assert load_book(one(recipe)).get("r").summary()["inputs"] == ["features.mine"]


def test_the_first_reward_answers_where_no_default_is_named() -> None:
    book = load_book("rewards: {x: {components: {a: {score: m}}}, y: {components: {a: {score: m}}}}")
    assert book.default == "x"
