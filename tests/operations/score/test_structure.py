"""score/format_tags, code_fence, valid_python, json_schema."""

from typing import Any

import pytest
from reward_gateway.errors import InvalidRequest

from tests.clock import little_work

GOOD = "<think>\nhm\n</think>\n<answer>4</answer>\n"
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}, "ids": {"type": "array", "uniqueItems": True}},
    "required": ["name"],
    "additionalProperties": False,
}


def of(call: Any, name: str, *responses: str, **params: Any) -> list[float | None]:
    return [result["reward"] for result in call(f"score/{name}", *({"response": r} for r in responses), **params)]


@pytest.mark.parametrize(
    "response",
    [
        "",
        "<think>hm</think>4",
        "<answer>4</answer><think>hm</think>",
        "<think>hm<answer>4</answer></think>",
        GOOD + "<answer>5</answer>",
        "So: " + GOOD,
        GOOD + "done",
        "<think>hm</think> and <answer>4</answer>",
    ],
)
def test_strict_tags_are_all_there_once_in_order_and_alone(call: Any, response: str) -> None:
    assert of(call, "format_tags", GOOD, response) == [1.0, 0.0]


def test_soft_tags_count_what_is_there_once(call: Any) -> None:
    responses = [GOOD, "<think>hm</think>4", "<answer>", "", GOOD + "<answer>"]
    assert of(call, "format_tags", *responses, mode="soft") == [1.0, 0.5, 0.25, 0.0, 0.75]


def test_what_follows_the_last_section_is_said_by_the_recipe(call: Any) -> None:
    thought = ["<think>a</think>b", "<think>a</think>", "<think>a b"]
    assert of(call, "format_tags", *thought, tags=["think"]) == [1.0, 1.0, 0.0]
    assert of(call, "format_tags", *thought, tags=["think"], after="text") == [1.0, 0.0, 0.0]
    assert of(call, "format_tags", *thought, tags=["think"], after="nothing") == [0.0, 1.0, 0.0]


def test_an_empty_section_does_not_count_unless_it_may(call: Any) -> None:
    empty = "<think> </think><answer>4</answer>"
    assert of(call, "format_tags", empty) == [0.0]
    assert of(call, "format_tags", empty, allow_empty=True) == [1.0]


def test_a_section_that_the_prompt_opened_needs_no_opening_tag(call: Any) -> None:
    closed = "a</think><answer>b</answer>"
    assert of(call, "format_tags", closed) == [0.0]
    assert of(call, "format_tags", closed, reasoning="opened") == [1.0]


def test_tags_can_be_named(call: Any) -> None:
    assert of(call, "format_tags", "<plan>a</plan><code>b</code>", tags=["plan", "code"]) == [1.0]


def test_a_fence_counts_closed_or_cut_off_with_something_in_it(call: Any) -> None:
    closed, other, cut = "a\n```Python\nx\n```\n", "~~~\nx\n~~~", "```python\nx"
    assert of(call, "code_fence", closed, other, cut, "```python\n", "", "a ```x``` b") == [
        1.0,
        1.0,
        1.0,
        0.0,
        0.0,
        0.0,
    ]
    named = ["```py\nx\n```", '```python title="a.py"\nx\n```', "```{.python}\nx\n```", "```python3 \nx\n```"]
    assert of(call, "code_fence", *named, language="py") == [1.0] * 4
    assert of(call, "code_fence", closed, other, language="python") == [1.0, 0.0]
    assert of(call, "code_fence", closed, closed * 2, count=2) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("x = 1", 1.0),
        ("Sure!\n```python\nx = 1\n```\nDone.", 1.0),
        ("```python\nx = \n```", 0.0),
        ("```python\nx = \n```\n```python\nx = 1\n```", 1.0),
        ("", 0.0),
        ("x = 1\0", 0.0),
        (r"x = '\d'", 1.0),
        ("(" * 5000, 0.0),
        ("-" * 40_000 + "1", 0.0),
        ("x=1\n" * 20_000, 0.0),
    ],
)
def test_python_is_parsed_and_never_run(call: Any, response: str, expected: float) -> None:
    assert of(call, "valid_python", response) == [expected]


def test_the_line_of_the_first_fault_is_told(call: Any) -> None:
    (result,) = call("score/valid_python", {"response": "x = 1\ny ="})
    assert result["details"]["line"] == 2


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ('{"name": "ada"}', 1.0),
        ('Here:\n```json\n{"name": "ada"}\n```', 1.0),
        ('<answer>{"name": "ada"}</answer>', 1.0),
        ('{"name": "Ada"}', 0.0),
        ('{"name": "ada", "age": 3}', 0.0),
        ('{"name": "ada", "ids": [1, 1.0]}', 0.0),
        ('{"name": "ada", "ids": [1, true, "1"]}', 1.0),
        ('{"name": NaN}', 0.0),
        ("ada", 0.0),
        ("", 0.0),
    ],
)
def test_json_has_to_fit_the_schema(call: Any, response: str, expected: float) -> None:
    assert of(call, "json_schema", response, json_schema=SCHEMA) == [expected]


def test_json_that_does_not_fit_can_earn_a_half_and_is_told_why(call: Any) -> None:
    unfit, none = call("score/json_schema", {"response": "{}"}, {"response": "-"}, json_schema=SCHEMA, graded=True)
    assert (unfit["reward"], unfit["details"]["fault"]) == (0.5, "$: required")
    assert (none["reward"], none["details"]["fault"]) == (0.0, "no JSON")


@pytest.mark.parametrize("schema", [{"type": "objekt"}, {"patternProperties": {"(a+)+$": {}}}])
def test_a_schema_that_cannot_be_used_refuses_the_request(call: Any, schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        of(call, "json_schema", "{}", json_schema=schema)


def doubling(levels: int) -> dict[str, Any]:
    """A schema that refers twice to the next one, and so on: written out it has 2 ** levels parts."""
    defs = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(levels)}
    return {"$defs": {**defs, f"a{levels}": {}}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (doubling(38), "over 10,000 nodes"),
        ({"properties": {"a": {"pattern": "(?:(?:a{1000}){1000}){1000}"}}}, "repeats"),
        ({"enum": [[1]] * 3, "anyOf": [{}] * 10_000}, "over 10,000 nodes"),
    ],
)
def test_a_schema_that_would_take_too_long_refuses_the_request_with_the_field(
    call: Any, schema: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        of(call, "json_schema", "{}", json_schema=schema)
    assert refused.value.param == "params.json_schema"


def test_a_schema_that_refers_to_itself_is_followed_as_far_as_the_limit(call: Any) -> None:
    tree = {"$defs": {"t": {"properties": {"x": {"$ref": "#/$defs/t"}, "n": {"type": "number"}}}}, "$ref": "#/$defs/t"}
    doubled = {"$defs": {"t": {"properties": {"x": {"allOf": [{"$ref": "#/$defs/t"}] * 2}}}}, "$ref": "#/$defs/t"}
    deep = '{"x":' * 50 + "{}" + "}" * 50
    assert of(call, "json_schema", deep, json_schema=tree) == [1.0]
    assert of(call, "json_schema", deep, deep.replace("{}", '{"n":"m"}'), json_schema=tree) == [1.0, 0.0]
    fine, endless = call("score/json_schema", {"response": "{}"}, {"response": deep}, json_schema=doubled)
    assert (fine["reward"], endless["error"]["code"]) == (1.0, "invalid_field")


@pytest.mark.parametrize(
    ("response", "divisor", "expected"),
    [
        ("0.3", 0.1, 1.0),
        ("0.35", 0.1, 0.0),
        ("1", 1e-308, 1.0),
        ("1e400", 1e-308, 0.0),
        ("1" + "0" * 400, 1e-308, 1.0),
        ("1" + "0" * 400, 0.7, 0.0),
        ("7", 10**400, 0.0),
        ("0", 10**400, 1.0),
        ('"text"', 2, 1.0),
    ],
)
def test_multiples_are_told_by_decimal_digits_of_any_size(
    call: Any, response: str, divisor: float, expected: float
) -> None:
    assert of(call, "json_schema", response, json_schema={"multipleOf": divisor}) == [expected]


DRAFT = "https://json-schema.org/draft/2020-12/schema"


def test_a_schema_that_names_its_draft_has_the_same_limits_in_its_parts(call: Any) -> None:
    whole = {"$schema": DRAFT, "properties": {"x": {"allOf": [{"$ref": "#"}] * 2}, "n": {"multipleOf": 0.1}}}
    deep = '{"x":' * 50 + "{}" + "}" * 50
    nested, endless = call("score/json_schema", {"response": '{"x":{"n":0.3}}'}, {"response": deep}, json_schema=whole)
    assert (nested["reward"], endless["error"]["code"]) == (1.0, "invalid_field")
    with pytest.raises(InvalidRequest, match=r"\$schema stands at the top"):
        of(call, "json_schema", "{}", json_schema={"properties": {"a": {"$schema": DRAFT, "pattern": "^(a+)+$"}}})
    assert of(call, "json_schema", '{"$schema": 1}', json_schema={"properties": {"$schema": {"type": "string"}}}) == [0]


def test_no_schema_is_fetched_from_elsewhere(call: Any) -> None:
    (result,) = call("score/json_schema", {"response": "{}"}, json_schema={"$ref": "http://127.0.0.1:9/schema.json"})
    assert result["error"]["code"] == "invalid_field"


@pytest.mark.parametrize(
    "response", ["[" * 100_000, '{"name": "' + "a" * 50_000 + '!"}', "```json\n" * 25_000, "[" + "{}," * 60_000 + "{}]"]
)
def test_hostile_responses_take_bounded_time(call: Any, response: str) -> None:
    schema = {"anyOf": [{"properties": {"name": {"pattern": "^(a+)+$"}}}, {"uniqueItems": True}]}
    with little_work(seconds=5.0):
        call("score/json_schema", {"response": response}, json_schema=schema)
