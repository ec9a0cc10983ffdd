"""Cache keys: everything that a score depends on, and nothing else.

A key is a prefix, a hash of the model (name, version, parameters, fields that it reads), and a hash of those fields
of the sample. The second hash is computed once per request and shared by all components that read the same fields.
Every value is framed with its type and length, so that no two different samples produce the same text to hash.

With API keys the prefix begins with the tenant, to whom neither ``cached`` nor a time then tells what others scored.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Protocol

from reward_gateway.sample import Batch, Media, Message, canonical_json, media_digest, split_version
from reward_gateway.sample.fields import FIELDS, MESSAGES, Form

NAMESPACE = b"rgw1"
"""Version of the format of keys and entries. Change it with either format, so that old entries are never read."""

DIGEST_BYTES = 16
_EMPTY = blake2b(digest_size=DIGEST_BYTES)
_TEXT = frozenset((str,))


class KeyedModel(Protocol):
    """What a key needs to know about a model (``backends.port.ModelInfo`` is one)."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...


class SampleDigests:
    """Hashes of a batch's samples, cached by the set of fields that they cover.

    Args:
        tenant: whose keys these are; empty: without API keys.
    """

    def __init__(self, batch: Batch, tenant: str = "") -> None:
        self._batch = batch
        self._tenant = tenant
        self._digests: dict[tuple[str, ...], list[bytes]] = {}

    def digest_fields(self, inputs: Sequence[str]) -> list[bytes]:
        """[n] digests of the fields behind a model's inputs."""
        fields = fields_read(tuple(inputs))
        if fields not in self._digests:
            self._digests[fields] = _hash_samples(self._batch, fields)
        return self._digests[fields]

    def make_keys(
        self, info: KeyedModel, rows: Sequence[int] | None = None, params: Mapping[str, Any] | None = None
    ) -> list[bytes]:
        """The keys of some rows (None: all rows) for a model."""
        model_prefix, digests = make_prefix(info, params, self._tenant), self.digest_fields(info.inputs)
        if rows is not None and rows != range(len(digests)):
            digests = [digests[row] for row in rows]
        return list(map(model_prefix.__add__, digests))


def make_keys(
    info: KeyedModel,
    batch: Batch,
    rows: Sequence[int] | None = None,
    params: Mapping[str, Any] | None = None,
    tenant: str = "",
) -> list[bytes]:
    """The keys of a batch's rows for one model. For several models, share one :class:`SampleDigests`."""
    return SampleDigests(batch, tenant).make_keys(info, rows, params)


@lru_cache(maxsize=1024)
def fields_read(inputs: tuple[str, ...]) -> tuple[str, ...]:
    """The sample fields behind a model's inputs, sorted: ``messages`` stands for prompt and response."""
    names = set(inputs)
    if MESSAGES in names:
        names = names - {MESSAGES} | {"prompt", "response"}
    return tuple(sorted(names))


def make_prefix(info: KeyedModel, params: Mapping[str, Any] | None = None, tenant: str = "") -> bytes:
    """The common prefix of all of a tenant's keys of a model with the same parameters and inputs."""
    model = _hash_model(info.name, info.version, info.inputs, canonical_json(dict(params)) if params else "{}")
    return f"{tenant}:".encode() + NAMESPACE + model if tenant else NAMESPACE + model


@lru_cache(maxsize=1024)
def _hash_model(name: str, version: str, inputs: tuple[str, ...], params: str) -> bytes:
    base = split_version(name)[0]  # NAME and NAME@VERSION are the same model
    text = "".join([_frame_text(part) for part in (base, version, params, *fields_read(inputs))])
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _hash_samples(batch: Batch, fields: tuple[str, ...]) -> list[bytes]:
    """[n] hashes, each of the framed fields of one sample; the texts are framed one by one, as copies of all of them
    would be out of the processor's cache before they are hashed.
    """
    columns = [(_FRAME_BY_FIELD[name], batch.column(name)) for name in fields]
    plain = [values for frame, values in columns if frame is _frame_text and values and _is_text(values)]
    if len(columns) == len(plain) == 2:  # as below, without calls for each
        return _hash_texts(f"t{len(a)}:{a}t{len(b)}:{b}" for a, b in zip(*plain, strict=True))
    framed = [["n"] * batch.size if values is None else map(frame, values) for frame, values in columns]
    return _hash_texts(map("".join, zip(*framed, strict=True)))


def _is_text(values: Iterable[Any]) -> bool:
    return _TEXT.issuperset(map(type, values))


def _hash_texts(texts: Iterable[str]) -> list[bytes]:
    digests = []
    for text in texts:
        digest = _EMPTY.copy()  # quicker than one more object with its parameters
        digest.update(text.encode("utf-8", "surrogatepass"))
        digests.append(digest.digest())
    return digests


def _frame_text(value: str | Sequence[Message] | None) -> str:
    if type(value) is str:
        return f"t{len(value)}:{value}"
    if value is None:
        return "n"
    chat = canonical_json(value)
    return f"c{len(chat)}:{chat}"


def _frame_steps(steps: Sequence[str] | None) -> str:
    """An empty list equals a missing one: in both cases the model splits the response itself."""
    return f"s{len(steps)}:" + "".join([_frame_text(step) for step in steps]) if steps else "n"


def _frame_media(items: Sequence[Media]) -> str:
    """Media by content, as a hash of their bytes; an empty list equals a missing one."""
    if not items:
        return "n"
    frames = [
        _frame_text(item.url) if item.data is None else f"b{item.digest or media_digest(item.data)}" for item in items
    ]
    return f"m{len(frames)}:" + "".join(frames)


def _frame_json(value: Any) -> str:
    return _frame_text(canonical_json(value))


def _frame_answer(value: str | list[Any] | dict[str, Any] | None) -> str:
    return _frame_text(value) if value is None or isinstance(value, str) else _frame_json(value)


def _frame_objects(objects: Sequence[Mapping[str, Any]] | None) -> str:
    """An empty list equals a missing one."""
    return _frame_json(objects) if objects else "n"


_FRAME_BY_FORM: dict[Form, Callable[[Any], str]] = {
    "chat": _frame_text,
    "text": _frame_text,
    "answer": _frame_answer,
    "media": _frame_media,
    "steps": _frame_steps,
    "numbers": _frame_json,
    "objects": _frame_objects,
}
"""Form -> function that frames a value of it."""

_FRAME_BY_FIELD: dict[str, Callable[[Any], str]] = {
    field.name: _FRAME_BY_FORM[field.form] for field in FIELDS if field.model_input
}
"""Field -> function that frames its values. A column that is None equals None in every row."""
