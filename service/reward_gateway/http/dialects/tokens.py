"""Texts, or token ids where the operator has named the policy's tokenizer."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from reward_gateway.errors import InvalidRequest
from reward_gateway.oip.tokens import Detokeniser

from ..dependencies import dependencies_of
from .request import DialectRequest

_loaded = lru_cache(maxsize=4)(Detokeniser.load)


async def texts_of(ask: DialectRequest, value: Any, param: str) -> list[str]:
    """A text, texts, token ids of one text, or of several.

    Raises:
        InvalidRequest: something else, ids that the tokenizer does not have, or ids where none is configured.
    """
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return value
        rows = [value] if all(_is_id(item) for item in value) else value
        if all(isinstance(row, list) and all(_is_id(item) for item in row) for row in rows):
            return await _decoded(dependencies_of(ask.request).settings.oip_tokenizer, rows, param)
    raise InvalidRequest(f"{param}: expected a text, texts, or token ids", param=param)


def _is_id(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 1 << 31


async def _decoded(path: Path | None, rows: list[list[int]], param: str) -> list[str]:
    tokenizer = _loaded(path)
    if tokenizer is None:
        message = "token ids need the policy's tokenizer (REWARD_GATEWAY_OIP_TOKENIZER); send text instead"
        raise InvalidRequest(f"{param}: {message}", param=param)
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    texts, strange = await tokenizer.decode_texts(ids, np.array([len(row) for row in rows]))
    if strange:
        i = min(strange)
        raise InvalidRequest(f"{param}[{i}]: {strange[i].message}", param=f"{param}[{i}]")
    return texts
