"""Configuration of the judges: a YAML file of chat endpoints. API keys stay in the environment; the file names them.

judges:
  - name: strict
    base_url: https://judge.example.org
    model: judge-32b
    api_key_env: JUDGE_API_KEY
    max_tokens: 512
    concurrency: 8
    rate: 300/minute
    timeout_s: 60
    retries: 3
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from reward_gateway.rates import parse_rate
from reward_gateway.yaml_file import YamlFault, read_yaml


class JudgesFileError(ValueError):
    """The judges file cannot be used; the message says which entry and why, and never repeats a value of it."""


class JudgeConfig(BaseModel):
    """One judge. Times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Name by which operations refer to it.")
    base_url: str = Field(description="http(s)://host[:port][/path], with or without the trailing /v1.")
    model: str = Field(min_length=1, description="Model name sent in requests.")
    api_key_env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Environment variable that holds the API key."
    )
    temperature: float = Field(0.0, ge=0, le=2, description="Default temperature, if the operation sets none.")
    max_tokens: int = Field(1024, ge=1, description="Maximum tokens per answer.")
    concurrency: int = Field(16, ge=1, le=1024, description="Maximum concurrent requests per gateway process.")
    rate: str | None = Field(None, description="Maximum request rate per gateway process, for example 300/minute.")
    timeout_s: float = Field(60.0, gt=0, le=3600, description="Timeout of one request.")
    retries: int = Field(3, ge=0, le=10, description="Retries after 429, 5xx or a lost connection.")
    extra: dict[str, Any] = Field(default_factory=dict, description="Further fields of the request: top_p, seed …")

    @field_validator("base_url")
    @classmethod
    def _check_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be http://host or https://host")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("must have no user, query or fragment; put a key into the environment (api_key_env)")
        return url.rstrip("/").removesuffix("/v1")

    @field_validator("rate")
    @classmethod
    def _check_rate(cls, rate: str | None) -> str | None:
        if rate is not None:
            parse_rate(rate)
        return rate

    @field_validator("extra")
    @classmethod
    def _check_extra(cls, extra: dict[str, Any]) -> dict[str, Any]:
        taken = {"model", "messages", "temperature", "max_tokens", "stream", "n"} & extra.keys()
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))} cannot be set here")
        return extra

    @property
    def url(self) -> str:
        """The URL that requests are sent to."""
        return f"{self.base_url}/v1/chat/completions"

    def api_key(self, environment: Mapping[str, str] = os.environ) -> SecretStr | None:
        """The API key, or None if the judge needs none.

        Raises:
            JudgesFileError: the environment variable is not set.
        """
        if self.api_key_env is None:
            return None
        key = environment.get(self.api_key_env)
        if not key:
            raise JudgesFileError(
                f"the judge {self.name} needs its key in the environment: {self.api_key_env} is empty"
            )
        return SecretStr(key)


def load_judges(path: Path | None) -> list[JudgeConfig]:
    """Read the judges of a file; an empty list without a file.

    Raises:
        JudgesFileError: the file cannot be read, or an entry is invalid.
    """
    if path is None:
        return []
    try:
        entries = read_yaml(path)
    except YamlFault as error:
        raise JudgesFileError(f"the judges file cannot be read: {error}") from None
    if not isinstance(entries, dict) or set(entries) != {"judges"} or not isinstance(entries["judges"], list):
        raise JudgesFileError("the judges file must hold one list named judges")
    judges = [_parse_entry(i, entry) for i, entry in enumerate(entries["judges"])]
    if len({judge.name for judge in judges}) < len(judges):
        raise JudgesFileError("two judges share a name")
    return judges


def _parse_entry(index: int, entry: Any) -> JudgeConfig:
    try:
        return JudgeConfig.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        where = ".".join((f"judges[{index}]", *(str(part) for part in first["loc"])))
        raise JudgesFileError(f"{where}: {first['msg']}") from None
