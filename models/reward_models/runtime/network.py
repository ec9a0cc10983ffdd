"""The network of a converted text model: a graph in this process, or an engine in one of its own, as the card says."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.engine import EngineProcess
from reward_models.runtime.graphs import TokenGraph
from reward_models.runtime.instance import Instance
from reward_models.runtime.reading import RowError, TokenRow


class TokenNetwork(Protocol):
    """Runs a network over token rows."""

    def score_rows(self, rows: Sequence[TokenRow], /) -> Sequence[NDArray[np.float32] | RowError]:
        """Per row its numbers ([K], or [t] of a network that scores tokens), or why there are none."""


def open_network(instance: Instance) -> TokenNetwork:
    """The network that an instance's card names. Raises RuntimeError for an engine that does not start."""
    settings = instance.card["settings"]
    if "network" in settings:
        return EngineProcess(instance)
    return TokenGraph(instance.folder, settings, instance.device)
