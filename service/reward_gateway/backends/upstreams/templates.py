"""Chat templates, rendered as ``transformers`` renders them, in Jinja's sandbox: their authors are not trusted.

Two differences are deliberate: the date is always 1 January 2025, since a score that changes from day to day could be
neither cached nor compared; and tool calls for which a template has no form are written into the text of their turn.
"""

import datetime
import json
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .tool_forms import Messages, has_calls, render_calls

_REASONING = ("reasoning_content", "thinking", "reasoning")
"""Names of a message's reasoning; templates read the first, those of gpt-oss the second."""


class TemplateError(ValueError):
    """A template is invalid or rejects a conversation; the message quotes none of the conversation."""


class Generation(Extension):
    """``{% generation %}…{% endgeneration %}``: marks the assistant's text for training without changing it."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> Any:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


class ChatTemplate:
    """A compiled template. Raises TemplateError if it is not valid Jinja."""

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        def refuse(message: str) -> None:
            raise jinja2.TemplateError(message)

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals.update(raise_exception=refuse, strftime_now=datetime.date(2025, 1, 1).strftime)
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise TemplateError(f"The chat template is not valid Jinja: {error}") from None
        self._special_tokens = dict(special_tokens)

    def render(self, messages: Messages) -> str:
        """The text of a conversation that ends with an answer. Raises TemplateError if the template rejects it."""
        named = [_name_reasoning(message) for message in messages]
        if any(map(has_calls, named)):
            return render_calls(named, self._render, TemplateError)
        return self._render(named)

    def _render(self, messages: Messages) -> str:
        try:
            return self._template.render(
                messages=messages, tools=None, documents=None, add_generation_prompt=False, **self._special_tokens
            )
        except Exception as error:  # a template is a program and can raise any exception
            roles = ", ".join(str(message.get("role")) for message in messages[:8])
            raise TemplateError(
                f"The chat template rejects this conversation: {type(error).__name__}, for roles {roles}."
            ) from None


def _name_reasoning(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message with its reasoning under each name that templates read."""
    reasoning = next((message[name] for name in _REASONING if message.get(name) is not None), None)
    return message if reasoning is None else {"thinking": reasoning, **message, "reasoning_content": reasoning}


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As transformers' filter: no HTML escapes, unlike Jinja's own."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
