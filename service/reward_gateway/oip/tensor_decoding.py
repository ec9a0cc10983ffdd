"""Inputs to samples: one row of every tensor is one sample."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.decode import wrong_shape
from reward_gateway.sample import Invalid
from reward_gateway.sample.fields import BY_NAME, FIELDS, Field, Form
from reward_gateway.sample.messages import MediaBytes, MediaObject

from .tensors import Tensor
from .tokens import Detokeniser

Inputs = Mapping[str, Tensor]

Reading = tuple[dict[str, list[Any]], dict[int, Invalid]]
"""The columns of samples by field, and the reasons for those of which something could not be read."""

NO_TOKENIZER = (
    "this gateway has no tokenizer to read token ids with: set REWARD_GATEWAY_OIP_TOKENIZER to the policy's "
    "tokenizer.json, or send text"
)


async def samples(inputs: Inputs, _: Detokeniser | None) -> Reading:
    """The fields of samples, where given: texts [n, 1], images [n, k], and [n, 1] in JSON whatever else there is.

    Of an answer, images or frames there is one, and it says how many samples there are.
    """
    n = next(_rows(inputs[field.name]) for field in FIELDS if field.scored and field.name in inputs)
    invalid: dict[int, Invalid] = {}
    fields = [BY_NAME[name] for name in inputs]
    return {field.name: _READ[field.form](inputs[field.name], n, field, invalid) for field in fields}, invalid


async def sentences(inputs: Inputs, _: Detokeniser | None) -> Reading:
    """``sentences`` [n, 1]: responses without a prompt."""
    tensor = inputs["sentences"]
    n, invalid = _rows(tensor), dict[int, Invalid]()
    return _responses(_texts(tensor, n, "sentences", invalid)), invalid


async def tokens(inputs: Inputs, detokeniser: Detokeniser | None) -> Reading:
    """``tokens`` [n, T] padded at the end, ``sequence_lengths`` [n, 1]."""
    tensor, given = inputs["tokens"], inputs["sequence_lengths"]
    ids, lengths = _ids(tensor), _integers(given)
    if given.shape not in ((len(ids), 1), (len(ids),)):
        raise _misshapen(given, f"[{len(ids)}, 1], a length for each row of {tensor.name}")
    lengths = lengths.reshape(-1)
    if len(lengths) and not (lengths.min() >= 0 and lengths.max() <= ids.shape[1]):
        raise given.refused(f"{given.where}: a length that is negative or over the {ids.shape[1]} tokens of its row")
    return await _decoded(ids, lengths, detokeniser)


async def input_ids(inputs: Inputs, detokeniser: Detokeniser | None) -> Reading:
    """``input_ids`` [n, T], padded with a special token."""
    ids = _ids(inputs["input_ids"])
    return await _decoded(ids, np.full(len(ids), ids.shape[1]), detokeniser)


async def _decoded(ids: NDArray[Any], lengths: NDArray[Any], detokeniser: Detokeniser | None) -> Reading:
    if detokeniser is None:
        raise InvalidRequest(NO_TOKENIZER, param="inputs")
    texts, invalid = await detokeniser.texts(ids, lengths)
    return _responses(texts), invalid


def _responses(texts: list[str]) -> dict[str, list[Any]]:
    return {"response": texts}


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


def _read_texts(tensor: Tensor, n: int, field: Field, invalid: dict[int, Invalid]) -> list[Any]:
    return _texts(tensor, n, field.name, invalid)


def _read_media(tensor: Tensor, n: int, _field: Field, _invalid: dict[int, Invalid]) -> list[Any]:
    """The images of each row; an empty string is no image, so that rows may have fewer than others."""
    if tensor.datatype.name != "BYTES":
        raise InvalidRequest(f"{tensor.where}: {tensor.name} is BYTES", param=f"{tensor.where}.datatype")
    if not 1 <= len(tensor.shape) <= 2 or tensor.shape[0] != n:
        raise _misshapen(tensor, f"[{n}, k], k images for each sample")
    items, k = iter(tensor.strings()), tensor.shape[1] if len(tensor.shape) == 2 else 1
    rows = [[next(items) for _ in range(k)] for _ in range(n)]
    return [[_medium(item) for item in row if item] for row in rows]


def _medium(item: bytes) -> str | MediaObject:
    """ASCII is base64 or an address, as no image is."""
    return item.decode() if item.isascii() else MediaBytes(data=item)


def _read_json(tensor: Tensor, n: int, field: Field, _invalid: dict[int, Invalid]) -> list[Any]:
    """The values of each row as JSON has them; an empty string or null is no value."""
    if tensor.datatype.name != "BYTES":
        raise InvalidRequest(f"{tensor.where}: {tensor.name} is BYTES", param=f"{tensor.where}.datatype")
    if tensor.shape not in ((n, 1), (n,)):
        raise _misshapen(tensor, f"[{n}, 1], a JSON text for each sample")
    decoder = msgspec.json.Decoder(field.wire | None)
    return [
        _value(decoder, row, f"samples[{i}].{field.name}") if row else None for i, row in enumerate(tensor.strings())
    ]


def _value(decoder: "msgspec.json.Decoder[Any]", row: bytes, param: str) -> Any:
    try:
        return decoder.decode(row)
    except msgspec.ValidationError as error:
        raise wrong_shape(row, str(error), param) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest(f"{param}: not valid JSON (RFC 8259, UTF-8)", param=param) from None


_READ: dict[Form, Callable[[Tensor, int, Field, dict[int, Invalid]], list[Any]]] = {
    "chat": _read_texts,
    "text": _read_texts,
    "media": _read_media,
    "steps": _read_json,
    "numbers": _read_json,
    "objects": _read_json,
}
"""How the tensor of a field becomes a value for each of n samples; rows that cannot be read get their reason."""


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
