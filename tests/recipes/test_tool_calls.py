"""Tool calls in recipes: judges and hosted models are shown them, rules read the policy's own words alone."""

import json
from typing import Any

import pytest
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.sample import own_turns, plain_text, shown_text

from tests.questions import first_question
from tests.recipes.conftest import batch_of, compile_recipe, run_plan

CALL: dict[str, Any] = {"id": "c", "type": "function", "function": {"name": "rm", "arguments": '{"path": "/"}'}}
WRITTEN = '{"name": "rm", "arguments": {"path": "/"}}'
CALLING: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TRAJECTORY: list[dict[str, Any]] = [
    {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "\\boxed{42}"},
    {"role": "user", "content": "It is \\boxed{42}."},
    {"role": "assistant", "content": "I do not know."},
]


def test_what_is_shown_has_the_calls_below_the_words_of_their_turn() -> None:
    assert shown_text([CALLING]) == WRITTEN
    assert shown_text(TRAJECTORY).splitlines()[:2] == ["Let me see.", WRITTEN]
    assert plain_text(TRAJECTORY).startswith("Let me see.\n\\boxed{42}")
    several = shown_text([{"role": "assistant", "content": "", "tool_calls": [CALL, CALL["function"]]}])
    assert several == f"[{WRITTEN}, {WRITTEN}]"


@pytest.mark.parametrize("call", [5, [], {"a": 1}, {"function": {"arguments": "{}"}}, {"function": "f"}])
def test_calls_of_another_form_are_shown_as_they_are(call: Any) -> None:
    assert json.loads(shown_text([{"role": "assistant", "tool_calls": [call]}])) == call


def test_a_judge_is_shown_calls() -> None:
    plan = compile_recipe("components: {grade: {score: judge_rubric}}")
    batch = batch_of(1, prompts=["Delete /tmp/a.txt"], responses=[[CALLING]])
    asked = first_question(evaluate_plan(plan, batch, {}))
    assert WRITTEN in json.loads(json.dumps(asked.conversations[0]))[-1]["content"]
    assert batch.flags == {}


@pytest.mark.parametrize(
    "component",
    [
        "{score: judge_rubric}",
        "{score: judge_reference}",
        "{score: judge_principle}",
        "{score: judge_pairwise, inputs: {other: x}}",
        "{score: rubric, inputs: {criteria: [{text: Is kind.}]}}",
        "{score: carr, params: {judge: j, rho: 1}, inputs: "
        "{question: {sample: prompt}, outcome: 1, rubrics: [<E0> is], pages: {}}}",
        "{score: critique_f1, params: {extractor: j}, inputs: "
        "{outcome: 1, model_critique: {sample: response}, human_critique: {sample: prompt}}}",
    ],
)
def test_every_judge_is_shown_turns_with_roles_and_calls(component: str) -> None:
    plan = compile_recipe(f"components: {{grade: {component}}}")
    prompt = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "q"}]
    asked = first_question(
        evaluate_plan(plan, batch_of(1, prompts=[prompt], responses=[TRAJECTORY], references=["x"]), {})
    )
    shown = asked.conversations[0][-1]["content"]
    assert "[system]\nBe kind.\n\n[user]\nq" in shown
    assert f"[assistant]\nLet me see.\n{WRITTEN}\n\n[tool]\n" in shown


def test_so_is_one_before_whom_responses_meet() -> None:
    plan = compile_recipe("components: {grade: {score: judge_tournament}}")
    batch = batch_of(2, prompts=["q"] * 2, responses=[TRAJECTORY, "No."], group_names=["g"] * 2)
    asked = first_question(evaluate_plan(plan, batch, {}))
    shown = [conversation[-1]["content"] for conversation in asked.conversations]
    assert len(shown) == 2
    assert all(f"[assistant]\nLet me see.\n{WRITTEN}\n\n[tool]\n" in text for text in shown)


def test_what_is_more_than_shown_is_the_policys_own_words() -> None:
    plan = compile_recipe(
        "components: {sql: {score: reasoning_sql, params: {judge: j}, inputs: {pred_sql: {sample: response}, "
        "gold_sql: {sample: reference}, pred_rows: [[1]], gold_rows: [[2]]}}}"
    )
    turns = [TRAJECTORY[1], {"role": "assistant", "content": "SELECT 1"}]
    asked = first_question(evaluate_plan(plan, batch_of(1, responses=[turns], references=["SELECT 2"]), {}))
    assert "\nSELECT 1\n</predicted_sql" in asked.conversations[0][-1]["content"]


def test_rules_read_the_policys_own_words() -> None:
    assert plain_text(own_turns(TRAJECTORY)) == "Let me see.\nI do not know."
    plan = compile_recipe("components: {correct: {score: numeric_match}}")
    for response in (TRAJECTORY, TRAJECTORY[:2], TRAJECTORY[:3]):
        assert run_plan(plan, batch_of(1, responses=[response], references=["42"])).reward.tolist() == [0.0]


def test_calls_that_nothing_sees_flag_their_sample() -> None:
    plan = compile_recipe("components: {length: {score: response_length}}")
    responses = ["plain", [CALLING], [{"role": "assistant", "content": "x"}]]
    prompts = [[{"role": "user", "content": "p"}, CALLING], "p", "p"]
    flags = run_plan(plan, batch_of(3, prompts=prompts, responses=responses)).flags
    assert flags == {0: ("message_parts_ignored",), 1: ("message_parts_ignored",)}


@pytest.mark.parametrize(("calls", "reward"), [([CALL], 1.0), ([CALL, CALL], 1.0), ([{"a": 1}], 0.5), ([], 0.0)])
def test_json_schema_reads_calls(calls: list[Any], reward: float) -> None:
    plan = compile_recipe(
        """
        components:
          call:
            score: json_schema
            params:
              graded: true
              json_schema:
                anyOf: [{$ref: "#/$defs/call"}, {type: array, minItems: 1, items: {$ref: "#/$defs/call"}}]
                $defs: {call: {type: object, required: [name, arguments]}}
        """
    )
    result = run_plan(plan, batch_of(1, responses=[[{**CALLING, "tool_calls": calls}]]))
    assert (result.reward.tolist(), result.flags) == ([reward], {})
