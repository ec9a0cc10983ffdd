"""Cache keys: everything that a score depends on, and nothing else.

A key is a namespace, a hash of who is asked (model, version, parameters, fields that it reads), and a hash of those
fields of the sample. The second is made once a request and shared by all components that read the same fields. Every
value is written with its type and length, so that no two samples give the same text to be hashed.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol

from reward_gateway.sample import Batch, Media, Message, canonical_json, media_digest, split_version
from reward_gateway.sample.fields import FIELDS, MESSAGES, Form

NAMESPACE = b"rgw1"
"""Says how keys and entries are made; a change of either changes it, and old entries are never read again."""

DIGEST_BYTES = 16


class Asked(Protocol):
    """What a key needs to know of a model (``backends.port.ModelInfo`` is one)."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...


class SampleDigests:
    """The hashes of a batch's samples, by the fields that count."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._digests: dict[tuple[str, ...], list[bytes]] = {}

    def of(self, inputs: Sequence[str]) -> list[bytes]:
        """[n] digests of exactly these fields."""
        fields = fields_read(inputs)
        if fields not in self._digests:
            self._digests[fields] = _digests(self._batch, fields)
        return self._digests[fields]

    def keys(
        self, info: Asked, rows: Sequence[int] | None = None, params: Mapping[str, Any] | None = None
    ) -> list[bytes]:
        """The keys of some rows (all, where None) for a model."""
        who, digests = prefix(info, params), self.of(info.inputs)
        return [who + digests[row] for row in rows] if rows is not None else [who + digest for digest in digests]


def keys(
    info: Asked, batch: Batch, rows: Sequence[int] | None = None, params: Mapping[str, Any] | None = None
) -> list[bytes]:
    """The keys of a batch's rows for one model. For several, keep one :class:`SampleDigests`."""
    return SampleDigests(batch).keys(info, rows, params)


def fields_read(inputs: Sequence[str]) -> tuple[str, ...]:
    """The fields of a sample behind a model's inputs: ``messages`` are made of prompt and response."""
    read = set(inputs)
    if MESSAGES in read:
        read = read - {MESSAGES} | {"prompt", "response"}
    return tuple(sorted(read))


def prefix(info: Asked, params: Mapping[str, Any] | None = None) -> bytes:
    """What the keys of all samples have in common that are put to a model in the same way."""
    name = split_version(info.name)[0]  # asked for by its version or not, it is the same model
    parts = (name, info.version, canonical_json(dict(params or {})), *fields_read(info.inputs))
    text = "".join([_text(part) for part in parts])
    return NAMESPACE + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _digests(batch: Batch, fields: tuple[str, ...]) -> list[bytes]:
    """One pass: the fields' texts side by side, framed, joined and hashed."""
    columns = []
    for name in fields:
        written, values = _FIELDS[name], batch.column(name)
        columns.append([written(value) for value in values] if values is not None else ["n"] * batch.size)
    texts = columns[0] if len(columns) == 1 else map("".join, zip(*columns, strict=True))
    return [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest() for text in texts]


def _text(value: str | Sequence[Message] | None) -> str:
    if type(value) is str:
        return f"t{len(value)}:{value}"
    if value is None:
        return "n"
    chat = canonical_json(value)
    return f"c{len(chat)}:{chat}"


def _steps(steps: Sequence[str] | None) -> str:
    """No steps are as good as none given: a model then cuts the response itself."""
    return f"s{len(steps)}:" + "".join([_text(step) for step in steps]) if steps else "n"


def _media(items: Sequence[Media]) -> str:
    """Media by content: the hash of their bytes stands for them; no media are as good as no column of them."""
    if not items:
        return "n"
    written = [_text(item.url) if item.data is None else f"b{item.digest or media_digest(item.data)}" for item in items]
    return f"m{len(written)}:" + "".join(written)


def _canonical(value: Any) -> str:
    return _text(canonical_json(value))


def _objects(objects: Sequence[Mapping[str, Any]] | None) -> str:
    """No objects are as good as none given."""
    return _canonical(objects) if objects else "n"


_WRITTEN: dict[Form, Callable[[Any], str]] = {
    "chat": _text,
    "text": _text,
    "media": _media,
    "steps": _steps,
    "numbers": _canonical,
    "objects": _objects,
}
"""How a value of each form is written."""

_FIELDS: dict[str, Callable[[Any], str]] = {field.name: _WRITTEN[field.form] for field in FIELDS if field.model_input}
"""Field -> how a value is written. A column that is None reads as None in every row."""
