"""Chat templates: a conversation as the one text that a checkpoint was trained to read.

A checkpoint carries its template as Jinja. It is rendered here as ``transformers`` renders it (same filters, same
white-space rules, the special tokens by name), in Jinja's sandbox, as it comes from whoever made the checkpoint. One
difference is on purpose: a template that asks for today's date gets the day of the conversion, as a score that
changes overnight could be neither cached nor compared.
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
"""Stands for the answer where its place in the text is looked for; invisible separators, so that no text holds it."""


class TemplateError(ValueError):
    """A conversation that a template does not take; the message quotes none of it."""


class Generation(Extension):
    """``{% generation %}…{% endgeneration %}``: marks what an assistant wrote for training, and changes no text."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> Any:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


class ChatTemplate:
    """A template, compiled.

    Args:
        source: Jinja.
        special_tokens: ``bos_token``, ``eos_token`` and so on, as the tokeniser names them.
        date: what ``strftime_now`` takes for today.

    Raises:
        TemplateError: it is no Jinja.
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
            raise TemplateError(f"The chat template is no Jinja: {error}") from None
        self._special_tokens = dict(special_tokens)

    def render_messages(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The text of a conversation that ends with an answer. Raises TemplateError if the template refuses it."""
        try:
            return self._template.render(
                messages=messages, tools=None, documents=None, add_generation_prompt=False, **self._special_tokens
            )
        except Exception as error:  # a template is a program, and can fail with anything
            reason = f"{type(error).__name__}, for roles {', '.join(str(message['role']) for message in messages[:8])}"
            raise TemplateError(f"The chat template does not take this conversation: {reason}.") from None

    def split_around_answer(self, messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
        """What the template writes before and after the last message's own text. Raises TemplateError."""
        before, found, after = self.render_messages([*messages[:-1], {**messages[-1], "content": MARK}]).rpartition(
            MARK
        )
        if not found:
            raise TemplateError("The chat template does not write the answer as it is.")
        return before, after


def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    """JSON without the HTML escapes of Jinja's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)
