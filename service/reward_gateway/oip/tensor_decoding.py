"""Inputs to a batch of samples: one row of every tensor is one sample."""

from collections.abc import Coroutine, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample import Batch, Invalid, Media

from .tensors import Tensor
from .tokens import Detokeniser

Inputs = Mapping[str, Tensor]
Reading = Coroutine[Any, Any, Batch]

MEDIA = ("images", "frames")

NO_TOKENIZER = (
    "this gateway has no tokenizer to read token ids with: set REWARD_GATEWAY_OIP_TOKENIZER to the policy's "
    "tokenizer.json, or send text"
)


async def samples(inputs: Inputs, _: Detokeniser | None) -> Batch:
    """``response``, ``prompt``, ``reference``, ``group`` [n, 1], ``images`` and ``frames`` [n, k], where given.

    The images are as they came: whoever asks for the batch has them checked.
    """
    n = next(_rows(inputs[name]) for name in ("response", *MEDIA) if name in inputs)
    invalid: dict[int, Invalid] = {}
    texts = {name: _texts(tensor, n, name, invalid) for name, tensor in inputs.items() if name not in MEDIA}
    media = {name: _media(inputs[name], n, name) for name in MEDIA if name in inputs}
    return Batch(
        ids=_numbered(n),
        prompts=list(texts.get("prompt", [""] * n)),
        responses=list(texts.get("response", [None] * n)),
        references=_optional(texts.get("reference")),
        images=media.get("images"),
        frames=media.get("frames"),
        group_names=_optional(texts.get("group")),
        invalid=invalid,
    )


async def sentences(inputs: Inputs, _: Detokeniser | None) -> Batch:
    """``sentences`` [n, 1]: responses without a prompt."""
    tensor = inputs["sentences"]
    n, invalid = _rows(tensor), dict[int, Invalid]()
    return _responses(_texts(tensor, n, "sentences", invalid), invalid)


async def tokens(inputs: Inputs, detokeniser: Detokeniser | None) -> Batch:
    """``tokens`` [n, T] padded at the end, ``sequence_lengths`` [n, 1]."""
    tensor, given = inputs["tokens"], inputs["sequence_lengths"]
    ids, lengths = _ids(tensor), _integers(given)
    if given.shape not in ((len(ids), 1), (len(ids),)):
        raise _misshapen(given, f"[{len(ids)}, 1], a length for each row of {tensor.name}")
    lengths = lengths.reshape(-1)
    if len(lengths) and not (lengths.min() >= 0 and lengths.max() <= ids.shape[1]):
        raise given.refused(f"{given.where}: a length that is negative or over the {ids.shape[1]} tokens of its row")
    return await _decoded(ids, lengths, detokeniser)


async def input_ids(inputs: Inputs, detokeniser: Detokeniser | None) -> Batch:
    """``input_ids`` [n, T], padded with a special token."""
    ids = _ids(inputs["input_ids"])
    return await _decoded(ids, np.full(len(ids), ids.shape[1]), detokeniser)


async def _decoded(ids: NDArray[Any], lengths: NDArray[Any], detokeniser: Detokeniser | None) -> Batch:
    if detokeniser is None:
        raise InvalidRequest(NO_TOKENIZER, param="inputs")
    return _responses(*await detokeniser.texts(ids, lengths))


def _responses(texts: list[str], invalid: dict[int, Invalid]) -> Batch:
    return Batch(ids=_numbered(len(texts)), prompts=[""] * len(texts), responses=list(texts), invalid=invalid)


def _numbered(n: int) -> list[str]:
    return list(map(str, range(n)))


def _optional(texts: list[str] | None) -> list[str | None] | None:
    return None if texts is None else list(texts)


def _rows(tensor: Tensor) -> int:
    return tensor.shape[0] if tensor.shape else 0


def _texts(tensor: Tensor, n: int, field: str, invalid: dict[int, Invalid]) -> list[str]:
    """The texts of a column; a row that is not UTF-8 is invalid, and its neighbours are scored all the same."""
    if tensor.datatype.name != "BYTES":
        raise InvalidRequest(f"{tensor.where}: {tensor.name} is BYTES", param=f"{tensor.where}.datatype")
    if tensor.shape not in ((n, 1), (n,)):
        raise _misshapen(tensor, f"[{n}, 1], a text for each sample")
    rows = tensor.strings()
    try:
        return [row.decode() for row in rows]
    except UnicodeDecodeError:
        return [_decode(row, i, field, invalid) for i, row in enumerate(rows)]


def _media(tensor: Tensor, n: int, field: str) -> list[list[Media]]:
    """The images of each row; an empty string is no image, so that rows may have fewer than others."""
    if tensor.datatype.name != "BYTES":
        raise InvalidRequest(f"{tensor.where}: {tensor.name} is BYTES", param=f"{tensor.where}.datatype")
    if not 1 <= len(tensor.shape) <= 2 or tensor.shape[0] != n:
        raise _misshapen(tensor, f"[{n}, k], k images for each sample")
    items, k = iter(tensor.strings()), tensor.shape[1] if len(tensor.shape) == 2 else 1
    rows = [[next(items) for _ in range(k)] for _ in range(n)]
    return [[Media(data=item, param=f"{field}[{j}]") for j, item in enumerate(row) if item] for row in rows]


def _decode(row: bytes, i: int, field: str, invalid: dict[int, Invalid]) -> str:
    try:
        return row.decode()
    except UnicodeDecodeError:
        invalid.setdefault(i, Invalid("invalid_field", f"{field} is not UTF-8", param=field))
        return ""


def _ids(tensor: Tensor) -> NDArray[Any]:
    if len(tensor.shape) != 2:
        raise _misshapen(tensor, "[n, T], a row of token ids for each sample")
    return _integers(tensor)


def _integers(tensor: Tensor) -> NDArray[Any]:
    if tensor.datatype.name not in ("INT32", "INT64"):
        raise InvalidRequest(f"{tensor.where}: {tensor.name} is INT32 or INT64", param=f"{tensor.where}.datatype")
    return tensor.numbers()


def _misshapen(tensor: Tensor, expected: str) -> InvalidRequest:
    where = f"{tensor.where}.shape"
    return InvalidRequest(f"{where}: {tensor.name} has shape {list(tensor.shape)}; expected {expected}", param=where)
