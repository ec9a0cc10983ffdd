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
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import Field, field_validator, model_validator

from reward_gateway.rates import parse_rate

from ..declared_servers import DeclaredServer, ServersFileError, check_address, read_servers
from ..fallbacks import explain_fallback
from .spending import Price

_NOT_EXTRA = {
    *("model", "messages", "temperature", "max_tokens", "stream", "n", "response_format", "logprobs", "top_logprobs"),
    "guided_json",  # vLLM has dropped it, and ignores it without a word
}


class JudgesFileError(ServersFileError):
    """The judges file cannot be used; the message says which entry and why, and never repeats a value of it."""


class JudgeConfig(DeclaredServer):
    """One judge. Times in seconds."""

    noun: ClassVar[str] = "judge"
    plural: ClassVar[str] = "judges"
    fault: ClassVar[type[ServersFileError]] = JudgesFileError

    base_url: str | None = Field(
        None,
        description="http(s)://host[:port][/path], used as it stands; without a path /v1 is added. A query may give an "
        "api-version.",
    )
    urls: tuple[str, ...] = Field(
        (),
        max_length=256,
        description="Instead of base_url: addresses of replicas, each of which serves the same model. Each question "
        "goes to the one with the fewest under way; one that does not answer is passed over.",
    )
    hedge: bool = Field(
        False,
        description="At temperature 0, send a question that takes longer than 95 % of the latest ones to another "
        "replica too, and take the answer that comes first; at most 5 % more calls. Both are charged.",
    )
    model: str = Field(min_length=1, description="Model name sent in requests.")
    temperature: float | None = Field(
        0.0,
        ge=0,
        le=2,
        description="Default temperature, if the operation sets none. null: none, and no 0 of an operation's, is sent.",
    )
    max_tokens: int | None = Field(
        None, ge=1, description="Maximum tokens per answer; sent as max_completion_tokens to a server that wants it."
    )
    structured: bool = Field(
        True, description="Ask for JSON by response_format where JSON is read; off after a server's first refusal."
    )
    top_logprobs: int = Field(
        20, ge=1, le=100, description="Alternatives of a token that are asked for where `grade: expected` weighs them."
    )
    max_side: int = Field(2048, ge=16, le=16384, description="Longest side of an image that is sent, in pixels.")
    concurrency: int = Field(16, ge=1, le=1024, description="Maximum concurrent requests per gateway process.")
    rate: str | None = Field(None, description="Maximum request rate per gateway process, for example 300/minute.")
    timeout_s: float = Field(60.0, gt=0, le=3600, description="Timeout of one request.")
    adaptive_timeout: float | None = Field(
        None,
        ge=1,
        le=100,
        description="Factor of a shorter timeout: once 20 answers to questions that differ in the response alone were "
        "read, a request has their p99 times this (at least 0.5 s, at most timeout_s). A question that is stopped by "
        "it has no answer (`timeout`). Counted by each process.",
    )
    retries: int = Field(
        3,
        ge=0,
        le=10,
        description="Retries after 408, 409, 429, 5xx, a lost connection, an error with 200, or an empty answer; at a "
        "temperature above 0 after an answer that is unfinished or cannot be read, too.",
    )
    tokens_per_minute: int | None = Field(
        None, ge=1, description="Maximum tokens per minute of questions and answers, per gateway process."
    )
    price: Price | None = Field(None, description="{input, output}: price of a million tokens.")
    daily_budget: float | None = Field(
        None,
        gt=0,
        description="What it may cost per day (UTC), then it answers over_budget until the next; needs price.",
    )
    fallback: str | None = Field(
        None,
        description="Another judge of this file, which scores whole requests while this one is away: it cannot be "
        "reached, or failed repeatedly. Its samples are flagged `fallback`.",
    )
    extra: dict[str, Any] = Field(default_factory=dict, description="Further fields of the request: top_p, seed …")

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, url: str | None) -> str | None:
        if url is not None:
            _check_judge_address(url)
        return url

    @field_validator("urls")
    @classmethod
    def _check_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            _check_judge_address(url)
        if len({_chat_url(url) for url in urls}) < len(urls):
            raise ValueError("names one address twice")
        return urls

    @field_validator("rate")
    @classmethod
    def _check_rate(cls, rate: str | None) -> str | None:
        if rate is not None:
            parse_rate(rate)
        return rate

    @field_validator("extra")
    @classmethod
    def _check_extra(cls, extra: dict[str, Any]) -> dict[str, Any]:
        if taken := _NOT_EXTRA & extra.keys():
            raise ValueError(f"{', '.join(sorted(taken))} cannot be set here")
        return extra

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if bool(self.urls) == (self.base_url is not None):
            raise ValueError("name the server by base_url, or several by urls: one of them")
        if self.hedge and len(self.urls) < 2:
            raise ValueError("hedge needs another replica to ask: name two or more addresses in urls")
        if self.hedge and self.temperature is None:
            raise ValueError("hedge needs a temperature: without one the server draws its answers, and none is hedged")
        if self.daily_budget is not None and self.price is None:
            raise ValueError("daily_budget needs a price")
        return self

    @property
    def chat_urls(self) -> list[str]:
        """The URLs that requests are sent to, one per replica."""
        return [_chat_url(url) for url in self.urls or (self.base_url or "",)]


def _check_judge_address(url: str) -> None:
    parts = urlsplit(url)
    if {name for name, _ in parse_qsl(parts.query)} - {"api-version"}:
        raise ValueError("its query may give an api-version alone; put a key into the environment (api_key_env)")
    check_address(urlunsplit(parts._replace(query="")))


def _chat_url(url: str) -> str:
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return urlunsplit((parts.scheme, parts.netloc, f"{path}/chat/completions", parts.query, ""))


def load_judges(path: Path | None) -> list[JudgeConfig]:
    """Read the judges of a file; an empty list without a file.

    Raises:
        JudgesFileError: the file cannot be read, or an entry is invalid.
    """
    judges = read_servers(path, JudgeConfig)
    fallbacks = {judge.name: judge.fallback for judge in judges}
    for i, judge in enumerate(judges):
        if fault := explain_fallback(judge.name, fallbacks):
            raise JudgesFileError(f"judges[{i}].fallback: {fault}")
    return judges
