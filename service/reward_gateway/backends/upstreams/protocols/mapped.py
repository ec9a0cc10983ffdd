"""Any HTTP server: the request is a template of JSON, and a JMESPath says where the numbers are."""

import copy
from collections.abc import Sequence
from typing import Any

import jmespath

from ..config import FIELD_MARK, UpstreamConfig
from ..rows import Question
from .base import CallContent, RowAnswers, UpstreamProtocol, expect_list, to_table


class MappedHttp(UpstreamProtocol):
    """The form of ``http``: a call per sample, or a list of samples under the key ``rows``."""

    def __init__(self, config: UpstreamConfig) -> None:
        super().__init__(config)
        assert config.http is not None
        self._form = config.http
        self._answer = jmespath.compile(config.http.answer)

    @property
    def batches(self) -> bool:
        return self._form.rows is not None

    def build_call(self, questions: Sequence[Question]) -> CallContent:
        body = copy.deepcopy(self._form.body)
        if self._form.rows is None:
            return CallContent(self._form.path, fill_form(body, questions[0]), self._form.method)
        element = expect_list(body[self._form.rows])[0]
        body[self._form.rows] = [fill_form(element, question) for question in questions]
        return CallContent(self._form.path, body, self._form.method)

    def read_answer(self, answer: Any, questions: Sequence[Question]) -> RowAnswers:
        found = self._answer.search(answer)
        if found is None:
            raise ValueError("`answer` finds nothing in it")
        if self._form.rows is None:
            return RowAnswers(to_table([found]))
        return RowAnswers(to_table(expect_list(found, len(questions))))


def fill_form(form: Any, question: Question) -> Any:
    """A form with the fields of a sample in place of {name}; a text that is a name alone may become messages."""
    if isinstance(form, dict):
        return {key: fill_form(value, question) for key, value in form.items()}
    if isinstance(form, list):
        return [fill_form(value, question) for value in form]
    if form == "{messages}":
        return question.messages
    if not isinstance(form, str):
        return form
    return FIELD_MARK.sub(lambda match: read_field(question, match[1]), form)


def read_field(question: Question, name: str) -> str:
    """The text of a field that a form names."""
    if name in ("prompt", "response", "text"):
        return str(getattr(question, name))
    return question.fields[name]
