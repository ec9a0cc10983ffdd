"""A text reward model on a causal language model: the states of a response after its prompt, and a Bradley-Terry head.

The response is read as the assistant's answer in a dialogue (``Human: …``, ``Assistant: …``), so that its states know
what was asked. The difference of two responses' scores is the log-odds that the first is preferred.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.causal import CausalTokenizer, Limits
from reward_models.runtime.features import counts
from reward_models.runtime.instance import Instance
from reward_models.runtime.packs import Tokens
from reward_models.runtime.preference import ExchangeScorer
from reward_models.runtime.session import Device
from reward_models.runtime.states import StateReader, States

FloatArray = NDArray[np.float32]

GRAPH = "smollm2.onnx"
NOTHING = "\n"
"""How an empty response is read: a causal model has no state for nothing."""

BLOCKS: dict[str, Callable[[States, Sequence[tuple[Tokens, Tokens]]], FloatArray]] = {
    "mean": lambda states, pairs: states.mean,
    "last": lambda states, pairs: states.last,
    "counts": lambda states, pairs: np.array([counts(asked, said) for asked, said in pairs], np.float32),
}
"""What a head may look at, each [n, its width]: states of the response, and counts of its tokens."""


@dataclass(slots=True)
class Read:
    """Features of n rows [n, F], block by block in the order of the card, and which rows were cut [n]."""

    features: FloatArray
    blocks: dict[str, slice]
    truncated: NDArray[np.bool_]


class CausalReader:
    """Prompts and responses as features, by a card's ``settings``: shared by serving and training."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], device: Device) -> None:
        self._tokenizer = CausalTokenizer(folder, Limits(settings["context"], settings["continuation"]))
        self._states = StateReader(folder / GRAPH, device)
        self._names: list[str] = settings["features"]

    def read(self, prompts: Sequence[str], responses: Sequence[str]) -> Read:
        """Features of at least one row."""
        pairs, truncated = [], np.zeros(len(prompts), np.bool_)
        for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
            context, context_cut = self._tokenizer.context(dialogue(prompt))
            said = response.strip()
            continuation, response_cut = self._tokenizer.continuation(f" {said}" if said else NOTHING)
            pairs.append((context, continuation))
            truncated[row] = context_cut | response_cut
        return blocks(self._names, self._states.read(pairs), pairs, truncated)


def blocks(
    names: Sequence[str], states: States, pairs: Sequence[tuple[Tokens, Tokens]], truncated: NDArray[np.bool_]
) -> Read:
    """The named blocks side by side. Raises KeyError for a name that is no block."""
    columns = [BLOCKS[name](states, pairs) for name in names]
    ends = np.cumsum([column.shape[1] for column in columns]).tolist()
    places = {name: slice(start, end) for name, start, end in zip(names, [0, *ends], ends, strict=False)}
    return Read(np.concatenate(columns, axis=1, dtype=np.float32), places, truncated)


def dialogue(prompt: str) -> str:
    """A prompt as a dialogue that is open for the assistant's answer; a single question is a human's turn."""
    spoken = prompt.startswith(("Human: ", "System: ", "Assistant: ", "Tool: "))
    return f"{prompt if spoken else f'Human: {prompt}'}\n\nAssistant:"


class CausalPreferenceScorer(ExchangeScorer):
    """Exchanges as a causal language model sees them."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._reader = CausalReader(instance.folder, instance.card["settings"], instance.device)

    def features(self, prompts: list[str], responses: list[str]) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The card's blocks over each response in its place."""
        read = self._reader.read(prompts, responses)
        return read.features, read.truncated
