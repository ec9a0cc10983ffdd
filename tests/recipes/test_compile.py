"""A recipe that cannot work is refused when it is loaded, with what is wrong."""

from typing import Any

import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book


def faults_of(text: str, models: Any = None) -> str:
    with pytest.raises(InvalidRecipe) as refused:
        load_book(text, models, strict=True)
    return " | ".join(f"{fault['path']}: {fault['message']}" for fault in refused.value.faults)


class TestAVersionOfAModel:
    KNOWN = {"m": ("prompt", "response"), "m@1": ("prompt", "response"), "m@2": ("prompt", "images")}  # noqa: RUF012

    def test_one_that_is_served_is_asked_by_its_version(self) -> None:
        book = load_book("rewards: {r: {components: {a: {score: m@2}}}}", self.KNOWN, strict=True)
        assert book.get("r").models == ("m@2",)
        assert book.get("r").inputs == ("prompt", "images")

    @pytest.mark.parametrize("strict", [True, False])
    def test_one_that_is_not_served_is_refused(self, strict: bool) -> None:
        with pytest.raises(InvalidRecipe, match=r"no version '3' \(served: m@1, m@2\)"):
            load_book("rewards: {r: {components: {a: {score: m@3}}}}", self.KNOWN, strict=strict)

    def test_one_that_is_still_to_come_is_taken_where_the_gateway_starts(self) -> None:
        book = load_book("rewards: {r: {components: {a: {score: m@3}}}}", self.KNOWN, pinned=False)
        assert book.get("r").models == ("m@3",)


def one(recipe: str) -> str:
    return f"rewards: {{r: {recipe}}}"


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ("{}", "components"),
        ("{components: {}}", "components"),
        ("{components: {a: {score: nothing_known}}}", "no scoring operation and no model"),
        ("{components: {a: {score: m, params: {x: 1}}}}", "it takes no params"),
        ("{components: {a: {score: given, dimension: x}}}", "only a model has dimensions"),
        ("{components: {a: {score: m, transforms: [{affine: {}, aggregate: {}}]}}}", "one name"),
        ("{components: {a: {score: m, transforms: [{affine: 3}]}}}", "transforms"),
        ("{components: {a: {score: m, transforms: [{affine: {scale: {feature: x}}}]}}}", "scale"),
        ("{components: {a: {score: m}}, combine: {weighted_sum: {over: [b]}}}", "no component 'b'"),
        ("{components: {a: {score: m}}, combine: {no_such_combiner: {}}}", "no operation combine/no_such_combiner"),
        ("{components: {a: {score: m}}, guards: [{empty_response: {action: explode}}]}", "flag, zero or invalid"),
        (
            "{components: {a: {score: m}}, guards: [{ensemble_disagreement: {components: [a, b], threshold: 1.0}}]}",
            "no component 'b'",
        ),
        ("{components: {a: {score: m}}, on_invalid: default}", "default needs default_reward"),
        ("{components: {a: {score: m}}, group: {normalize: sideways}}", "group.normalize"),
        ("{components: {a: {score: m}}, group: {normalize: mean, weights: {a: 2}}}", "belong to gdpo"),
        ("{components: {a: {score: m}}, group: {cohort: {size: 4}}}", "say how in `normalize`"),
        ("{components: {a: {score: m}}, typo: 1}", "typo"),
    ],
)
def test_a_fault_is_named(recipe: str, says: str) -> None:
    assert says in faults_of(one(recipe), models={"m": ("prompt", "response")})


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
