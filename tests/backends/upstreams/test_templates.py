"""Chat templates render here what transformers renders, tool calls in every form included, in a sandbox."""

import json
from typing import Any

import pytest
from reward_gateway.backends.upstreams.templates import ChatTemplate, TemplateError

MESSAGES = [{"role": "user", "content": "a <b>"}, {"role": "assistant", "content": "c"}]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% for m in messages %}\n  {% if true %}\n{{ m.content }}\n{% endif %}\n{% endfor %}", "a <b>\nc\n"),
        ("{{ messages[0] | tojson }}", '{"role": "user", "content": "a <b>"}'),
        ("{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% endfor %}", "assistant"),
        ("{% generation %}{{ messages[1].content }}{% endgeneration %}", "c"),
        ("{{ bos_token }}{{ tools is none }}{{ add_generation_prompt }}", "<s>TrueFalse"),
    ],
)
def test_templates_are_rendered_as_transformers_renders_them(source: str, text: str) -> None:
    assert ChatTemplate(source, {"bos_token": "<s>"}).render(MESSAGES) == text


@pytest.mark.parametrize("source", ["{{ messages.__class__.__mro__ }}", "{{ messages.append(1) }}", "{{ 1 / 0 }}"])
def test_templates_are_not_trusted(source: str) -> None:
    with pytest.raises(TemplateError):
        ChatTemplate(source, {}).render(MESSAGES)


# Tool calls. tests/upstreams/test_templates.py compares the same with transformers itself.

OBJECTS = "{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls or [] %}<{{ c.function.name }}{% for k, v in c.function.arguments.items() %} {{ k }}={{ v }}{% endfor %}>{% endfor %}{% endfor %}"  # noqa: E501
AS_JSON = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ {'name': c.function.name, 'parameters': c.function.arguments} | tojson }}{% endfor %}{% endfor %}"  # noqa: E501
EITHER = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{% if c.function.arguments is string %}{{ c.function.name }}{{ c.function.arguments }}{% else %}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endif %}{% endfor %}{% endfor %}"  # noqa: E501
TEXT_ONLY = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name + '(' + c.function.arguments + ')' }}{% endfor %}{% endfor %}"  # noqa: E501
NONE_AT_ALL = "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}"

ARGUMENTS = {"city": "Zürich", "days": 2, "in": {"unit": "°C"}}


def calling(arguments: Any, form: str = "openai", content: Any = "") -> list[dict[str, Any]]:
    """A conversation in which the assistant calls a tool."""
    called: dict[str, Any] = {"name": "weather", "arguments": arguments}
    call = {"openai": {"id": "1", "type": "function", "function": called}, "bare": called}[form]
    asked = {"role": "user", "content": "hot?"}
    return [asked, {"role": "assistant", "content": content, "tool_calls": [call]}]


SHOWN = [
    (OBJECTS, "user:hot?assistant:<weather city=Zürich days=2 in={'unit': '°C'}>"),
    (AS_JSON, 'hot?{"name": "weather", "parameters": {"city": "Zürich", "days": 2, "in": {"unit": "°C"}}}'),
    (EITHER, 'hot?weather{"city": "Zürich", "days": 2, "in": {"unit": "°C"}}'),
    (TEXT_ONLY, 'hot?weather({"city": "Zürich", "days": 2, "in": {"unit": "°C"}})'),
    (
        NONE_AT_ALL,
        'user:hot?\nassistant:{"name": "weather", "arguments": {"city": "Zürich", "days": 2, "in": {"unit": "°C"}}}\n',
    ),
]


@pytest.mark.parametrize("form", ["openai", "bare"])
@pytest.mark.parametrize("arguments", [ARGUMENTS, json.dumps(ARGUMENTS)], ids=["object", "text"])
@pytest.mark.parametrize(("source", "text"), SHOWN, ids=["items", "tojson", "either", "text", "none"])
def test_a_call_is_rendered_the_same_whichever_form_it_came_in(
    source: str, text: str, arguments: Any, form: str
) -> None:
    assert ChatTemplate(source, {}).render(calling(arguments, form)) == text


def test_arguments_that_are_no_object_stay_what_they_are() -> None:
    assert ChatTemplate(TEXT_ONLY, {}).render(calling("not {JSON")) == "hot?weather(not {JSON)"
    assert "not {JSON" in ChatTemplate(OBJECTS, {}).render(calling("not {JSON"))


def test_a_call_without_a_form_is_seen_all_the_same() -> None:
    messages = [{"role": "assistant", "content": "I look.", "tool_calls": [{"odd": "call"}]}]
    assert ChatTemplate(OBJECTS, {}).render(messages) == 'assistant:I look.\n{"odd": "call"}'


def test_two_calls_are_two() -> None:
    messages = calling({"city": "Bern"})
    messages[1]["tool_calls"] *= 2
    assert ChatTemplate(OBJECTS, {}).render(messages).count("<weather city=Bern>") == 2


def test_a_template_that_rejects_the_conversation_rejects_it_with_calls() -> None:
    with pytest.raises(TemplateError, match="rejects this conversation"):
        ChatTemplate("{{ raise_exception('no') }}", {}).render(calling(ARGUMENTS))


@pytest.mark.parametrize("name", ["reasoning_content", "thinking", "reasoning"])
def test_reasoning_is_read_under_each_of_its_names(name: str) -> None:
    messages = [{"role": "assistant", "content": "4", name: "2 + 2"}]
    assert ChatTemplate("{{ messages[0].reasoning_content }}", {}).render(messages) == "2 + 2"
    assert ChatTemplate("{{ messages[0].thinking }}", {}).render(messages) == "2 + 2"
