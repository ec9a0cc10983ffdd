"""Chat templates render here what transformers renders, tool calls in every form included."""

import json
from typing import Any

import pytest
from reward_gateway.backends.upstreams.templates import ChatTemplate

from tests.backends.upstreams.test_templates import ARGUMENTS, AS_JSON, EITHER, OBJECTS, calling
from tests.upstreams.servers import ask_transformers

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
TURNS: list[dict[str, Any]] = [
    {"role": "system", "content": "Be  brief. "},
    {"role": "user", "content": [{"type": "text", "text": "a <b> é"}]},
    {"role": "assistant", "content": "c\n"},
]
PLAIN = [
    "{{ bos_token }}{% for m in messages %}\n  {% if true %}\n{{ m.content }}\n{% endif %}\n{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{% endfor %}",
    "{{ messages | tojson }}{{ messages | tojson(indent=2) }}",
    "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% endfor %}",
    "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "{{ messages[0].content | trim }}{{ tools is none }}{{ add_generation_prompt }}{{ undefined }}{{ eos_token }}",
    "{{ dict(a=1) }}{{ messages[0].items() | list }}{{ '%05.1f' | format(2.25) }}",
]
FORMS = {"object": ARGUMENTS, "text": json.dumps(ARGUMENTS)}


@pytest.fixture(scope="module")
def transformers_texts() -> dict[tuple[str, bool], str]:
    """Text by the template, and whether the conversation has calls: transformers gets their arguments as objects."""
    asked = {(source, False): TURNS for source in PLAIN} | {
        (source, True): calling(ARGUMENTS) for source in (OBJECTS, AS_JSON, EITHER)
    }
    questions = [{"template": key[0], "messages": messages, "tokens": TOKENS} for key, messages in asked.items()]
    return dict(zip(asked, ask_transformers(questions), strict=True))


@pytest.mark.parametrize("source", PLAIN)
def test_conversations(transformers_texts: dict[Any, str], source: str) -> None:
    assert ChatTemplate(source, TOKENS).render(TURNS) == transformers_texts[source, False]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source", [OBJECTS, AS_JSON, EITHER], ids=["items", "tojson", "either"])
def test_tool_calls(transformers_texts: dict[Any, str], source: str, form: str) -> None:
    assert ChatTemplate(source, TOKENS).render(calling(FORMS[form])) == transformers_texts[source, True]
