"""Chat templates: render a conversation as the text that a checkpoint was trained on.

A checkpoint's Jinja template is rendered as ``transformers`` does (same filters, same white-space rules, special
tokens by name), in Jinja's sandbox, as its author is not trusted. One difference is deliberate: the current date is
that of the conversion, since a score that changes from day to day could be neither cached nor compared.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

MARK = "\u2063answer\u2063"
"""Placeholder used to locate the answer in the rendered text; invisible separators keep it out of real texts."""


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
    """A compiled template.

    Args:
        source: Jinja.
        special_tokens: ``bos_token``, ``eos_token`` and so on, as the tokeniser names them.
        date: the current date for ``strftime_now``, in ISO format.

    Raises:
        TemplateError: it is not valid Jinja.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str], date: str) -> None:
        today = datetime.datetime.fromisoformat(date)

        def refuse(message: str) -> None:
            raise jinja2.TemplateError(message)

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
        )
        environment.filters["tojson"] = to_json
        environment.globals.update(raise_exception=refuse, strftime_now=today.strftime)
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise TemplateError(f"The chat template is not valid Jinja: {error}") from None
        self._special_tokens = dict(special_tokens)

    def render_messages(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The text of a conversation that ends with an answer. Raises TemplateError if the template rejects it."""
        try:
            return self._template.render(
                messages=messages, tools=None, documents=None, add_generation_prompt=False, **self._special_tokens
            )
        except Exception as error:  # a template is a program and can raise any exception
            reason = f"{type(error).__name__}, for roles {', '.join(str(message['role']) for message in messages[:8])}"
            raise TemplateError(f"The chat template rejects this conversation: {reason}.") from None

    def split_around_answer(self, messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
        """The rendered text before and after the last message's content. Raises TemplateError."""
        before, found, after = self.render_messages([*messages[:-1], {**messages[-1], "content": MARK}]).rpartition(
            MARK
        )
        if not found:
            raise TemplateError("The chat template does not write the answer unchanged.")
        return before, after


def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    """JSON without the HTML escapes of Jinja's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)
