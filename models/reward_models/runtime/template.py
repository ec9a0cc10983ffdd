"""Chat templates: render a conversation as the text that a checkpoint was trained on.

A checkpoint's Jinja template is rendered as ``transformers`` does (same filters, same white-space rules, special
tokens by name), in Jinja's sandbox, as its author is not trusted. Two differences are deliberate: the current date is
that of the conversion, since a score that changes from day to day could be neither cached nor compared; and tool calls
for which a template has no form are written as JSON below the text of their turn, since a call that a model does not
see would earn what an empty answer earns.
"""

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reward_models.runtime.chat import read_arguments, turn_calls, turn_text

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
        if not any(message.get("tool_calls") for message in messages):
            return self._render(messages)
        for arguments in (read_arguments, write_arguments):  # templates expect objects, or the JSON of them
            try:
                if self._shows_calls(messages, arguments):
                    return self._render([with_calls(message, arguments) for message in messages])
            except TemplateError:
                continue
        return self._render([as_text(message) for message in messages])

    def _shows_calls(self, messages: Sequence[Mapping[str, Any]], arguments: Callable[[Any], Any]) -> bool:
        """Whether the template writes all that turns with calls say: it is tried with marks in place of their texts, so
        that no caller's text passes for another."""
        marks = Marks()
        text = self._render([with_calls(marks.replace(message), arguments) for message in messages])
        return all(mark in text for mark in marks.made)

    def _render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        try:
            return self._template.render(
                messages=messages, tools=None, documents=None, add_generation_prompt=False, **self._special_tokens
            )
        except Exception as error:  # a template is a program and can raise any exception
            reason = f"{type(error).__name__}, for roles {', '.join(str(message['role']) for message in messages[:8])}"
            raise TemplateError(f"The chat template rejects this conversation: {reason}.") from None

    def split_around_answer(self, messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
        """The rendered text before and after the content of a last message without calls. Raises TemplateError."""
        marked = {**as_text(messages[-1]), "content": MARK}
        before, found, after = self.render_messages([*messages[:-1], marked]).rpartition(MARK)
        if not found:
            raise TemplateError("The chat template does not write the answer unchanged.")
        return before, after

    def locate_answer(self, messages: Sequence[Mapping[str, Any]]) -> tuple[str, int, int]:
        """The rendered text, and where in it the answer with its calls begins and ends. Raises TemplateError."""
        before, after = self.split_around_answer(messages)
        text = self.render_messages(messages)
        if messages[-1].get("tool_calls") and not (text.startswith(before) and text.endswith(after)):
            text = self.render_messages([*messages[:-1], as_text(messages[-1])])
        return text, len(before), len(text) - len(after)


class Marks:
    """Makes texts that stand for others, each of them different and found nowhere else."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def replace(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """A message whose text and calls are marks, if it has calls."""
        calls = turn_calls(message)
        if not calls:
            return message
        content = self._mark(message["content"]) if str(message["content"]).strip() else message["content"]
        return {**message, "content": content, "tool_calls": [self._mark_call(call) for call in calls]}

    def _mark_call(self, call: Any) -> Any:
        if not isinstance(call, Mapping) or "name" not in call:
            self.made.append("\0")  # no template has a form for it
            return call
        return {"name": self._mark(call["name"]), "arguments": self._mark(call.get("arguments", {}))}

    def _mark(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {self._mark(str(key)): self._mark(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self._mark(entry) for entry in value]
        if not isinstance(value, str):
            return value
        self.made.append(f"mark{len(self.made):06d}")
        return self.made[-1]


def with_calls(message: Mapping[str, Any], arguments: Callable[[Any], Any]) -> Mapping[str, Any]:
    """A message with its calls in OpenAI's form, their arguments converted."""
    calls = turn_calls(message)
    if not calls:
        return message
    return {
        **message,
        "tool_calls": [
            {
                **keep_id(own),
                "type": "function",
                "function": {**call, "arguments": arguments(call.get("arguments", {}))},
            }
            for own, call in zip(message["tool_calls"], calls, strict=True)
            if isinstance(call, Mapping)
        ],
    }


def keep_id(call: Any) -> dict[str, Any]:
    """The fields of a call as it came, its id among them, without what held its name in another form."""
    return {key: value for key, value in call.items() if key != "custom"} if isinstance(call, Mapping) else {}


def write_arguments(arguments: Any) -> Any:
    """Arguments as the JSON that OpenAI's form has."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def as_text(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message whose calls, if it has any, stand in its text as JSON."""
    if not message.get("tool_calls"):
        return message
    return {**{key: value for key, value in message.items() if key != "tool_calls"}, "content": turn_text(message)}


def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    """JSON without the HTML escapes of Jinja's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)
