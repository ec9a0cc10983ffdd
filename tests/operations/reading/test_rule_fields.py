"""operations/reading/rule_fields.py: a reference may be an object with the fields of its rule, and ``answer``."""

import json
from typing import Any

import pytest
from reward_gateway.recipes.evaluation import Rewards

from tests.recipes.conftest import batch_of, compile_recipe, run_plan

CHOICES = ["Paris", "Rome"]


def ask(
    call: Any, reference: Any, name: str = "multiple_choice", response: str = "The answer is Rome.", **params: Any
) -> Any:
    return call(f"score/{name}", {"response": response, "reference": reference}, **params)[0]


def run_recipe(recipe: str, *references: Any, response: str = "The answer is Rome.") -> Rewards:
    size = len(references)
    return run_plan(compile_recipe(recipe), batch_of(size, responses=[response] * size, references=list(references)))


CHOICE = "components: {right: {score: multiple_choice}}"


@pytest.mark.parametrize(("answer", "reward"), [("B", 1.0), ("A", 0.0), (["A", "B"], 1.0)])
@pytest.mark.parametrize("written", [lambda reference: reference, json.dumps])
def test_an_object_holds_the_fields_and_the_answer_in_items_and_in_recipes(
    call: Any, answer: Any, reward: float, written: Any
) -> None:
    reference = written({"answer": answer, "choices": CHOICES})
    assert ask(call, reference)["reward"] == reward
    assert run_recipe(CHOICE, reference).reward.tolist() == [reward]


def test_samples_with_and_without_fields_share_a_request() -> None:
    rewards = run_recipe(CHOICE, {"answer": "B", "choices": CHOICES}, "B", {"answer": "B"}, "A", response="Rome (B)")
    assert rewards.reward.tolist() == [1.0, 1.0, 1.0, 0.0]


def test_what_the_reference_says_goes_before_what_the_item_and_the_recipe_say(call: Any) -> None:
    reference = {"answer": "B", "choices": CHOICES}
    item = {"response": "The answer is Rome.", "reference": reference, "choices": ["Rome", "Paris"]}
    assert call("score/multiple_choice", item)[0]["reward"] == 1.0
    bound = "components: {right: {score: multiple_choice, inputs: {choices: [Rome, Paris]}}}"
    assert run_recipe(bound, reference, "B").reward.tolist() == [1.0, 0.0]


def test_an_unknown_key_is_a_fault_of_its_item_and_names_the_known_ones(call: Any) -> None:
    reference = {"answer": "B", "chioces": CHOICES}
    error = ask(call, reference)["error"]
    assert (error["code"], error["param"]) == ("invalid_field", "reference.chioces")
    assert "answer, choices" in error["message"]
    rewards = run_recipe(CHOICE, reference, "B", response="B")
    assert rewards.invalid[0].param == "reference.chioces"
    assert rewards.reward[1] == 1.0


def test_an_operation_without_fields_takes_an_answer_alone(call: Any) -> None:
    assert ask(call, {"answer": ["4", 5]}, "exact_match", "5")["reward"] == 1.0
    assert ask(call, {"answer": "5", "choices": CHOICES}, "exact_match", "5")["error"]["param"] == "reference.choices"
    exact = "components: {right: {score: exact_match}}"
    assert run_recipe(exact, {"answer": 5}, {"answer": "5", "pattern": "."}, response="5").invalid.keys() == {1}


def test_a_json_text_is_an_answer_where_no_fields_are_declared(call: Any) -> None:
    written = '{"answer": "B"}'
    assert ask(call, written, "exact_match", written)["reward"] == 1.0
    assert run_recipe("components: {right: {score: exact_match}}", written, response=written).reward.tolist() == [1.0]


@pytest.mark.parametrize("written", ['{"chioces": []}', "{not json", "{}"])
def test_a_text_without_a_known_key_is_an_answer(call: Any, written: str) -> None:
    assert "names none of the options" in ask(call, written)["error"]["message"]


def test_the_components_of_a_recipe_share_one_reference() -> None:
    both = "components: {right: {score: multiple_choice}, same: {score: exact_match}}\ncombine: weighted_sum"
    reference = {"answer": "B", "choices": CHOICES}
    assert run_recipe(both, reference, json.dumps(reference), response="B").reward.tolist() == [2.0, 2.0]


def test_an_object_without_an_answer_lacks_one(call: Any) -> None:
    assert ask(call, {"choices": CHOICES})["error"]["code"] == "missing_field"
    assert run_recipe(CHOICE, {"choices": CHOICES}).invalid[0].code == "missing_field"


@pytest.mark.parametrize("reference", [{"answer": {"a": 1}}, {"answer": "B", "choices": "Rome"}, {"choices": [1]}])
def test_a_value_of_another_type_is_a_fault_of_its_sample(reference: Any) -> None:
    rewards = run_recipe(CHOICE, reference, "B", response="B")
    assert rewards.invalid[0].code in ("invalid_field", "missing_field")
    assert rewards.reward[1] == 1.0


def test_a_set_of_letters_is_one_answer_and_several_are_a_list_of_lists(call: Any) -> None:
    def reward(reference: Any) -> Any:
        return ask(call, reference, response="Answer: A and C", multiple=True)["reward"]

    assert [reward(["A", "C"]), reward("AC"), reward(["A"])] == [1.0, 1.0, 0.0]
    assert [reward([["A"], ["C", "A"]]), reward([["A"], ["B"]])] == [1.0, 0.0]
    assert reward({"answer": ["A", "C"]}) == 1.0


PATTERN = "components: {shape: {score: regex_match%s}}"


def test_every_sample_may_have_a_pattern_of_its_own(call: Any) -> None:
    items = [
        {"response": "ab 12", "pattern": r"\d\d"},
        {"response": "ab 12", "reference": {"pattern": "^x"}},
        {"response": "ab 12", "reference": json.dumps({"pattern": "^ab"})},
        {"response": "ab 12", "reference": "any answer"},
        {"response": "ab 12", "pattern": "(("},
    ]
    results = call("score/regex_match", *items)
    assert [result["reward"] for result in results] == [1.0, 0.0, 1.0, None, None]
    assert [result["error"]["param"] for result in results[3:]] == ["pattern", "pattern"]
    rewards = run_recipe(PATTERN % ", params: {pattern: x}", {"pattern": "^The"}, "4", {"pattern": "Milan"})
    assert rewards.reward.tolist() == [1.0, 0.0, 0.0]


def test_a_pattern_that_never_ends_leaves_the_other_patterns_alone(call: Any) -> None:
    endless = {"response": "a" * 40 + "b", "pattern": "(a|aa)+$"}
    results = call("score/regex_match", *[endless] * 5, {"response": "aab", "pattern": "b$"})
    assert [result["reward"] for result in results] == [None] * 5 + [1.0]


def test_a_recipe_that_takes_its_pattern_or_schema_from_the_reference_needs_one() -> None:
    assert "reference" in compile_recipe(PATTERN % "").inputs
    assert "reference" in compile_recipe("components: {shape: {score: json_schema}}").inputs
    assert "reference" not in compile_recipe(PATTERN % ", params: {pattern: x}").inputs
    assert "reference" not in compile_recipe(PATTERN % ", inputs: {pattern: x}").inputs
    assert run_recipe(PATTERN % "", None).invalid


def test_every_sample_may_have_a_schema_of_its_own(call: Any) -> None:
    number, text = {"type": "number"}, {"type": "string"}
    items = [
        {"response": "4", "json_schema": number},
        {"response": "4", "reference": {"json_schema": text}},
        {"response": "4", "reference": json.dumps({"json_schema": number})},
        {"response": "4"},
        {"response": "4", "json_schema": {"type": "nothing"}},
        {"response": "4", "json_schema": {"$ref": "https://example.com/schema"}},
    ]
    results = call("score/json_schema", *items)
    assert [result["reward"] for result in results] == [1.0, 0.0, 1.0, None, None, None]
    assert results[4]["error"]["param"] == "json_schema"
    recipe = "components: {shape: {score: json_schema}}"
    assert run_recipe(recipe, {"json_schema": number}, {"json_schema": text}, response="4").reward.tolist() == [1.0, 0]
