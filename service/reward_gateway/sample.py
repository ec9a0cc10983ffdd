"""The nouns: a batch of samples as columns, a score that may be invalid, and what is known of it.

A request becomes one :class:`Batch`. Columns that no sample fills stay ``None``, so that a request of
plain text carries no empty lists. Scores are float64 arrays; NaN stands inside them where, and only
where, :class:`Invalid` says why.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

Message = Mapping[str, Any]
"""A chat message: ``role`` and ``content`` (text, or a list of parts)."""

Text = str | Sequence[Message]
"""A prompt or a response: plain text, or the chat messages that it consists of."""

InvalidCode = Literal[
    "missing_field",
    "invalid_field",
    "invalid_media",
    "too_large",
    "truncated",
    "deadline_exceeded",
    "overloaded",
    "model_unavailable",
    "model_error",
    "judge_error",
    "operation_error",
    "state_unavailable",
    "not_finite",
    "guard",
    "internal_error",
]
"""The closed set of reasons; also the label values of the metric that counts them."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """Why a sample has no score. Travels from where it arose to the wire."""

    code: InvalidCode
    message: str
    component: str | None = None
    param: str | None = None
    """Path below the sample, for example ``images[0]``."""

    @property
    def retryable(self) -> bool:
        """True where the cause was the server's, and the same request may succeed later."""
        return self.code in ("overloaded", "model_unavailable", "state_unavailable", "deadline_exceeded", "judge_error")

    def of(self, component: str) -> "Invalid":
        """The same reason, said of a component of a recipe."""
        return self if self.component else Invalid(self.code, self.message, component, self.param)


@dataclass(frozen=True, slots=True)
class Media:
    """An image or a frame as the caller gave it: encoded bytes, or the address to fetch them from.

    Attributes:
        digest: of the bytes, as cache keys write it; None: not known yet.
        param: where it stood below its sample, for the reason if it cannot be fetched.
    """

    data: bytes | None = None
    url: str | None = None
    digest: str | None = field(default=None, compare=False)
    param: str = field(default="", compare=False)


def media_digest(data: bytes) -> str:
    """What stands for an image's bytes in cache keys."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()


@dataclass(slots=True)
class Batch:
    """The samples of one request, a list per field, all of length ``size``."""

    ids: list[str]
    prompts: list[Text]
    responses: list[Text | None]
    references: list[str | None] | None = None
    images: list[list[Media]] | None = None
    frames: list[list[Media]] | None = None
    steps: list[list[str] | None] | None = None
    group_names: list[str | None] | None = None
    features: list[Mapping[str, Any]] | None = None
    invalid: dict[int, Invalid] = field(default_factory=dict)
    """Samples that are known to be unscorable before any model was asked."""

    @property
    def size(self) -> int:
        return len(self.ids)

    def groups(self) -> list[str]:
        """The group of every sample: the one given, else a hash of its prompt."""
        names = self.group_names or [None] * self.size
        return [name if name is not None else prompt_group(self.prompts[i]) for i, name in enumerate(names)]


def plain_text(text: Text) -> str:
    """A text as rules read it: chat messages become their texts, a line each; parts that are no text are left out."""
    if isinstance(text, str):
        return text
    return "\n".join(_content(message.get("content")) for message in text)


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in content or () if isinstance(part, Mapping))
    return "".join(part for part in parts if isinstance(part, str))


def split_version(model: str) -> tuple[str, str]:
    """A model as it is asked for, ``NAME`` or ``NAME@VERSION``: the name, and the version or nothing."""
    name, _, version = model.partition("@")
    return name, version


_canonical = msgspec.json.Encoder(order="deterministic", enc_hook=dict)


def canonical_json(value: Any) -> str:
    """Chat messages or features as the one JSON text that equal values share: sorted keys, no spaces."""
    try:
        return _canonical.encode(value).decode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON may carry as an escape and UTF-8 may not
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=dict)


def prompt_group(prompt: Text) -> str:
    """The default group of a sample: samples of one prompt belong together.

    Equal chat messages give equal groups, whatever the order of their keys and the types that hold them.
    """
    if isinstance(prompt, str):
        return _group_name(prompt, b"")
    return _group_name(canonical_json(prompt), b"messages")  # never the group of a text that looks like messages


def _group_name(text: str, kind: bytes) -> str:
    return "prompt-" + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12, person=kind).hexdigest()


def response_lengths(batch: Batch) -> FloatArray:
    """Characters of every response [n], as rules read it; NaN where there is none."""
    lengths = (len(r) if type(r) is str else float("nan") if r is None else len(plain_text(r)) for r in batch.responses)
    return np.fromiter(lengths, dtype=np.float64, count=batch.size)


@dataclass(slots=True)
class RawScores:
    """What one model said of a batch.

    Attributes:
        values: [n, K] float64, NaN in the rows that ``invalid`` explains.
        invalid: row -> reason.
        flags: row -> names that the model raised (``truncated``, ``out_of_distribution`` …).
        cached: [n] bool, the rows that were answered from the cache.
        model, version: who said it; both stand in the answer and in the cache key.
    """

    values: FloatArray
    model: str
    version: str
    cached: BoolArray
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class ComponentScores:
    """One component of a recipe over a batch: before its transforms (``raw``) and after (``value``), both [n]."""

    raw: FloatArray
    value: FloatArray
    model: str | None = None
    model_version: str | None = None
    cached: BoolArray | None = None
    vectors: list[FloatArray | None] | None = None
    """Per step, turn or token, where the component gives a vector a sample."""
    judge_answers: Sequence[Any] | None = None
    """[n] what a judge said, in words, where the component may ask one; None in rows of which it was not asked."""


@dataclass(slots=True)
class Usage:
    """What answering cost. Hits and misses count component x sample."""

    samples: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    model_calls: int = 0


@dataclass(slots=True)
class Scored:
    """A batch with its rewards: the one thing that every edge encodes.

    Attributes:
        reward: [n] float64, NaN where ``invalid`` has the row.
        rewards: a vector a sample where the recipe ends in credit assignment, else None.
        components: by name, in the recipe's order; the same names for every sample.
        flags: row -> names.
        timing_ms: total, decode, cache, inference, combine.
    """

    recipe: str
    version: str
    reward: FloatArray
    components: dict[str, ComponentScores]
    rewards: list[Any] | None = None
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    timing_ms: dict[str, float] = field(default_factory=dict)
