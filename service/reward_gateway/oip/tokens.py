"""Token ids to text with the policy's own tokenizer, for clients that send token ids."""

import asyncio
from copy import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from reward_gateway import extras
from reward_gateway.intake.chat_text.marks import strip_leading
from reward_gateway.intake.chat_text.recognition import AUTO, recognise
from reward_gateway.sample import Invalid

UNKNOWN = Invalid("invalid_field", "a token id is not in the vocabulary of the configured tokenizer")


class Detokeniser:
    """Decodes token ids with one tokenizer.

    Special tokens (end of text, padding) are left out of a text, unless they are what a chat template writes around
    turns: there they say who speaks.

    Args:
        tokenizer: a ``tokenizers.Tokenizer``.
        chat_format: ``auto``, ``none``, or the name of the format that rendered texts have.
    """

    def __init__(self, tokenizer: Any, chat_format: str = AUTO) -> None:
        self._tokenizer = tokenizer
        self._chat_format = chat_format
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

    def for_format(self, chat_format: str) -> "Detokeniser":
        """The same tokenizer, for texts of a format."""
        other = copy(self)
        other._chat_format = chat_format
        return other

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
        texts: list[str] = self._tokenizer.decode_batch(rows, skip_special_tokens=False) if rows else []
        plain = [i for i, text in enumerate(texts) if recognise(strip_leading(text), self._chat_format) is None]
        words = self._tokenizer.decode_batch([rows[i] for i in plain], skip_special_tokens=True) if plain else []
        for i, text in zip(plain, words, strict=True):
            texts[i] = text
        return texts, dict.fromkeys(np.flatnonzero(unknown).tolist(), UNKNOWN)
