"""Parameters of a judge's requests: what its configuration names, without what its server was found to refuse."""

import re
from collections.abc import Mapping
from typing import Any

import structlog

from .config import JudgeConfig

log = structlog.get_logger(__name__)

_DROPPED = ("temperature", "response_format", "logprobs")
_RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_TOP_LOGPROBS = "top_logprobs"


class Parameters:
    """What a judge is sent beside model and messages, as far as is known by now."""

    def __init__(self, config: JudgeConfig) -> None:
        self._config = config
        self._refused: set[str] = set()

    def make(
        self, temperature: float | None, schema: Mapping[str, Any] | None = None, top_logprobs: int = 0
    ) -> dict[str, Any]:
        """The parameters of one request.

        Args:
            temperature: None for the configured one, which may be none at all.
            schema: JSON Schema of the answer, for servers that keep to one.
            top_logprobs: alternatives of each token to be told, with their log-probabilities; 0: none.
        """
        made = dict(self._config.extra)
        chosen = self._config.temperature if temperature is None else temperature
        if chosen is not None:
            made["temperature"] = chosen
        if self._config.max_tokens is not None:
            made["max_tokens"] = self._config.max_tokens
        if schema is not None and self._config.structured:
            answer = {"name": "answer", "strict": True, "schema": dict(schema)}
            made["response_format"] = {"type": "json_schema", "json_schema": answer}
        if top_logprobs:
            made |= {"logprobs": True, _TOP_LOGPROBS: top_logprobs}
        for name in self._refused & made.keys():
            value = made.pop(name)
            if name in _RENAMED and _RENAMED[name] not in self._refused:
                made[_RENAMED[name]] = value
        return made

    def learn(self, sent: Mapping[str, Any], named: str, message: str) -> bool:
        """Leave out, or rename, a parameter that a server's error names; whether the request is
        worth another try for it.

        Args:
            sent: the request's parameters.
            named: the error's ``param``.
            message: its message.
        """
        for name in (*_RENAMED, *_DROPPED):
            if name not in sent or not _names(name, named, message):
                continue
            if name not in self._refused:  # a request that was under way meanwhile finds it known
                self._refused.add(name)
                instead = _RENAMED.get(name)
                log.warning("judge_refuses_parameter", judge=self._config.name, parameter=name, sent_instead=instead)
            return True
        return False


def _names(name: str, param: str, message: str) -> bool:
    if param:
        return param.partition(".")[0].partition("[")[0] == name
    return re.search(rf"(?<!\w){name}(?!\w)", message) is not None
