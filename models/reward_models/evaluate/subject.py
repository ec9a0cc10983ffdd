"""Runs a built model outside Triton: the scorer of its ``model.py`` with its files and card."""

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
"""Rows per call: enough to batch, few enough to show progress."""

BACKEND = "triton_python_backend_utils"


class Subject:
    """A model to be measured.

    Args:
        name: of a folder of the repository.
        repository: the model repository.
        tick: called after each call with its number of rows.
    """

    def __init__(self, name: str, repository: Path, tick: Callable[[int], None] = lambda rows: None) -> None:
        self.name = name
        self.folder = repository / name
        self.card = cards.read_card(self.folder)
        self._repository = repository
        self._tick = tick

    @property
    def quality(self) -> dict[str, Any]:
        """The figures in the card."""
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
        """Score rows given as columns of equal length, texts as UTF-8; errors are reported by row."""
        rows = len(next(iter(columns.values())))
        encoded = {name: [v.encode() if isinstance(v, str) else v for v in column] for name, column in columns.items()}
        total = Answer.empty(rows, len(self.card.dimensions))
        for start in range(0, rows, ROWS):
            stop = min(start + ROWS, rows)
            part = self.scorer.score({name: column[start:stop] for name, column in encoded.items()}, stop - start)
            total.scores[start:stop], total.flags[start:stop] = part.scores, part.flags
            total.errors |= {start + row: why for row, why in part.errors.items()}
            if part.vectors is not None:
                total.vectors = [*(total.vectors or ()), *part.vectors]
            self._tick(stop - start)
        return total

    def require_scores(self, **columns: Sequence[str | bytes]) -> NDArray[np.float64]:
        """Scores [n, K]. Raises ValueError if a row has an error, so that no failure goes unnoticed."""
        answer = self.score_columns(**columns)
        for row, why in answer.errors.items():
            raise ValueError(f"{self.name} does not score row {row} of its evaluation: {why}")
        return answer.scores.astype(np.float64)


def load_served_class(model: Path) -> Any:
    """The class ``TritonPythonModel`` of a ``model.py``, imported without Triton."""
    spec = importlib.util.spec_from_file_location(f"served_{model.parents[1].name}", model)
    if spec is None or spec.loader is None or not model.is_file():
        raise RepositoryError(f"there is no file {model}")
    module = importlib.util.module_from_spec(spec)
    absent = BACKEND not in sys.modules
    sys.modules.setdefault(BACKEND, ModuleType(BACKEND))
    try:
        spec.loader.exec_module(module)
    finally:
        if absent:
            del sys.modules[BACKEND]
    return module.TritonPythonModel
