"""operations/reading/alternatives.py: of several accepted answers the best counts."""

from typing import Any

import pytest
from reward_gateway.operations.registry import catalog


def test_the_best_of_several_accepted_answers_counts(call: Any) -> None:
    items = [
        {"response": "four", "reference": ["4", "four"]},
        {"response": "five", "reference": ["4", "four"]},
        {"response": "five", "reference": "five"},
    ]
    results = call("score/exact_match", *items)
    assert [result["reward"] for result in results] == [1.0, 0.0, 1.0]
    assert [result["details"].get("matched") for result in results] == [1, None, None]


def test_numbers_and_booleans_are_read_as_their_json_text(call: Any) -> None:
    pairs = [("42", 42), ("0.5", 0.5), ("true", True), ("4", ["3", 4])]
    items = [{"response": response, "reference": reference} for response, reference in pairs]
    assert [result["reward"] for result in call("score/exact_match", *items)] == [1.0] * 4


def test_a_text_is_never_parsed_as_a_list(call: Any) -> None:
    assert call("score/exact_match", {"response": "4", "reference": '["4"]'})[0]["reward"] == 0.0


@pytest.mark.parametrize("reference", [[], ["x"] * 1_001, ["no number", "none"]])
def test_a_list_without_an_answer_that_can_be_read_is_an_error(call: Any, reference: list[str]) -> None:
    (result,) = call("score/numeric_match", {"response": "4", "reference": reference})
    assert result["reward"] is None
    assert result["error"]["param"] == "reference"


def test_an_answer_that_cannot_be_read_beside_one_that_can_leaves_the_other(call: Any) -> None:
    assert call("score/numeric_match", {"response": "4", "reference": ["none", "4"]})[0]["reward"] == 1.0


def test_every_score_with_a_reference_takes_several() -> None:
    for operation in catalog():
        field = operation.item.model_fields.get("reference")
        if operation.kind != "score" or field is None or operation.name == "set_fad":
            continue
        schema = operation.item.model_json_schema()["properties"]["reference"]
        kinds = {entry.get("type") for entry in schema["anyOf"]}
        assert {"string", "array"} <= kinds, operation.name
