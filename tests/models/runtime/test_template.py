"""Chat templates render as transformers renders them, in a sandbox, and on the day they were converted."""

import pytest
from reward_models.runtime.template import ChatTemplate, TemplateError

TURNS = [{"role": "user", "content": "Why? "}, {"role": "assistant", "content": " Because."}]


def render(source: str, **tokens: str) -> str:
    return ChatTemplate(source, tokens, "2026-11-05").render_messages(TURNS)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ bos_token }}{{ messages[0].content }}", "<s>Why? "),
        ("{{ messages[1]['content'] | trim }}", "Because."),
        ("{% for m in messages %}\n{{ m.role }}\n{% endfor %}", "user\nassistant\n"),
        ("  {% if true %}\nx\n  {% endif %}\n", "x\n"),
        ("{{ strftime_now('%d %b %Y') }}", "05 Nov 2026"),
        ("{{ {'a': 'ü<>'} | tojson }}", '{"a": "ü<>"}'),
        ("{% generation %}{{ messages[1].content }}{% endgeneration %}", " Because."),
        ("{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% endfor %}", "assistant"),
        ("{% if add_generation_prompt %}no{% endif %}{% if tools %}no{% endif %}{{ undefined }}", ""),
    ],
)
def test_it_renders_as_transformers_does(source: str, text: str) -> None:
    assert render(source, bos_token="<s>") == text


def test_a_conversation_that_the_template_refuses_is_an_error_without_its_text() -> None:
    with pytest.raises(TemplateError, match="rejects this conversation: TemplateError, for roles user, assi") as e:
        render("{{ raise_exception('no: ' + messages[0].content) }}")
    assert "Why" not in str(e.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{{ strftime_now.__func__.__globals__ }}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source)


def test_what_is_no_jinja_is_refused_at_start() -> None:
    with pytest.raises(TemplateError, match="is not valid Jinja"):
        render("{% for %}")


def test_it_tells_what_stands_around_the_answer() -> None:
    template = ChatTemplate("[{{ messages[0].content }}|{{ messages[1].content | trim }}]", {}, "2026-11-05")
    assert template.split_around_answer(TURNS) == ("[Why? |", "]")


def test_a_template_that_hides_the_answer_is_refused() -> None:
    with pytest.raises(TemplateError, match="does not write the answer"):
        ChatTemplate("{{ messages[0].content }}", {}, "2026-11-05").split_around_answer(TURNS)
