"""The file of upstreams: a YAML mapping of names to servers. API keys stay in the environment; the file names them.

upstreams:
  skywork:
    protocol: vllm_classify
    urls: [http://rm-0:8000, http://rm-1:8000]
    model: Skywork/Skywork-Reward-V2-Llama-3.1-8B
    input: messages
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from reward_gateway.yaml_file import YamlFault, read_yaml

FIELD_MARK = re.compile(r"\{([a-z_]+)\}")
"""Where the form of a request names a field of the sample."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")

ProtocolName = Literal[
    "vllm_classify",
    "vllm_pooling",
    "vllm_score",
    "vllm_rerank",
    "sglang_classify",
    "sglang_rerank",
    "tei_predict",
    "tei_rerank",
    "infinity_classify",
    "infinity_rerank",
    "word_logprob",
    "oip",
    "openrlhf",
    "http",
]
Input = Literal["messages", "text", "pair", "response"]
Activation = Literal["none", "sigmoid", "softmax"]


class UpstreamsFileError(ValueError):
    """The file of upstreams cannot be used; each fault says which entry and why, and never repeats a secret."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def check_address(url: str) -> str:
    """An address without user, query or fragment, and without a slash at its end. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
        raise ValueError("must be http://host, https://host or, for oip, grpc://host:port")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must have no user, query or fragment; put a key into the environment (api_key_env)")
    _ = parts.port
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(check_address)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(_Entry):
    """Limits of one upstream, per gateway process."""

    in_flight: int = Field(32, ge=1, le=1024, description="Maximum calls in flight, over all replicas.")
    batch: int = Field(64, ge=1, le=4096, description="Maximum rows per call, where the protocol takes several.")
    timeout_s: float = Field(60.0, gt=0, le=3600, description="Timeout of one call.")


class Words(_Entry):
    """Of ``word_logprob``: the words whose log-probabilities are the score."""

    positive: str = Field(min_length=1, max_length=64, description="Its logit (or log-odds) is the score.")
    negative: str | None = Field(
        None, min_length=1, max_length=64, description="The score is the log-odds of positive against negative."
    )


class Tensors(_Entry):
    """Of ``oip``: the tensors of the server's model, by the field of a sample or the score that they hold."""

    inputs: dict[str, str] = Field(min_length=1, description="Field of a sample -> name of the input tensor.")
    output: str = Field("score", min_length=1, description="Name of the output tensor, [n, K] or [n].")


class HttpForm(_Entry):
    """Of ``http``: the request as a template, and where the numbers are in the answer."""

    method: Literal["POST", "PUT"] = "POST"
    path: str = Field("/", pattern=r"^/", description="Path below the address.")
    body: Any = Field(description="JSON in which {prompt}, {response}, {messages}, {text} stand for the sample's.")
    rows: str | None = Field(
        None,
        description="Key of the body's list that has one element per sample, as `body` shows one; unset: one sample "
        "per call.",
    )
    answer: str = Field(min_length=1, description="JMESPath of the number, or list of K numbers, of each sample.")


class UpstreamConfig(_Entry):
    """One upstream."""

    protocol: ProtocolName = Field(description="How the server is asked.")
    urls: tuple[Address, ...] = Field((), max_length=256, description="Replicas: http(s)://host[:port][/path].")
    dns: Address | None = Field(None, description="Instead of urls: every address that the host's name resolves to.")
    model: str = Field("", description="Name of the model in requests.")
    input: Input = Field(
        "messages",
        description="messages: chat messages, rendered by the server. text: rendered here by `template`. pair: prompt "
        "and response. response: the response alone.",
    )
    template: Path | None = Field(None, description="Jinja chat template for `input: text`, as transformers render it.")
    special_tokens: dict[str, str] = Field(
        default_factory=dict, description="bos_token, eos_token … that the template names."
    )
    dimensions: tuple[str, ...] = Field(("score",), min_length=1, max_length=1024, description="Names of the K scores.")
    activation: Activation = Field("none", description="none: raw logits; sigmoid or softmax where they are wanted.")
    images: bool = Field(False, description="Samples' images go as parts of the messages.")
    vector: bool = Field(False, description="One number per token or step: vllm_pooling with token_classify.")
    step_mark: str | None = Field(None, description="Text behind each step, at whose last token a step's number is.")
    truncate: bool = Field(False, description="Let the server cut a text that is too long; the sample is flagged.")
    tokenizer: Path | None = Field(None, description="tokenizer.json by which truncated texts are recognised.")
    max_tokens: int | None = Field(None, ge=1, description="The server's limit of tokens, for `truncate`.")
    words: Words | None = Field(None, description="Words of word_logprob.")
    tensors: Tensors | None = Field(None, description="Tensors of oip.")
    http: HttpForm | None = Field(None, description="Request and answer of http.")
    version: str = Field("", max_length=128, description="Version of the weights; empty: discovered.")
    limits: Limits = Field(default_factory=Limits)
    api_key_env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Environment variable that holds the API key."
    )

    @model_validator(mode="after")
    def _fits_protocol(self) -> Self:
        if bool(self.urls) == (self.dns is not None):
            raise ValueError("name the server by urls or by dns, one of them")
        if len(set(self.urls)) < len(self.urls):
            raise ValueError("urls names one address twice")
        if len(set(self.dimensions)) < len(self.dimensions):
            raise ValueError("dimensions names one number twice")
        for name, protocol in (("words", "word_logprob"), ("tensors", "oip"), ("http", "http")):
            if (getattr(self, name) is not None) != (self.protocol == protocol):
                needs = "needs" if self.protocol == protocol else "has no use for"
                raise ValueError(f"{self.protocol} {needs} `{name}`")
        if (self.input == "text") != (self.template is not None):
            raise ValueError("`input: text` and `template` go together")
        if self.truncate and self.tokenizer is None:
            raise ValueError("truncate needs `tokenizer`, so that truncated samples can be flagged")
        return self

    @property
    def named_fields(self) -> tuple[str, ...]:
        """Fields of a sample that the forms of ``tensors`` and ``http`` name."""
        named = dict.fromkeys(self.tensors.inputs) if self.tensors else {}
        if self.http is not None:
            named |= dict.fromkeys(FIELD_MARK.findall(json.dumps(self.http.body)))
        return tuple(named)

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.urls or ((self.dns,) if self.dns else ())

    def api_key(self, environment: Mapping[str, str] = os.environ) -> SecretStr | None:
        """The API key, or None if the server needs none. Raises ValueError if the variable is not set."""
        if self.api_key_env is None:
            return None
        if not (key := environment.get(self.api_key_env)):
            raise ValueError(f"needs its key in the environment: {self.api_key_env} is empty")
        return SecretStr(key)


def load_upstreams(path: Path | None) -> dict[str, UpstreamConfig]:
    """The upstreams of a file by name, in its order; none without a file.

    Relative paths of templates and tokenizers are those of the file's folder.

    Raises:
        UpstreamsFileError: the file cannot be read, or entries are invalid; every fault is listed.
    """
    if path is None:
        return {}
    try:
        content = read_yaml(path)
    except YamlFault as error:
        raise UpstreamsFileError([f"the upstreams file cannot be read: {error}"]) from None
    if not isinstance(content, dict) or set(content) != {"upstreams"} or not isinstance(content["upstreams"], dict):
        raise UpstreamsFileError(["the upstreams file must hold one mapping named upstreams"])
    upstreams: dict[str, UpstreamConfig] = {}
    faults: list[str] = []
    for name, entry in content["upstreams"].items():
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            faults.append("upstreams: a name has letters, digits, _ . and -, at most 64")
            continue
        try:
            upstreams[name] = _resolve_files(UpstreamConfig.model_validate(entry), path.parent)
            upstreams[name].api_key()
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_context=False, include_url=False):
                where = ".".join(("upstreams", name, *(str(part) for part in fault["loc"])))
                faults.append(f"{where}: {fault['msg'].removeprefix('Value error, ')}")
        except ValueError as error:
            faults.append(f"upstreams.{name}: {error}")
    if faults:
        raise UpstreamsFileError(faults)
    return upstreams


def _resolve_files(config: UpstreamConfig, folder: Path) -> UpstreamConfig:
    """The same, with whole paths. Raises ValueError if a file is not there."""
    found: dict[str, Path] = {}
    for name in ("template", "tokenizer"):
        file = getattr(config, name)
        if file is not None:
            found[name] = folder / file
            if not found[name].is_file():
                raise ValueError(f"{name}: there is no file {file}")
    return config.model_copy(update=found)
