"""Token ids to text with the policy's own tokenizer, for clients that send token ids."""

import asyncio
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from reward_gateway import extras
from reward_gateway.sample import Invalid

UNKNOWN = Invalid("invalid_field", "a token id is not in the vocabulary of the configured tokenizer")


class Detokeniser:
    """Decodes token ids with one tokenizer; special tokens (end of text, padding) are left out of the text.

    Args:
        tokenizer: a ``tokenizers.Tokenizer``.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._size: int = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @classmethod
    def load(cls, path: Path | None) -> Self | None:
        """The tokenizer of a ``tokenizer.json``, or None without a path.

        Raises:
            OSError: it cannot be read.
            MissingExtra: the package ``tokenizers`` is not installed.
        """
        if path is None:
            return None
        with extras.needed():
            from tokenizers import Tokenizer
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # the package raises nothing narrower
            raise OSError(f"REWARD_GATEWAY_OIP_TOKENIZER: {path} is not a valid tokenizer.json ({error})") from None

    async def decode_texts(self, ids: NDArray[Any], lengths: NDArray[Any]) -> tuple[list[str], dict[int, Invalid]]:
        """Texts of token ids.

        Args:
            ids: [n, T], padded at the end.
            lengths: [n], tokens per row without padding.

        Returns:
            n texts, and the errors of rows that cannot be decoded, by row.
        """
        return await asyncio.to_thread(self._decode_batch, ids.astype(np.int64), lengths.tolist())

    def _decode_batch(self, ids: NDArray[np.int64], lengths: list[int]) -> tuple[list[str], dict[int, Invalid]]:
        in_row = np.arange(ids.shape[1]) < np.array(lengths).reshape(-1, 1)
        unknown: NDArray[np.bool_] = np.any(in_row & ((ids < 0) | (ids >= self._size)), axis=1)
        rows = [[] if bad else row[:n].tolist() for row, n, bad in zip(ids, lengths, list(unknown), strict=True)]
        texts: list[str] = self._tokenizer.decode_batch(rows, skip_special_tokens=True) if rows else []
        return texts, dict.fromkeys(np.flatnonzero(unknown).tolist(), UNKNOWN)
