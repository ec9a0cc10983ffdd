"""Decodes input tensors into samples; row ``i`` of every tensor belongs to sample ``i``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.decode import wrong_shape
from reward_gateway.sample import Invalid
from reward_gateway.sample.fields import BY_NAME, FIELDS, METADATA, OF_METADATA, Field, Form
from reward_gateway.sample.messages import MediaBytes, MediaObject

from .tensors import Tensor
from .tokens import Detokeniser

Inputs = Mapping[str, Tensor]

Reading = tuple[dict[str, list[Any]], dict[int, Invalid]]
"""The columns of samples by field, and the errors of samples that could not be read, by row."""

NO_TOKENIZER = (
    "token ids need a tokenizer, and this gateway has none: set REWARD_GATEWAY_OIP_TOKENIZER to the policy's "
    "tokenizer.json, or send text"
)


async def decode_samples(inputs: Inputs, _: Detokeniser | None) -> Reading:
    """The fields of samples: texts [n, 1], images [n, k], all other fields JSON [n, 1].

    The number of samples n is that of the response, images or frames, one of which is required.
    """
    n = next(_count_rows(inputs[field.name]) for field in FIELDS if field.scored and field.name in inputs)
    invalid: dict[int, Invalid] = {}
    fields = [BY_NAME[name] for name in inputs if not name.startswith(OF_METADATA)]
    columns = {field.name: _READ[field.form](inputs[field.name], n, field, invalid) for field in fields}
    if len(fields) < len(inputs):
        columns[METADATA] = _read_metadata(inputs, n, invalid)
    return columns, invalid


def _read_metadata(inputs: Inputs, n: int, invalid: dict[int, Invalid]) -> list[Raw]:
    """[n] objects with the texts of the inputs ``metadata.KEY``."""
    keys = [name for name in inputs if name.startswith(OF_METADATA)]
    texts = [_decode_texts(inputs[name], n, name, invalid) for name in keys]
    names = [name.removeprefix(OF_METADATA) for name in keys]
    return [Raw(msgspec.json.encode(dict(zip(names, row, strict=True)))) for row in zip(*texts, strict=True)]


async def decode_sentences(inputs: Inputs, _: Detokeniser | None) -> Reading:
    """``sentences`` [n, 1]: responses without a prompt."""
    tensor = inputs["sentences"]
    n, invalid = _count_rows(tensor), dict[int, Invalid]()
    return _response_columns(_decode_texts(tensor, n, "sentences", invalid)), invalid


async def decode_tokens(inputs: Inputs, detokeniser: Detokeniser | None) -> Reading:
    """``tokens`` [n, T] padded at the end, ``sequence_lengths`` [n, 1]."""
    tensor, given = inputs["tokens"], inputs["sequence_lengths"]
    ids, lengths = _read_token_ids(tensor), _read_integers(given)
    if given.shape not in ((len(ids), 1), (len(ids),)):
        raise _wrong_shape(given, f"[{len(ids)}, 1], one length per row of {tensor.name}")
    lengths = lengths.reshape(-1)
    if len(lengths) and not (lengths.min() >= 0 and lengths.max() <= ids.shape[1]):
        raise given.make_error(f"{given.where}: each length must be from 0 to {ids.shape[1]}, the tokens per row")
    return await _detokenise_rows(ids, lengths, detokeniser)


async def decode_input_ids(inputs: Inputs, detokeniser: Detokeniser | None) -> Reading:
    """``input_ids`` [n, T], padded with a special token."""
    ids = _read_token_ids(inputs["input_ids"])
    return await _detokenise_rows(ids, np.full(len(ids), ids.shape[1]), detokeniser)


async def _detokenise_rows(ids: NDArray[Any], lengths: NDArray[Any], detokeniser: Detokeniser | None) -> Reading:
    if detokeniser is None:
        raise InvalidRequest(NO_TOKENIZER, param="inputs")
    texts, invalid = await detokeniser.decode_texts(ids, lengths)
    return _response_columns(texts), invalid


def _response_columns(texts: list[str]) -> dict[str, list[Any]]:
    return {"response": texts}


def _count_rows(tensor: Tensor) -> int:
    return tensor.shape[0] if tensor.shape else 0


def _decode_texts(tensor: Tensor, n: int, field: str, invalid: dict[int, Invalid]) -> list[str]:
    """The texts of a column; a row that is not UTF-8 becomes an invalid sample, and the others are scored."""
    if tensor.datatype.name != "BYTES":
        raise InvalidRequest(f"{tensor.where}: {tensor.name} must be BYTES", param=f"{tensor.where}.datatype")
    if tensor.shape not in ((n, 1), (n,)):
        raise _wrong_shape(tensor, f"[{n}, 1], one text per sample")
    return _decode_rows(tensor, range(n), field, invalid)


def _decode_rows(tensor: Tensor, owners: Sequence[int], field: str, invalid: dict[int, Invalid]) -> list[str]:
    """The texts of a tensor; ``owners``: the sample of each."""
    rows = tensor.read_strings()
    try:
        return [row.decode() for row in rows]
    except UnicodeDecodeError:
        return [_decode_row(row, i, field, invalid) for i, row in zip(owners, rows, strict=True)]


def _read_texts(tensor: Tensor, n: int, field: Field, invalid: dict[int, Invalid]) -> list[Any]:
    return _decode_texts(tensor, n, field.name, invalid)


def _read_answers(tensor: Tensor, n: int, field: Field, invalid: dict[int, Invalid]) -> list[Any]:
    """The accepted answers of each row: a text, or the list of its texts, empty ones at its end left out."""
    if len(tensor.shape) != 2 or tensor.shape[0] != n or tensor.shape[1] == 1:
        return _decode_texts(tensor, n, field.name, invalid)
    k = tensor.shape[1]
    texts = _decode_rows(tensor, [i for i in range(n) for _ in range(k)], field.name, invalid)
    return [_drop_padding(texts[i * k : (i + 1) * k]) for i in range(n)]


def _drop_padding(answers: list[str]) -> list[str]:
    while answers and not answers[-1]:
        answers.pop()
    return answers


def _read_media(tensor: Tensor, n: int, _field: Field, _invalid: dict[int, Invalid]) -> list[Any]:
    """The images of each row; empty strings are skipped, so rows may have different numbers of images."""
    if tensor.datatype.name != "BYTES":
        raise InvalidRequest(f"{tensor.where}: {tensor.name} must be BYTES", param=f"{tensor.where}.datatype")
    if not 1 <= len(tensor.shape) <= 2 or tensor.shape[0] != n:
        raise _wrong_shape(tensor, f"[{n}, k], k images per sample")
    items, k = iter(tensor.read_strings()), tensor.shape[1] if len(tensor.shape) == 2 else 1
    rows = [[next(items) for _ in range(k)] for _ in range(n)]
    return [[_decode_medium(item) for item in row if item] for row in rows]


def _decode_medium(item: bytes) -> str | MediaObject:
    """ASCII is base64 or a URL, anything else the encoded image itself: no image format is all ASCII."""
    return item.decode() if item.isascii() else MediaBytes(data=item)


def _read_json(tensor: Tensor, n: int, field: Field, _invalid: dict[int, Invalid]) -> list[Any]:
    """The JSON value of each row; an empty string or null means that the field is absent."""
    if tensor.datatype.name != "BYTES":
        raise InvalidRequest(f"{tensor.where}: {tensor.name} must be BYTES", param=f"{tensor.where}.datatype")
    if tensor.shape not in ((n, 1), (n,)):
        raise _wrong_shape(tensor, f"[{n}, 1], one JSON text per sample")
    decoder = msgspec.json.Decoder(field.wire | None)
    return [
        _decode_value(decoder, row, f"samples[{i}].{field.name}") if row else None
        for i, row in enumerate(tensor.read_strings())
    ]


def _decode_value(decoder: "msgspec.json.Decoder[Any]", row: bytes, param: str) -> Any:
    try:
        return decoder.decode(row)
    except msgspec.ValidationError as error:
        raise wrong_shape(row, str(error), param) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest(f"{param}: not valid JSON (RFC 8259, UTF-8)", param=param) from None


_READ: dict[Form, Callable[[Tensor, int, Field, dict[int, Invalid]], list[Any]]] = {
    "chat": _read_texts,
    "text": _read_texts,
    "answer": _read_answers,
    "media": _read_media,
    "steps": _read_json,
    "numbers": _read_json,
    "objects": _read_json,
}
"""Decoder of a field's tensor by form; returns n values, and adds the errors of rows that cannot be read."""


def _decode_row(row: bytes, i: int, field: str, invalid: dict[int, Invalid]) -> str:
    try:
        return row.decode()
    except UnicodeDecodeError:
        invalid.setdefault(i, Invalid("invalid_field", f"{field} is not UTF-8", param=field))
        return ""


def _read_token_ids(tensor: Tensor) -> NDArray[Any]:
    if len(tensor.shape) != 2:
        raise _wrong_shape(tensor, "[n, T], one row of token ids per sample")
    return _read_integers(tensor)


def _read_integers(tensor: Tensor) -> NDArray[Any]:
    if tensor.datatype.name not in ("INT32", "INT64"):
        raise InvalidRequest(f"{tensor.where}: {tensor.name} must be INT32 or INT64", param=f"{tensor.where}.datatype")
    return tensor.read_numbers()


def _wrong_shape(tensor: Tensor, expected: str) -> InvalidRequest:
    where = f"{tensor.where}.shape"
    return InvalidRequest(f"{where}: {tensor.name} has shape {list(tensor.shape)}; expected {expected}", param=where)
