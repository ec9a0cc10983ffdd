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

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from reward_gateway.rates import parse_rate

from ..declared_servers import DeclaredServer, ServersFileError, check_address, read_servers


class JudgesFileError(ServersFileError):
    """The judges file cannot be used; the message says which entry and why, and never repeats a value of it."""


class JudgeConfig(DeclaredServer):
    """One judge. Times in seconds."""

    noun: ClassVar[str] = "judge"
    plural: ClassVar[str] = "judges"
    fault: ClassVar[type[ServersFileError]] = JudgesFileError

    base_url: str = Field(description="http(s)://host[:port][/path], with or without the trailing /v1.")
    model: str = Field(min_length=1, description="Model name sent in requests.")
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
        return check_address(url).removesuffix("/v1")

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


def load_judges(path: Path | None) -> list[JudgeConfig]:
    """Read the judges of a file; an empty list without a file.

    Raises:
        JudgesFileError: the file cannot be read, or an entry is invalid.
    """
    return read_servers(path, JudgeConfig)
