"""Hidden states of a causal language model over continuations, the input of a head.

The graph ``smollm2.onnx``, made by ``build.export_smollm2``, returns weighted sums of the states of some layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.packs import Pack, Tokens, build_packs
from reward_models.runtime.session import Device, Session

FloatArray = NDArray[np.float32]

BUDGETS = {"CPU": 512, "GPU": 8192}
"""Tokens per pack, by device; larger packs are no faster on a CPU, and attention memory is quadratic."""


@dataclass(slots=True)
class States:
    """Of n continuations: the mean over their tokens and the state of their last token, [n, layers * 576] each,
    layers concatenated in rising order."""

    mean: FloatArray
    last: FloatArray


class StateReader:
    """A graph of hidden states in a model's folder."""

    def __init__(self, graph: Path, device: Device) -> None:
        self._session = Session(graph, device)
        self._budget = BUDGETS[device.kind]

    def read_states(self, pairs: Sequence[tuple[Tokens, Tokens]]) -> States:
        """States of continuations, each after its context; neither side may be empty."""
        mean: list[FloatArray] = [np.empty(0, np.float32)] * len(pairs)
        last = list(mean)
        for packed in build_packs(pairs, self._budget):
            (states,) = self._session.run_graph({**packed.graph_inputs(), "weights": mixing_weights(packed)})
            count = len(packed.rows)
            for index, row in enumerate(packed.rows):
                mean[row], last[row] = states[index], states[count + index]
        return States(np.stack(mean), np.stack(last))


def mixing_weights(packed: Pack) -> FloatArray:
    """[2 * n, t]: the mean over each continuation's tokens, then the last token of each."""
    weights = np.zeros((2 * len(packed.rows), len(packed)), np.float32)
    for index, (start, end) in enumerate(packed.spans):
        weights[index, start:end] = 1.0 / (end - start)
        weights[len(packed.rows) + index, end - 1] = 1.0
    return weights
