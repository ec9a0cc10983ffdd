"""score/instructions."""

import json
from typing import Any

import pytest

WORDS: dict[str, Any] = {
    "instruction_id_list": ["length_constraints:number_words"],
    "kwargs": [{"num_words": 3, "relation": "at least"}],
}
TWO: dict[str, Any] = {
    "instruction_id_list": ["punctuation:no_comma", "detectable_format:title"],
    "kwargs": [{"num_words": None}, {}],
    "key": 1001,
}


def reward(call: Any, item: dict[str, Any], **params: Any) -> Any:
    (result,) = call("score/instructions", item, **params)
    return result["reward"]


def test_all_instructions_count_or_their_share(call: Any) -> None:
    item = {"response": "No title; no comma.", **TWO}
    (result,) = call("score/instructions", item)
    assert result["reward"] == 0.0
    assert result["details"]["followed"] == [True, False]
    assert reward(call, item, reward="share") == 0.5
    assert reward(call, {**item, "response": "<<title>>"}) == 1.0


@pytest.mark.parametrize(
    "reference",
    [
        WORDS,
        json.dumps(WORDS),
        {**WORDS, "key": "7"},
        [{"instruction_id": WORDS["instruction_id_list"], "kwargs": WORDS["kwargs"]}],
        json.dumps([WORDS]),
        repr(
            [
                {
                    "instruction_id": [*WORDS["instruction_id_list"], "punctuation:no_comma"],
                    "kwargs": [*WORDS["kwargs"], None],
                }
            ]
        ),
    ],
    ids=["object", "JSON", "with key", "list", "JSON list", "Python's literal"],
)
def test_the_reference_carries_the_instructions(call: Any, reference: Any) -> None:
    assert reward(call, {"response": "one two three", "reference": reference}) == 1.0
    assert reward(call, {"response": "one, two", "reference": reference}) == 0.0


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({}, "instruction_id_list"),
        ({"instruction_id_list": ["nothing:known"]}, "instruction_id_list[0]"),
        ({"instruction_id_list": ["count:numbers"], "kwargs": [{"N": "many"}]}, "kwargs[0].N"),
        ({"reference": "forty-two"}, "reference"),
        ({"reference": "[]"}, "reference"),
        ({"reference": '[{"instruction_id": "count:numbers"}]'}, "reference"),
        ({"reference": "[" * 100_000}, "reference"),
        ({"reference": {**WORDS, "func_name": "verify"}}, "reference.func_name"),
    ],
)
def test_faults_are_errors_of_the_item(call: Any, item: dict[str, Any], param: str) -> None:
    good, bad = call("score/instructions", {"response": "one two three", **WORDS}, {"response": "x", **item})
    assert good["reward"] == 1.0
    assert bad["reward"] is None
    assert bad["error"]["code"] == "invalid_field"
    assert bad["error"]["param"] == param


def test_the_reference_may_be_the_json_text_of_rlvr(call: Any) -> None:
    stored = {"func_name": "validate_word_constraint", "N": 2, "quantifier": "at most", "word": None, "options": None}
    assert reward(call, {"response": "one two", "reference": json.dumps(stored)}) == 1.0
    assert reward(call, {"response": "one two three", "reference": json.dumps(stored)}) == 0.0
    (bad,) = call("score/instructions", {"response": "x", "reference": json.dumps({**stored, "N": "many"})})
    assert (bad["reward"], bad["error"]["param"]) == (None, "reference")


def test_loose_leaves_out_the_first_line_the_last_and_asterisks(call: Any) -> None:
    for response in ('Sure:\n"Quoted."', '"Quoted."\nBye', 'Sure:\n"Quoted."\nBye', '*"Quoted."*'):
        item: dict[str, Any] = {"response": response, "instruction_id_list": ["startend:quotation"], "kwargs": [{}]}
        assert reward(call, item) == 0.0
        assert reward(call, item, mode="loose") == 1.0
    assert reward(call, {**item, "response": 'Sure:\n\n"Quoted." it\nBye'}, mode="loose") == 0.0


def test_reasoning_is_not_read(call: Any) -> None:
    item: dict[str, Any] = {
        "response": "<think>a, b, c</think>No comma.",
        "instruction_id_list": ["punctuation:no_comma"],
    }
    assert reward(call, item) == 1.0
    assert reward(call, item, text="whole") == 0.0
    assert reward(call, {**item, "response": "<think>no end"}) == 0.0


def test_an_empty_response_follows_nothing(call: Any) -> None:
    assert reward(call, {"response": " ", "instruction_id_list": ["punctuation:no_comma"]}, mode="loose") == 0.0
