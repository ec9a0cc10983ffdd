"""A text reward model: frozen encoder, features of prompt and response, a Bradley-Terry head.

The difference of two responses' scores is the log-odds that the first is preferred (Bradley & Terry, 1952).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reward_models.runtime import chat
from reward_models.runtime.encoder import Encoded, Limit, TextEncoder
from reward_models.runtime.features import features
from reward_models.runtime.head import Head
from reward_models.runtime.instance import Instance
from reward_models.runtime.rows import Answer, Columns, texts
from reward_models.runtime.session import Device


class Reader:
    """Prompts and responses as encoded columns, by a card's ``settings``: shared by serving and training."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], device: Device, remembered: int = 4096) -> None:
        self.encoder = TextEncoder(folder, device, remembered=remembered)
        self.prompt = Limit(**settings["prompt"])
        self.response = Limit(**settings["response"])
        self.names: list[str] = settings["features"]

    def read(self, prompts: list[str], responses: list[str]) -> tuple[Encoded, Encoded]:
        """Both columns, encoded to their limits."""
        return self.encoder.encode(prompts, self.prompt), self.encoder.encode(responses, self.response)


class PreferenceScorer:
    """Scores [n, K] of what is asked (``prompt`` or ``messages``) and answered (``response`` or their last turns)."""

    def __init__(self, instance: Instance, remembered: int = 4096) -> None:
        self._reader = Reader(instance.folder, instance.card["settings"], instance.device, remembered)
        self._head = Head.load(instance.folder / "head.npz")
        self._dimensions = len(instance.dimensions)
        self._truncated, self._media_ignored = instance.bit("truncated"), instance.bit("media_ignored")

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; a conversation that cannot be read is that row's error."""
        answer = Answer.empty(rows, self._dimensions)
        kept, exchanges = [], []
        fields = (texts(columns, name, rows) for name in ("prompt", "response", "messages"))
        for row, (prompt, response, messages) in enumerate(zip(*fields, strict=True)):
            try:
                exchanges.append(chat.read(prompt, response, messages))
                kept.append(row)
            except chat.ChatError as error:
                answer.errors[row] = f"invalid_field: {error}"
        if kept:
            prompts, responses = self._reader.read([e.prompt for e in exchanges], [e.response for e in exchanges])
            answer.scores[kept] = self._head(features(self._reader.names, prompts, responses, self._head.axes))
            cut = (prompts.truncated | responses.truncated) * np.uint32(self._truncated)
            ignored = np.array([e.ignored for e in exchanges]) * np.uint32(self._media_ignored)
            answer.flags[kept] = cut | ignored
        return answer
