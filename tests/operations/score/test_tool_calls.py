"""score/tool_calls: are the right tools called, with the right arguments? In whatever form they are written."""

import json
from typing import Any

import pytest
from reward_gateway.operations.calls.response_calls import read_calls

from tests.recipes.conftest import batch_of, compile_recipe, run_plan

WEATHER = {"name": "weather", "arguments": {"city": "Paris", "days": 3}}
TIME = {"name": "time", "arguments": {"zone": "CET"}}
WRITTEN = json.dumps(WEATHER)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer", "minimum": 1, "default": 3},
                },
                "required": ["city"],
            },
        },
    }
]
PARAMETERS = '{"name": "weather", "parameters": {"city": "Paris", "days": 3}}'

FORMS = {
    "bare": WRITTEN,
    "list": f"[{WRITTEN}]",
    "after words": f"I will look.\n{WRITTEN}",
    "fence": f"```json\n{WRITTEN}\n```",
    "openai": json.dumps(
        {"tool_calls": [{"type": "function", "function": {**WEATHER, "arguments": json.dumps(WEATHER["arguments"])}}]}
    ),
    "hermes": f"<think>Where?</think>\n<tool_call>\n{WRITTEN}\n</tool_call>",
    "hermes, cut off at the stop string": f"Well.\n<tool_call>\n{WRITTEN}\n",
    "hermes, words behind": f"<tool_call>{WRITTEN}</tool_call>\nLet me see.",
    "qwen's XML": "<tool_call>\n<function=weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=days>\n3\n"
    "</parameter>\n</function>\n</tool_call>",
    "glm's XML": "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n<arg_key>days</arg_key>\n"
    "<arg_value>3</arg_value>\n</tool_call>",
    "llama": PARAMETERS,
    "llama with its tag": f"<|python_tag|>{PARAMETERS}<|eom_id|>",
    "llama's function tag": '<function=weather>{"city": "Paris", "days": 3}</function>',
    "mistral": f"[TOOL_CALLS] [{WRITTEN}]",
    "mistral, with names": '[TOOL_CALLS]weather[ARGS]{"city": "Paris", "days": 3}',
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>"
    '{"city": "Paris", "days": 3}<|tool_call_end|><|tool_calls_section_end|>',
    "python": "[weather(city='Paris', days=3)]",
    "python, one": 'weather(city="Paris", days=3)',
    "python in a fence": "```python\nweather(city='Paris', days=3)\n```",
}  # fmt: skip


def ask(call: Any, response: str, reference: Any, tools: Any = None, **params: Any) -> Any:
    item = {"response": response, "reference": reference, **({"tools": tools} if tools else {})}
    return call("score/tool_calls", item, **params)[0]


def reward(call: Any, response: str, reference: Any, tools: Any = None, **params: Any) -> Any:
    return ask(call, response, reference, tools, **params)["reward"]


@pytest.mark.parametrize("form", FORMS)
def test_a_call_is_read_in_every_form(call: Any, form: str) -> None:
    assert reward(call, FORMS[form], [WEATHER]) == 1.0
    assert reward(call, FORMS[form], [TIME]) == 0.0
    assert reward(call, FORMS[form].replace("3", "4"), [WEATHER]) == 0.0
    assert reward(call, FORMS[form].replace("Paris", "Rome"), [WEATHER]) == 0.0


@pytest.mark.parametrize(
    "response",
    [
        "I would call weather for Paris.",
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris", \n</tool_call>',
        '<tool_call>\n{"name": "weather", "arguments": "Paris"}\n</tool_call>',
        '{"city": "Paris", "days": 3}',
        f"[TOOL_CALLS] {WRITTEN[:-1]}",
        "[weather('Paris', 3)]",
        "[weather(city='Paris', days=3, **more)]",
        f"<think>{WRITTEN}</think>\nDone.",
        f"<think>\n{WRITTEN}",
        f"{WRITTEN}\n{WRITTEN}",
        f"{WRITTEN}\n{json.dumps(TIME)}",
        "[" * 5_000,
        "{\n" * 5_000,
        "",
    ],
)
def test_what_is_not_the_call_earns_nothing(call: Any, response: str) -> None:
    assert reward(call, response, [WEATHER]) == 0.0


def test_llama_writes_several_calls_in_one_line_or_by_their_tags(call: Any) -> None:
    time = '{"name": "time", "parameters": {"zone": "CET"}}'
    assert reward(call, f"<|python_tag|>{PARAMETERS}; {time}", [WEATHER, TIME]) == 1.0
    tags = FORMS["llama's function tag"] + '<function=time>{"zone": "CET"}</function>'
    assert reward(call, tags, [WEATHER, TIME]) == 1.0


def test_the_reference_comes_in_every_form(call: Any) -> None:
    openai = {
        "id": "c",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Paris", "days": 3}'},
    }
    for reference in (
        [WEATHER],
        [openai],
        f"[{WRITTEN}]",
        WRITTEN,
        FORMS["python"],
        FORMS["qwen's XML"],
        {"answer": WEATHER},
    ):
        assert reward(call, WRITTEN, reference) == 1.0, reference
        assert reward(call, json.dumps(TIME), reference) == 0.0, reference


@pytest.mark.parametrize("reference", ["the weather", [5], [{"city": "Paris"}], [["x"], ["y"]]])
def test_a_reference_without_calls_is_an_error(call: Any, reference: Any) -> None:
    assert ask(call, WRITTEN, reference)["error"]["param"] == "reference"


def test_no_call_is_right_where_the_reference_is_empty(call: Any) -> None:
    assert reward(call, "I need no tool for this.", []) == 1.0
    assert reward(call, WRITTEN, []) == 0.0


def test_several_right_lists_are_a_list_of_lists(call: Any) -> None:
    result = ask(call, WRITTEN, [[TIME], [WEATHER]])
    assert (result["reward"], result["details"]["matched"]) == (1.0, 1)
    assert reward(call, WRITTEN, [[TIME], [TIME, WEATHER]]) == 0.0


@pytest.mark.parametrize(
    ("given", "right", "params", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, {}, 0.0),
        ({"a": 1, "b": 2}, {"a": 1}, {"arguments": "subset"}, 1.0),
        ({"b": 2}, {"a": 1}, {"arguments": "subset"}, 0.0),
        ({"a": 2}, {"a": 1}, {"arguments": "subset"}, 0.0),
        ({"a": 2}, {"a": 1}, {"arguments": "names"}, 1.0),
        ({"a": 1.0}, {"a": 1}, {}, 1.0),
        ({"a": "1"}, {"a": 1}, {}, 0.0),
        ({"a": True}, {"a": 1}, {}, 0.0),
        ({"a": 1}, {"a": True}, {}, 0.0),
        ({"a": None}, {"a": 0}, {}, 0.0),
        ({"a": 3.1416}, {"a": 3.14159}, {"rel_tol": 1e-4}, 1.0),
        ({"a": 3.15}, {"a": 3.14159}, {"rel_tol": 1e-4}, 0.0),
        ({"a": 10**400}, {"a": 1}, {"rel_tol": 1e-4}, 0.0),
        ({"a": {"b": [1.01]}}, {"a": {"b": [1]}}, {"abs_tol": 0.02}, 1.0),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [2, 1]}}, {}, 0.0),
        ({"a": "new york"}, {"a": "New York"}, {}, 0.0),
        ({"a": "new york"}, {"a": "New York"}, {"strings": "loose"}, 1.0),
        ({"a": "newark"}, {"a": "New York"}, {"strings": "loose"}, 0.0),
    ],
)
def test_arguments_are_compared_as_json_has_them(
    call: Any, given: Any, right: Any, params: Any, expected: float
) -> None:
    response = json.dumps({"name": "f", "arguments": given})
    assert reward(call, response, [{"name": "f", "arguments": right}], **params) == expected


def test_by_schema_any_arguments_that_fit_are_right(call: Any) -> None:
    def of(**arguments: Any) -> Any:
        response = json.dumps({"name": "weather", "arguments": arguments})
        return reward(call, response, [WEATHER], TOOLS, arguments="schema")

    assert [of(city="Oslo"), of(city="Oslo", days=1)] == [1.0, 1.0]
    assert [of(), of(city=1), of(city="Oslo", days=0), of(city="Oslo", hour=1)] == [0.0] * 4
    assert ask(call, WRITTEN, [WEATHER], arguments="schema")["error"]["param"] == "tools"
    xml = FORMS["qwen's XML"].replace("Paris", "75001")
    assert reward(call, xml, [WEATHER], TOOLS, arguments="schema") == 1.0


def test_an_argument_left_out_has_its_default(call: Any) -> None:
    response = '{"name": "weather", "arguments": {"city": "Paris"}}'
    assert [reward(call, response, [WEATHER], TOOLS), reward(call, response, [WEATHER])] == [1.0, 0.0]


def test_the_order_counts_where_it_is_asked_for(call: Any) -> None:
    turned = json.dumps([TIME, WEATHER])
    assert reward(call, turned, [WEATHER, TIME]) == 1.0
    assert reward(call, turned, [WEATHER, TIME], order="sequence") == 0.0
    assert reward(call, turned, [TIME, WEATHER], order="sequence") == 1.0


@pytest.mark.parametrize(
    ("given", "expected"),
    [([WEATHER, TIME], 1.0), ([WEATHER], 0.5), ([WEATHER] * 2, 0.5), ([WEATHER, TIME, TIME], 2 / 3)],
)
def test_the_share_of_right_calls(call: Any, given: Any, expected: float) -> None:
    assert reward(call, json.dumps(given), [WEATHER, TIME], reward="fraction") == pytest.approx(expected)


def test_details_say_what_is_wrong(call: Any) -> None:
    other = json.dumps({"name": "weather", "arguments": {"city": "Rome", "days": 3}})
    assert ask(call, other, [WEATHER])["details"] == {"calls": 1, "right": 0, "fault": "call 1: arguments.city"}
    assert ask(call, "No.", [WEATHER])["details"]["fault"] == "no call"
    assert ask(call, "<tool_call>x</tool_call>{", [WEATHER])["details"]["right"] == 0


def test_messages_are_read_by_their_calls_and_tools_travel_in_the_reference() -> None:
    plan = compile_recipe("components: {calls: {score: tool_calls}}")
    made = {"type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    turns = [[{"role": "assistant", "content": words, "tool_calls": [made]}] for words in (None, "Let me look.")]
    reference = {"answer": [WEATHER], "tools": TOOLS}
    rewards = run_plan(
        plan, batch_of(3, responses=[*turns, turns[0]], references=[reference, json.dumps(reference), [WEATHER]])
    )
    assert (rewards.reward.tolist(), rewards.flags) == ([1.0, 1.0, 0.0], {})


def test_an_answer_after_a_tools_turn_is_no_call() -> None:
    plan = compile_recipe("components: {calls: {score: tool_calls}}")
    whole = compile_recipe("components: {calls: {score: tool_calls, params: {text: whole}}}")
    made = {"type": "function", "function": {"name": "weather", "arguments": WEATHER["arguments"]}}
    turns = [
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "content": json.dumps(TIME)},
        {"role": "assistant", "content": "It rains."},
    ]
    batch = batch_of(1, responses=[turns], references=[[WEATHER]])
    assert run_plan(plan, batch).reward.tolist() == [0.0]
    assert run_plan(whole, batch).reward.tolist() == [1.0]


def test_many_starts_of_json_are_given_up() -> None:
    assert read_calls("{x\n" * 200_000) == []
