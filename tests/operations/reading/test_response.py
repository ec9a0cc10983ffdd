"""operations/reading/response.py: whose words a rule reads, and which part of them."""

from typing import Any

import pytest
from reward_gateway.operations.reading.params import FinalTextParams, TextParams
from reward_gateway.operations.reading.response import prompt_opens_reasoning, read_response
from reward_gateway.operations.registry import Operation, catalog

TRAJECTORY = [
    {"role": "assistant", "content": "Let me ask.", "reasoning_content": "I do not know 6 x 7."},
    {"role": "tool", "content": r"\boxed{42}"},
    {"role": "assistant", "content": "<think>So it says.</think>\nI do not know."},
]


def test_a_response_of_turns_is_the_assistants_own() -> None:
    reading = read_response(TRAJECTORY)
    assert reading.whole == "Let me ask.\n\n<think>So it says.</think>\nI do not know."
    assert reading.final == "I do not know."
    assert reading.reasoning == "I do not know 6 x 7.\n\nSo it says."
    assert "42" in read_response(TRAJECTORY, turns="all").whole


def test_a_trajectory_that_ends_in_another_turn_has_no_final_text() -> None:
    assert read_response(TRAJECTORY[:2]).final == ""
    assert read_response(TRAJECTORY[:1]).final == "Let me ask."
    assert read_response([{"role": "user", "content": "42"}]).whole == ""


def test_a_turn_that_is_cut_off_in_its_reasoning_is_unfinished() -> None:
    cut = [*TRAJECTORY[:2], {"role": "assistant", "content": r"<think>\boxed{42}"}]
    assert read_response(cut).unfinished
    assert read_response(cut).final == ""


@pytest.mark.parametrize("part", ["final", "whole", "reasoning"])
def test_a_byte_order_mark_before_a_response_is_none_of_its_text(call: Any, part: str) -> None:
    marked = {"response": "\ufeff<think>42</think>42"}
    (result,) = call("score/regex_match", marked, text=part, pattern="(<think>42</think>)?42", mode="fullmatch")
    assert result["reward"] == 1.0
    assert read_response(marked["response"]).whole[0] == "<"


def test_the_prompt_may_have_opened_the_reasoning() -> None:
    assert prompt_opens_reasoning("Solve it.\n<think>\n")
    assert prompt_opens_reasoning([{"role": "user", "content": "?"}, {"role": "assistant", "content": "<think>"}])
    assert not prompt_opens_reasoning("Solve it.")
    assert not prompt_opens_reasoning(None)


def rules() -> list[Operation]:
    return [operation for operation in catalog() if issubclass(operation.params, TextParams)]


NOT_RULES = {
    *("basereward", "carr", "gtalign_format", "ixc_reward", "mm_rlhf", "perplexity", "process_reward", "sotopia_rm"),
    *("judge_pairwise", "judge_principle", "judge_reference", "judge_rubric", "judge_tournament", "rubric"),
}
"""They show the response to a model or a judge, for which a recipe says ``text:`` at the component."""


def test_every_rule_over_a_response_says_which_part_it_reads() -> None:
    readers = {
        operation.name
        for operation in catalog()
        if operation.kind == "score" and "response" in operation.item.model_fields
    }
    assert readers - NOT_RULES == {operation.name for operation in rules() if "response" in operation.item.model_fields}


FORMS = {
    *("format_tags", "length_penalty", "response_length", "overlong_penalty", "linear_length", "cosine_length"),
    *("kimi_length", "adaptive_length"),
}
REPETITION = {"repetition_penalty", "distinct_ngrams"}


def test_answers_are_read_in_the_final_text_and_form_in_the_whole() -> None:
    whole = {operation.name for operation in rules() if not issubclass(operation.params, FinalTextParams)}
    assert whole == FORMS | REPETITION


ANSWERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "exact_match": ({}, {"reference": "42"}),
    "contains": ({}, {"reference": "42"}),
    "regex_match": ({"pattern": "42"}, {}),
    "numeric_match": ({}, {"reference": "42"}),
    "boxed_answer": ({}, {"reference": "42"}),
    "token_f1": ({}, {"reference": "42"}),
    "edit_similarity": ({}, {"reference": "42"}),
    "keyword_coverage": ({"keywords": ["42"]}, {}),
    "json_schema": ({"json_schema": {"const": 42}}, {}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_inside_unfinished_reasoning_is_none(call: Any, name: str) -> None:
    params, fields = ANSWERS[name]
    answer = r"\boxed{42}" if name == "boxed_answer" else "42"
    done, cut = {"response": f"<think>hm</think>{answer}"}, {"response": f"<think>hm\n{answer}"}
    right, wrong = call(f"score/{name}", {**done, **fields}, {**cut, **fields}, **params)
    assert right["reward"] == 1.0
    assert "unfinished_reasoning" not in right["details"]
    assert (wrong["reward"], wrong["details"]["unfinished_reasoning"]) == (0.0, True)
    (opened,) = call(f"score/{name}", {"response": answer, **fields}, **params, reasoning="opened")
    assert (opened["reward"], opened["details"]["unfinished_reasoning"]) == (0.0, True)


def test_an_operation_may_read_another_part(call: Any) -> None:
    item = {"response": "<think>It is 7.</think>It is 8.", "reference": "7"}
    assert [call("score/numeric_match", item, text=text)[0]["reward"] for text in ("final", "whole", "reasoning")] == [
        *(0.0, 0.0, 1.0)
    ]
    cut = {"response": "<think>It is 7.", "reference": "7"}
    assert call("score/numeric_match", cut, unfinished="read")[0]["reward"] == 1.0


def test_a_faulty_item_is_told_of_even_where_the_reasoning_does_not_end(call: Any) -> None:
    (result,) = call("score/numeric_match", {"response": "<think>It", "reference": "no number"})
    assert result["reward"] is None
    assert result["error"]["param"] == "reference"
