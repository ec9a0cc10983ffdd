"""A text reward model: hidden states of the response, given its prompt, in a causal LM, and a Bradley-Terry head.

The response is read as the assistant's answer in a dialogue (``Human: …``, ``Assistant: …``), so that its states
depend on the prompt. The difference of two responses' scores is the log-odds that the first is preferred.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.causal import CausalTokenizer, Limits
from reward_models.runtime.features import count_tokens
from reward_models.runtime.instance import Instance
from reward_models.runtime.packs import Tokens
from reward_models.runtime.preference import ExchangeScorer
from reward_models.runtime.session import Device
from reward_models.runtime.states import StateReader, States

FloatArray = NDArray[np.float32]
Pair = tuple[Tokens, Tokens]
"""Tokens of a dialogue open for an answer, and of the answer."""

WIDTH = 576
"""Width of one layer."""

GRAPH = "smollm2.onnx"
PACE = 3.0
"""Logarithm of a typical length, about 18 tokens."""


def mean_states(states: States, pairs: Sequence[Pair]) -> FloatArray:
    """The mean over the response's tokens, in every layer of the graph."""
    return states.mean


def length_scaled_states(states: States, pairs: Sequence[Pair]) -> FloatArray:
    """The mean times the centred logarithm of the length, so that a head can weight long answers more."""
    pace = np.array([np.log(len(answer) + 2.0) - PACE for _, answer in pairs], np.float32)
    return states.mean * pace[:, None]


def last_states(states: States, pairs: Sequence[Pair]) -> FloatArray:
    """The state of the response's last token, in the lowest layer of the graph."""
    return states.last[:, :WIDTH]


def token_statistics(states: States, pairs: Sequence[Pair]) -> FloatArray:
    """Counts of tokens, as in :func:`~reward_models.runtime.features.count_tokens`."""
    return np.array([count_tokens(context, answer) for context, answer in pairs], np.float32)


BLOCKS: dict[str, Callable[[States, Sequence[Pair]], FloatArray]] = {
    "mean": mean_states,
    "paced": length_scaled_states,
    "last": last_states,
    "statistics": token_statistics,
}
"""The feature blocks of a head, each [n, its width]."""


class CausalReader:
    """Reads prompts and responses by a card's ``settings``; shared by serving and training."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], device: Device) -> None:
        self._tokenizer = CausalTokenizer(folder, Limits(settings["context"], settings["continuation"]))
        self._states = StateReader(folder / GRAPH, device)

    def encode_pairs(self, prompts: Sequence[str], responses: Sequence[str]) -> tuple[list[Pair], NDArray[np.bool_]]:
        """Token ids of every dialogue and its answer, and which of them were cut."""
        pairs, truncated = [], np.zeros(len(prompts), np.bool_)
        for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
            context, context_cut = self._tokenizer.encode_context(format_dialogue(prompt))
            # An empty response has no states; it is read as a space.
            continuation, response_cut = self._tokenizer.encode_continuation(f" {response.strip()}")
            pairs.append((context, continuation))
            truncated[row] = context_cut | response_cut
        return pairs, truncated

    def read_states(self, pairs: Sequence[Pair]) -> States:
        """Hidden states of every answer; ``pairs`` must not be empty."""
        return self._states.read_states(pairs)


def concatenate_features(names: Sequence[str], states: States, pairs: Sequence[Pair]) -> FloatArray:
    """The named blocks, concatenated to [n, F]. Raises KeyError for an unknown name."""
    return np.concatenate([BLOCKS[name](states, pairs) for name in names], axis=1, dtype=np.float32)


def format_dialogue(prompt: str) -> str:
    """A prompt as a dialogue that is open for the assistant's answer; a single question is a human's turn."""
    has_speakers = prompt.startswith(("Human: ", "System: ", "Assistant: ", "Tool: "))
    return f"{prompt if has_speakers else f'Human: {prompt}'}\n\nAssistant:"


class CausalPreferenceScorer(ExchangeScorer):
    """Scores exchanges from the hidden states of a causal language model."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        settings = instance.card["settings"]
        self._reader = CausalReader(instance.folder, settings, instance.device)
        self._names: list[str] = settings["features"]

    def compute_features(self, prompts: list[str], responses: list[str]) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The card's feature blocks of each response."""
        pairs, truncated = self._reader.encode_pairs(prompts, responses)
        return concatenate_features(self._names, self._reader.read_states(pairs), pairs), truncated
