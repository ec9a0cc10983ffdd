"""Prompts of images to token ids, cut at a card's limit on the right."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.encoder import CHARACTERS_A_TOKEN
from reward_models.runtime.reading import TokenRow, load_tokenizer


class PromptReader:
    """Reads prompts with the tokeniser of a version folder.

    Args:
        folder: the version folder.
        settings: ``tokens`` (the limit), ``pad``, and ``filled`` for a tower that reads every place, as SigLIP's does.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._limit: int = settings["tokens"]
        self._filling: int | None = settings["pad"] if settings.get("filled") else None
        self._tokenizer = load_tokenizer(folder)
        self._tokenizer.enable_truncation(self._limit)

    def __call__(self, prompts: Sequence[str]) -> tuple[list[TokenRow], NDArray[np.bool_]]:
        """The tokens of each prompt, and which prompts were cut."""
        most = self._limit * CHARACTERS_A_TOKEN
        encodings = [self._tokenizer.encode(prompt[:most]) for prompt in prompts]
        rows = [TokenRow(self._fill(encoding.ids), []) for encoding in encodings]
        return rows, np.array([bool(encoding.overflowing) for encoding in encodings])

    def _fill(self, ids: list[int]) -> list[int]:
        return ids if self._filling is None else ids + [self._filling] * (self._limit - len(ids))
