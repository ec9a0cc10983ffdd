"""A text reward model: frozen encoder, features of prompt and response, a Bradley-Terry head.

The difference of two responses' scores is the log-odds that the first is preferred (Bradley & Terry, 1952).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime import chat
from reward_models.runtime.encoder import Encoded, Limit, TextEncoder
from reward_models.runtime.features import concatenate_features
from reward_models.runtime.head import Head
from reward_models.runtime.instance import Instance
from reward_models.runtime.rows import Answer, Columns, decode_texts
from reward_models.runtime.session import Device

FloatArray = NDArray[np.float32]


class Reader:
    """Encodes prompts and responses by a card's ``settings``; shared by serving and training."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], device: Device, remembered: int = 4096) -> None:
        self.encoder = TextEncoder(folder, device, remembered=remembered)
        self.prompt = Limit(**settings["prompt"])
        self.response = Limit(**settings["response"])
        self.names: list[str] = settings["features"]

    def encode_columns(self, prompts: list[str], responses: list[str]) -> tuple[Encoded, Encoded]:
        """Both columns, encoded to their limits."""
        return self.encoder.encode_texts(prompts, self.prompt), self.encoder.encode_texts(responses, self.response)


class ExchangeScorer(ABC):
    """Scores [n, K] of exchanges: a head over features of prompt and response.

    They are read from ``prompt`` and ``response``, or from ``messages``, whose last turns are the response.
    """

    def __init__(self, instance: Instance) -> None:
        self._head = Head.load(instance.folder / "head.npz")
        self._dimensions = len(instance.dimensions)
        self._truncated, self._media_ignored = instance.flag_mask("truncated"), instance.flag_mask("media_ignored")

    @abstractmethod
    def compute_features(self, prompts: list[str], responses: list[str]) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Features [n, F] of at least one exchange, and which exchanges were cut [n]."""

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; a conversation that cannot be read is that row's error."""
        answer = Answer.empty(rows, self._dimensions)
        kept, exchanges = [], []
        fields = (decode_texts(columns, name, rows) for name in ("prompt", "response", "messages"))
        for row, (prompt, response, messages) in enumerate(zip(*fields, strict=True)):
            try:
                exchanges.append(chat.read_exchange(prompt, response, messages))
                kept.append(row)
            except chat.ChatError as error:
                answer.errors[row] = f"invalid_field: {error}"
        if kept:
            found, cut = self.compute_features([e.prompt for e in exchanges], [e.response for e in exchanges])
            answer.scores[kept] = self._head(found)
            ignored = np.array([e.ignored for e in exchanges]) * np.uint32(self._media_ignored)
            answer.flags[kept] = (cut * np.uint32(self._truncated)) | ignored
        return answer


class PreferenceScorer(ExchangeScorer):
    """Scores exchanges from the embeddings of a sentence encoder."""

    def __init__(self, instance: Instance, remembered: int = 4096) -> None:
        super().__init__(instance)
        self._reader = Reader(instance.folder, instance.card["settings"], instance.device, remembered)

    def compute_features(self, prompts: list[str], responses: list[str]) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The card's feature blocks of both columns."""
        prompt_column, response_column = self._reader.encode_columns(prompts, responses)
        return concatenate_features(self._reader.names, prompt_column, response_column, self._head.axes), (
            prompt_column.truncated | response_column.truncated
        )
