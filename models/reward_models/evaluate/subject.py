"""A built model outside of Triton: the scorer that its ``model.py`` names, over its files and its card."""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.build import is_built
from reward_models.repository import RepositoryError
from reward_models.repository import card as cards
from reward_models.runtime.instance import Instance
from reward_models.runtime.rows import Answer, Scorer
from reward_models.runtime.session import Device

ROWS = 32
"""Rows of a call: enough to batch, few enough to see progress."""

BACKEND = "triton_python_backend_utils"


class Subject:
    """A model under measurement.

    Args:
        name: of a folder of the repository.
        repository: the model repository.
        tick: is told after each call how many rows were scored.
    """

    def __init__(self, name: str, repository: Path, tick: Callable[[int], None] = lambda rows: None) -> None:
        self.name = name
        self.folder = repository / name
        self.card = cards.read_card(self.folder)
        self._repository = repository
        self._tick = tick

    @property
    def quality(self) -> dict[str, Any]:
        """The committed figures."""
        return dict(self.card.content.get("quality") or {})

    @cached_property
    def scorer(self) -> Scorer:
        """The model, loaded. Raises RepositoryError if it is not built."""
        if not is_built(self.name, self._repository):
            raise RepositoryError(f"{self.name} is not built: reward-gateway models build {self.name}")
        content = self.card.content
        folder = self.folder / cards.VERSION_FOLDER
        instance = Instance(folder, tuple(content["dimensions"]), tuple(content["flags"]), content, Device())
        made: Scorer = load_served_class(folder / "model.py").make(instance)
        return made

    def score_columns(self, **columns: Sequence[str | bytes]) -> Answer:
        """Score rows, all columns of one length, texts as UTF-8; errors stay with their rows."""
        rows = len(next(iter(columns.values())))
        encoded = {name: [v.encode() if isinstance(v, str) else v for v in column] for name, column in columns.items()}
        whole = Answer.empty(rows, len(self.card.dimensions))
        for start in range(0, rows, ROWS):
            stop = min(start + ROWS, rows)
            part = self.scorer.score({name: column[start:stop] for name, column in encoded.items()}, stop - start)
            whole.scores[start:stop], whole.flags[start:stop] = part.scores, part.flags
            whole.errors |= {start + row: why for row, why in part.errors.items()}
            if part.vectors is not None:
                whole.vectors = [*(whole.vectors or ()), *part.vectors]
            self._tick(stop - start)
        return whole

    def require_scores(self, **columns: Sequence[str | bytes]) -> NDArray[np.float64]:
        """Scores [n, K]. Raises ValueError if a row has none: nothing that is measured may fail unseen."""
        answer = self.score_columns(**columns)
        for row, why in answer.errors.items():
            raise ValueError(f"{self.name} does not score row {row} of its evaluation: {why}")
        return answer.scores.astype(np.float64)


def load_served_class(model: Path) -> Any:
    """The class that Triton finds in a ``model.py``, read where there is no Triton."""
    spec = importlib.util.spec_from_file_location(f"served_{model.parents[1].name}", model)
    if spec is None or spec.loader is None or not model.is_file():
        raise RepositoryError(f"there is no {model}")
    module = importlib.util.module_from_spec(spec)
    absent = BACKEND not in sys.modules
    sys.modules.setdefault(BACKEND, ModuleType(BACKEND))
    try:
        spec.loader.exec_module(module)
    finally:
        if absent:
            del sys.modules[BACKEND]
    return module.TritonPythonModel
