"""A causal language model as a scorer: the likelihood of a text as the continuation of another.

The dimensions of a row summarise the log-probabilities (natural logarithm) of its continuation's tokens; ``vector``
holds that of every token.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime import chat
from reward_models.runtime.causal import CausalTokenizer, Limits, Turn
from reward_models.runtime.instance import Instance
from reward_models.runtime.packs import Tokens, build_packs
from reward_models.runtime.rows import Answer, Columns, decode_texts
from reward_models.runtime.session import Session
from reward_models.runtime.states import BUDGETS

FloatArray = NDArray[np.float32]

SUMMARIES: Mapping[str, Callable[[NDArray[np.float64]], float]] = {
    "mean_logprob": lambda logprobs: float(logprobs.mean()),
    "logprob": lambda logprobs: float(logprobs.sum()),
    "tokens": lambda logprobs: float(len(logprobs)),
}
"""Dimension -> summary of a continuation's log-probabilities."""


class LanguageModel:
    """The log-probability graph in a model's folder."""

    def __init__(self, instance: Instance) -> None:
        self._session = Session(instance.folder / "model.onnx", instance.device)
        self._budget = BUDGETS[instance.device.kind]

    def compute_logprobs(self, pairs: list[tuple[Tokens, Tokens]]) -> list[FloatArray]:
        """Log-probability of every token of each continuation after its context; neither side may be empty."""
        found: list[FloatArray] = [np.empty(0, np.float32)] * len(pairs)
        for packed in build_packs(pairs, self._budget):
            sources, targets = packed.prediction_steps()
            (logprobs,) = self._session.run_graph({**packed.graph_inputs(), "sources": sources, "targets": targets})
            ends = np.cumsum([end - start for start, end in packed.spans])
            for row, part in zip(packed.rows, np.split(logprobs, ends[:-1]), strict=True):
                # Rounding can push a probability slightly above 1.
                found[row] = np.minimum(part, 0.0)
        return found


class LanguageScorer:
    """Scores [n, K] of a ``response`` as the continuation of a ``prompt`` or of the ``messages`` before it."""

    def __init__(self, instance: Instance) -> None:
        settings: Mapping[str, Any] = instance.card["settings"]
        self._model = LanguageModel(instance)
        self._limits = Limits(settings["context"], settings["continuation"])
        self._tokenizer = CausalTokenizer(instance.folder, self._limits, settings["system"])
        self._summaries = [SUMMARIES[name] for name in instance.dimensions]
        self._truncated, self._media_ignored = instance.flag_mask("truncated"), instance.flag_mask("media_ignored")

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; an empty continuation, one over the limit, or a chat without an answer is that row's error."""
        answer = Answer.empty(rows, len(self._summaries))
        answer.vectors = [np.empty(0, np.float32)] * rows
        kept, pairs = [], []
        fields = (decode_texts(columns, name, rows) for name in ("prompt", "response", "messages"))
        for row, (prompt, response, messages) in enumerate(zip(*fields, strict=True)):
            try:
                pair, flags = self._read_row(prompt, response, messages)
            except chat.ChatError as error:
                answer.errors[row] = f"invalid_field: {error}"
            except OverflowError as error:
                answer.errors[row] = f"too_large: {error}"
            else:
                kept.append(row)
                pairs.append(pair)
                answer.flags[row] = flags
        for row, logprobs in zip(kept, self._model.compute_logprobs(pairs), strict=True):
            answer.vectors[row] = logprobs
            answer.scores[row] = [summary(logprobs.astype(np.float64)) for summary in self._summaries]
        return answer

    def _read_row(self, prompt: str, response: str, messages: str) -> tuple[tuple[Tokens, Tokens], int]:
        """Tokens of a row, and its flags. Raises ChatError if it is unreadable, OverflowError if it is too long."""
        ignored = False
        if messages:
            turns, response, ignored = chat.split_answer(prompt, response, messages)
            context, cut = self._tokenizer.encode_chat([Turn(role, text) for role, text in turns])
        else:
            context, cut = self._tokenizer.encode_context(prompt)
        continuation, over = self._tokenizer.encode_continuation(response, control=not messages)
        if not continuation:
            raise chat.ChatError("The response is empty: it has no tokens to score.")
        if over:
            raise OverflowError(f"The response has more than {self._limits.continuation} tokens.")
        return (context, continuation), cut * self._truncated | ignored * self._media_ignored
