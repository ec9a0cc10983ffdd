"""A head over a mixture of sources: features as differences, weights fitted, figures beside a rule of length.

Every source is split by group; the committed head has seen the training part alone, so that the held-out figures are
its own. Cross-validated figures (mean and standard deviation over 3 x 5 folds) stand beside them.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.evaluate.part import Entry
from reward_models.train.data import FOLDS, SOURCES, Pair, assign_fold, length_rule
from reward_models.train.fit import Array, Pairs, fit_bradley_terry, pair_accuracy

SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a head is trained: what a pair of each source counts (the main source first), the prior of each block of
    features, the strength of the penalty, how many axes its crossed block has, and whether a Hessian is made (not for
    thousands of features)."""

    weights: dict[str, float]
    priors: dict[str, float]
    strength: float
    axes: int = 0
    hessian: bool = True

    def load_pairs(self, folder: Any) -> dict[str, list[Pair]]:
        """The pairs of every source, read from the data folder."""
        return {name: SOURCES[name].pairs(folder) for name in self.weights}


def flatten_pairs(pairs: dict[str, list[Pair]]) -> tuple[list[str], list[str]]:
    """Prompts and responses of all pairs, the better response of each before the worse."""
    every = [pair for source in pairs.values() for pair in source]
    return [pair.prompt for pair in every for _ in range(2)], [text for p in every for text in (p.better, p.worse)]


@dataclass(slots=True)
class Mixture:
    """Every source as feature differences.

    Args:
        recipe: what each source counts.
        sources: its pairs.
        features: [rows, F], a row for each text of :func:`flatten_pairs`.
        blocks: which columns each block of features has.
    """

    recipe: Recipe
    sources: dict[str, list[Pair]]
    features: Array
    blocks: dict[str, slice]
    pairs: dict[str, Pairs] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start = 0
        for name, source in self.sources.items():
            part = self.features[start : start + 2 * len(source)]
            self.pairs[name] = Pairs.of(part[0::2] - part[1::2], self.recipe.weights[name])
            start += len(part)

    def fit_weights(self, chosen: dict[str, NDArray[np.bool_]]) -> Array:
        """The head's weights [F] from some rows of each source."""
        sources = [
            self.pairs[name].select_pairs(some) for name, some in chosen.items() if self.recipe.weights[name] > 0
        ]
        scale = 1.0 / (self.pairs[next(iter(self.sources))].differences.std(0) + 1e-6)
        for name, block in self.blocks.items():
            scale[block] *= self.recipe.priors[name]
        return fit_bradley_terry(sources, scale, self.recipe.strength, self.recipe.hessian)

    def held_out(self, name: str) -> NDArray[np.bool_]:
        """Which pairs of a source are never trained on."""
        return np.array([pair.held_out for pair in self.sources[name]])

    def fit_final(self) -> Array:
        """The weights of the head that is committed: all that is not held out."""
        return self.fit_weights({name: ~self.held_out(name) for name in self.sources})

    def compute_figures(self, weights: Array) -> dict[str, Entry]:
        """Held-out and cross-validated accuracy of every source, each beside its length rule."""
        crossed, rules = self.cross_validated()
        found: dict[str, Entry] = {}
        for name, source in self.sources.items():
            some, rule = self.held_out(name), SOURCES[name].rule
            shown = {
                "held_out": pair_accuracy(self.pairs[name].select_pairs(some), weights),
                f"{rule}_wins_held_out": length_rule([pair for pair in source if pair.held_out], rule),
                "pairs": int(some.sum()),
                "cross_validated": float(np.mean(crossed[name])),
                "std": float(np.std(crossed[name])),
                f"{rule}_wins_cross_validated": float(np.mean(rules[name])),
            }
            found[name] = {key: round(value, 3) for key, value in shown.items()}
        return found

    def cross_validated(self) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
        """Accuracy and length rule of every source in each of the folds of each seed."""
        crossed: dict[str, list[float]] = {name: [] for name in self.sources}
        rules: dict[str, list[float]] = {name: [] for name in self.sources}
        for seed in SEEDS:
            folds = {n: np.array([assign_fold(pair.group, seed + 1) for pair in s]) for n, s in self.sources.items()}
            for index in range(FOLDS):
                fitted = self.fit_weights({name: numbers != index for name, numbers in folds.items()})
                for name, numbers in folds.items():
                    left = [pair for pair, number in zip(self.sources[name], numbers, strict=True) if number == index]
                    crossed[name].append(pair_accuracy(self.pairs[name].select_pairs(numbers == index), fitted))
                    rules[name].append(length_rule(left, SOURCES[name].rule))
        return crossed, rules

    def describe_training(self) -> dict[str, Any]:
        """How many pairs of each source were trained on, and what each of them counts."""
        return {
            name: {"pairs": int((~self.held_out(name)).sum()) if weight else 0, "weight": weight}
            for name, weight in self.recipe.weights.items()
        }
