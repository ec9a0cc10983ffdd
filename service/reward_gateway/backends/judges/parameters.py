"""Parameters of a judge's requests: what its configuration names, without what its server was found to refuse."""

import re
from collections.abc import Mapping
from typing import Any

import structlog

from .config import JudgeConfig
from .questions import Question

log = structlog.get_logger(__name__)

_RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_LOGPROBS = ("logprobs", "top_logprobs")
_DROPPED = ("temperature", "response_format", *_LOGPROBS)

_OTHER_WORDS = {"response_format": r"response_format|json[_ ]schema|grammar|structured outputs?"}
"""Name of a parameter -> what messages about it have in its place."""

_OF_VALUES = re.compile(
    r"too (?:large|long|high|low|small|big|many)|context (?:length|window)|exceed|at (?:most|least)|out of range"
    r"|(?:greater|less|larger|smaller|more|fewer) than|between|range|[<>]=?\s*\d|\d\s*[<>]",
    re.IGNORECASE,
)
"""Of messages about a value alone: one question was too long, say. The next may be sent with the parameter again."""


class Parameters:
    """What a judge is sent beside model and messages, as far as is known by now."""

    def __init__(self, config: JudgeConfig) -> None:
        self._config = config
        self._refused: set[str] = set()

    @property
    def tells_tokens(self) -> bool:
        """Whether the server may be asked for log-probabilities: it has not refused them."""
        return self._refused.isdisjoint(_LOGPROBS)

    def make(
        self, temperature: float | None, schema: Mapping[str, Any] | None = None, *, tokens: bool = False
    ) -> dict[str, Any]:
        """The parameters of one request.

        Args:
            temperature: None for the configured one, which may be none at all; then 0 is not sent either.
            schema: JSON Schema of the answer, for servers that keep to one.
            tokens: whether the answer's tokens are to be told, with the log-probabilities of their alternatives.
        """
        made = dict(self._config.extra)
        chosen = self._config.temperature if temperature is None else temperature
        if chosen is not None and (chosen > 0 or self._config.temperature is not None):
            made["temperature"] = chosen
        if self._config.max_tokens is not None:
            made["max_tokens"] = self._config.max_tokens
        if schema is not None and self._config.structured:
            answer = {"name": "answer", "strict": True, "schema": dict(schema)}
            made["response_format"] = {"type": "json_schema", "json_schema": answer}
        if tokens:
            made |= {"logprobs": True, "top_logprobs": self._config.top_logprobs}
        for name in self._refused & made.keys():
            value = made.pop(name)
            if name in _RENAMED and _RENAMED[name] not in self._refused:
                made[_RENAMED[name]] = value
        return made

    def of(self, question: Question) -> dict[str, Any]:
        """The parameters that a question is sent with."""
        return self.make(question.temperature, question.schema, tokens=question.tokens)

    def learn(self, sent: Mapping[str, Any], named: str, message: str) -> bool:
        """Leave out, or rename, a parameter that a server's error names; whether the request is worth another try for
        it. One for log-probabilities is not: without them its answer is none.

        Args:
            sent: the request's parameters.
            named: the error's ``param``.
            message: its message.
        """
        for name in (*_RENAMED, *_DROPPED):
            if name not in sent or not _names(name, named, message):
                continue
            if name != "response_format" and _OF_VALUES.search(message):
                return False
            if name not in self._refused:  # a request that was under way meanwhile finds it known
                self._refused |= set(_LOGPROBS) if name in _LOGPROBS else {name}
                instead = _RENAMED.get(name)
                log.warning("judge_refuses_parameter", judge=self._config.name, parameter=name, sent_instead=instead)
            return name not in _LOGPROBS
        return False


def _names(name: str, param: str, message: str) -> bool:
    if param:
        return name in re.split(r"[.\[\]]", param)
    words = _OTHER_WORDS.get(name, name)
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", message, re.IGNORECASE) is not None
