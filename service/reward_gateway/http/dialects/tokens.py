"""Texts, or token ids if the operator has configured the policy's tokenizer."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from reward_gateway.errors import InvalidRequest
from reward_gateway.oip.tokens import Detokeniser

from ..dependencies import dependencies_of
from .request import DialectRequest

_load_tokenizer = lru_cache(maxsize=4)(Detokeniser.load)


async def texts_of(request: DialectRequest, value: Any, param: str) -> list[str]:
    """The texts of a text, of a list of texts, or of the token ids of one or several texts.

    Raises:
        InvalidRequest: any other value, ids that the tokenizer does not have, or ids if no tokenizer is configured.
    """
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return value
        rows = [value] if all(_is_id(item) for item in value) else value
        if all(isinstance(row, list) and all(_is_id(item) for item in row) for row in rows):
            return await _decode_ids(dependencies_of(request.http_request).settings.oip_tokenizer, rows, param)
    raise InvalidRequest(f"{param}: expected a text, texts, or token ids", param=param)


def _is_id(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 1 << 31


async def _decode_ids(path: Path | None, rows: list[list[int]], param: str) -> list[str]:
    tokenizer = _load_tokenizer(path)
    if tokenizer is None:
        message = "token ids need the policy's tokenizer (REWARD_GATEWAY_OIP_TOKENIZER); send text instead"
        raise InvalidRequest(f"{param}: {message}", param=param)
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    texts, invalid_rows = await tokenizer.decode_texts(ids, np.array([len(row) for row in rows]))
    if invalid_rows:
        i = min(invalid_rows)
        raise InvalidRequest(f"{param}[{i}]: {invalid_rows[i].message}", param=f"{param}[{i}]")
    return texts
