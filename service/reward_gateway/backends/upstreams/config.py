"""The file of upstreams: a YAML mapping of names to servers. API keys stay in the environment; the file names them.

upstreams:
  skywork:
    protocol: vllm_classify
    urls: [http://rm-0:8000, http://rm-1:8000]
    model: Skywork/Skywork-Reward-V2-Llama-3.1-8B
    input: messages
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, model_validator

from reward_gateway import extras
from reward_gateway.sample.fields import FIELDS

from ..port import LONGEST_COLD_START_S
from .entry_parts import HttpForm, Limits, Part, Tensors, Words
from .templates import ChatTemplate, TemplateError

FIELD_MARK = re.compile(r"\{([a-z_]+)\}")
"""Where the form of a request names a field of the sample."""

WRITABLE = frozenset({"text", "messages"} | {row.name for row in FIELDS if row.model_input and row.form != "media"})
"""Fields of a sample that may be written into a request."""

TOKENS = ("input_ids", "attention_mask", "token_type_ids")
"""What ``tensors`` may hold of the tokens of a text, by the names that transformers gives them."""

FEATURE = "features."
"""Begins the name of one of a sample's features, which ``tensors`` may hold: numbers."""

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
Activation = Literal["none", "sigmoid", "softmax", "server"]

_ANY: tuple[Input, ...] = ("messages", "text", "response", "pair")

INPUTS: dict[ProtocolName, tuple[Input, ...]] = {
    "vllm_classify": ("messages", "text", "response"),
    "vllm_pooling": ("messages", "text", "response"),
    "vllm_score": ("pair",),
    "vllm_rerank": ("pair",),
    "sglang_classify": ("text", "response"),
    "sglang_rerank": ("pair",),
    "tei_predict": ("pair", "text", "response"),
    "tei_rerank": ("pair",),
    "infinity_classify": ("response", "text"),
    "infinity_rerank": ("pair",),
    "word_logprob": _ANY,
    "oip": _ANY,
    "openrlhf": ("pair", "text", "response"),
    "http": _ANY,
}
"""What an entry of each protocol may choose as its ``input``; the first is its default."""

ACTIVATED = frozenset(name for name in INPUTS if name.startswith(("vllm_", "tei_", "infinity_")))
"""Protocols in which a server is asked for raw scores or for activated ones."""

NAMED = frozenset({"infinity_classify", "infinity_rerank", "word_logprob", "oip"})
"""Protocols whose servers serve several models, so that ``model`` has to be named."""

COUNTED = frozenset({"vllm_classify", "vllm_pooling", "vllm_rerank"})
"""Protocols whose servers say how many tokens the row of a call had."""


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


class UpstreamConfig(Part):
    """One upstream."""

    protocol: ProtocolName = Field(description="The API that the server speaks.")
    urls: tuple[Address, ...] = Field((), max_length=256, description="Replicas: http(s)://host[:port][/path].")
    dns: Address | None = Field(None, description="Instead of urls: every address that the host's name resolves to.")
    cold_start_s: float | None = Field(
        None,
        gt=0,
        le=LONGEST_COLD_START_S,
        description="Seconds that a server needs to start, where `dns` names a pool that may be scaled to zero: while "
        "it has no server, requests are answered 503 at once, with this as `Retry-After`, and the gateway stays ready. "
        "Unset: a name without an address is a fault.",
    )
    hedge: bool = Field(
        False,
        description="Send a call that takes longer than 95 % of the latest ones to another replica too, and take the "
        "answer that comes first; at most 5 % more calls.",
    )
    fallback: str | None = Field(
        None,
        min_length=1,
        description="Another upstream or served model with the same numbers, which scores whole requests while this "
        "one is away. Their samples are flagged `fallback`, and the answer names its version.",
    )
    model: str = Field("", description="Name of the model in requests.")
    input: Input = Field(
        "messages",
        description="messages: chat messages, rendered by the server. text: rendered here by `template`. pair: prompt "
        "and response. response: the response alone. Unset: the first of these that the protocol takes.",
    )
    template: Path | None = Field(None, description="Jinja chat template for `input: text`, as transformers render it.")
    special_tokens: dict[str, str] = Field(
        default_factory=dict, description="bos_token, eos_token … that the template names."
    )
    dimensions: tuple[str, ...] = Field(("score",), min_length=1, max_length=1024, description="Names of the K scores.")
    activation: Activation = Field(
        "none",
        description="none: raw logits; sigmoid or softmax where they are wanted. What the server does is tried out. "
        "server: whatever it is set up to do, not tried out.",
    )
    images: bool = Field(False, description="Samples' images go as parts of the messages.")
    vector: bool = Field(
        False, description="One number per token or step: vllm_pooling with token_classify, word_logprob by step_mark."
    )
    step_mark: str | None = Field(
        None,
        min_length=1,
        description="Text behind each step, special tokens included. At its last token a step's number is; of "
        "word_logprob, the words are looked for behind it.",
    )
    truncate: bool = Field(
        False,
        description="Let the server cut texts over `max_tokens`; such samples are flagged `truncated`. Off: they are "
        "refused as too_large.",
    )
    tokenizer: Path | None = Field(None, description="The model's tokenizer.json, by which texts are measured here.")
    max_tokens: int | None = Field(None, ge=1, description="Maximum tokens of a text, for `truncate` and `tokenizer`.")
    words: Words | None = Field(None, description="Words of word_logprob.")
    tensors: Tensors | None = Field(None, description="Tensors of oip.")
    http: HttpForm | None = Field(None, description="Request and answer of http.")
    version: str = Field("", max_length=128, description="Version of the weights; empty: discovered.")
    limits: Limits = Field(default_factory=Limits, description="Limits on calls of this upstream.")
    api_key_env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Environment variable that holds the API key."
    )
    api_key_file: Path | None = Field(None, description="File that holds the API key, in place of api_key_env.")
    _template_source: str = PrivateAttr("")
    _digest: str = PrivateAttr("")
    _key: SecretStr | None = PrivateAttr(None)  # an entry with another key is another entry

    @model_validator(mode="before")
    @classmethod
    def _choose_input(cls, entry: Any) -> Any:
        if isinstance(entry, dict) and entry.get("input") is None and entry.get("protocol") in INPUTS:
            return {**entry, "input": INPUTS[entry["protocol"]][0]}
        return entry

    @model_validator(mode="after")
    def _fits_protocol(self) -> Self:
        for fault in (*self._address_faults(), *self._protocol_faults(), *self._token_faults()):
            raise ValueError(fault)
        return self

    def _address_faults(self) -> list[str]:
        grpc = [url for url in self.addresses if url.startswith("grpc")]
        faults = {
            "name the server by urls or by dns, one of them": bool(self.urls) == (self.dns is not None),
            "urls names one address twice": len(set(self.urls)) < len(self.urls),
            "cold_start_s is of a pool that is named by dns": self.cold_start_s is not None and self.dns is None,
            "grpc:// is an address for the protocol oip": bool(grpc) and self.protocol != "oip",
            "a grpc:// address names its port": any(urlsplit(url).port is None for url in grpc),
            "name the key by api_key_env or by api_key_file, one of them": bool(self.api_key_env and self.api_key_file),
        }
        return [fault for fault, found in faults.items() if found]

    def _protocol_faults(self) -> list[str]:
        named = {"words": "word_logprob", "tensors": "oip", "http": "http"}
        faults = {
            f"{self.protocol} needs `{key}`": protocol == self.protocol and getattr(self, key) is None
            for key, protocol in named.items()
        } | {
            f"{self.protocol} has no use for `{key}`": protocol != self.protocol and getattr(self, key) is not None
            for key, protocol in named.items()
        }
        taken = INPUTS[self.protocol]
        faults |= {
            f"{self.protocol} takes as `input`: {', '.join(taken)}": self.input not in taken,
            "`input: text` and `template` go together": (self.input == "text") != (self.template is not None),
            "dimensions names one number twice": len(set(self.dimensions)) < len(self.dimensions),
            "only fields of a sample can be named: " + ", ".join(sorted(WRITABLE)): not WRITABLE.issuperset(
                name for name in self.named_fields if not (name.startswith(FEATURE) and self.tensors)
            ),
            f"{', '.join(TOKENS)} need `tokenizer`, and no `truncate`": self.makes_tokens
            and (self.tokenizer is None or self.truncate),
            "{text} needs `input: text` or `input: response`": "text" in self.named_fields
            and self.input not in ("text", "response"),
            f"{self.protocol} needs `model`": self.protocol in NAMED and not self.model,
            f"{self.protocol} cannot be asked for an activation": self.protocol not in ACTIVATED
            and self.activation in ("sigmoid", "softmax"),
            "softmax of one number is always 1": self.activation == "softmax"
            and len(self.dimensions) == 1
            and not self.vector,
            "vector needs vllm_pooling, or word_logprob with `step_mark`, and one dimension": self.vector
            and not (
                len(self.dimensions) == 1
                and (self.protocol == "vllm_pooling" or (self.protocol == "word_logprob" and self.step_mark))
            ),
            "step_mark needs `vector`, `tokenizer` and `input: text` or `input: response`": self.step_mark is not None
            and not (self.vector and self.tokenizer is not None and self.input in ("text", "response")),
            "vector and fallback do not go together: numbers of tokens and steps have none": self.vector
            and self.fallback is not None,
            "images needs `input: messages`": self.images and self.input != "messages",
        }
        return [fault for fault, found in faults.items() if found]

    def _token_faults(self) -> list[str]:
        counted = self.protocol in COUNTED and not self.vector
        faults = {
            "truncate and tokenizer need `max_tokens`": self.max_tokens is None
            and (
                self.truncate
                or (
                    self.tokenizer is not None
                    and self.step_mark is None
                    and self.words is None
                    and not self.makes_tokens
                )
            ),
            "tokenizer needs an `input` that is text here: text, pair or response": self.tokenizer is not None
            and self.input == "messages"
            and self.words is None,
            "truncate needs `tokenizer`, so that truncated samples can be flagged": self.truncate
            and self.tokenizer is None
            and not counted,
        }
        return [fault for fault, found in faults.items() if found]

    @property
    def named_fields(self) -> tuple[str, ...]:
        """Fields of a sample that the forms of ``tensors`` and ``http`` name."""
        named = dict.fromkeys(self.tensors.inputs) if self.tensors else {}
        for name in TOKENS:
            named.pop(name, None)
        if self.http is not None:
            named |= dict.fromkeys(FIELD_MARK.findall(json.dumps(self.http.body)))
        return tuple(named)

    @property
    def makes_tokens(self) -> bool:
        """Whether the tokens of a text are sent in place of the text."""
        return self.tensors is not None and not self.tensors.inputs.keys().isdisjoint(TOKENS)

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.urls or ((self.dns,) if self.dns else ())

    @property
    def adds_special_tokens(self) -> bool:
        """Whether special tokens are written around the texts: by the server, or with the tokens that are sent."""
        if self.makes_tokens:
            return self.input != "text"
        if self.protocol in ("openrlhf", "word_logprob", "oip", "http"):
            return False
        return self.input != "text" or not self.protocol.startswith("vllm_")

    @property
    def template_source(self) -> str:
        """The Jinja of ``template``; empty without one."""
        return self._template_source

    @property
    def file_digest(self) -> str:
        """Changes with the content of ``template`` and ``tokenizer``."""
        return self._digest

    def api_key(self, environment: Mapping[str, str] = os.environ) -> SecretStr | None:
        """The API key, or None if the server needs none. Raises ValueError if it is not where the entry says."""
        if self.api_key_file is not None:
            try:
                key = self.api_key_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise ValueError("api_key_file cannot be read") from None
            if not key:
                raise ValueError("api_key_file is empty")
            return SecretStr(key)
        if self.api_key_env is None:
            return None
        if not (key := environment.get(self.api_key_env, "")):
            raise ValueError(f"needs its key in the environment: {self.api_key_env} is empty")
        return SecretStr(key)

    def read_files(self, folder: Path) -> Self:
        """The same, with the files that it names read, below ``folder``. Raises ValueError if one cannot be used."""
        found = {name: folder / file for name in _FILES if (file := getattr(self, name)) is not None}
        contents: dict[str, bytes] = {}
        for name in ("template", "tokenizer"):
            try:
                if name in found:
                    contents[name] = found[name].read_bytes()
            except OSError:
                raise ValueError(f"{name}: there is no file {getattr(self, name)} that can be read") from None
        read = self.model_copy(update=found)
        read._digest = hashlib.blake2b(b"\0".join(contents.values()), digest_size=8).hexdigest() if contents else ""
        try:
            read._template_source = contents.get("template", b"").decode()
            ChatTemplate(read.template_source, self.special_tokens)
        except (UnicodeDecodeError, TemplateError) as error:
            reason = str(error) if isinstance(error, TemplateError) else "is not UTF-8"
            raise ValueError(f"template: {reason}") from None
        if "tokenizer" in contents:
            check_tokenizer(contents["tokenizer"])
        read._key = read.api_key()
        return read


def check_tokenizer(content: bytes) -> None:
    """Raises ValueError if a file is no tokenizer.json."""
    with extras.needed():
        from tokenizers import Tokenizer
    try:
        Tokenizer.from_buffer(content)
    except Exception:  # the library raises nothing narrower
        raise ValueError("tokenizer: is no tokenizer.json, as the tokenizers library writes it") from None


_FILES = ("template", "tokenizer", "api_key_file")
