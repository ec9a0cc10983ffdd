"""Compares the scores of two versions of a model for the same samples.

A trainer compares rewards within a group, the samples of one prompt. So the report holds, besides correlations over all
samples, the share of pairs within a group that both versions rank in the same order, and the share of groups whose best
sample would be a different one.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from reward_gateway.sample import FloatArray
from reward_gateway.telemetry.statistics import pearson_correlation, rank_values

WINDOW = 10_000
"""Number of latest samples that are compared."""

LEAST = 3
"""Minimum samples for a correlation."""

PAIRED = 64
"""Maximum samples per group whose pairs are compared: the latest ones of a larger group."""


class Comparison:
    """The latest samples with scores of both versions; it restarts when either version changes."""

    def __init__(self, window: int = WINDOW) -> None:
        self.versions: tuple[str, str] | None = None
        self._seen: deque[tuple[str, float, float, int]] = deque(maxlen=window)
        self.samples = 0

    def add_samples(
        self,
        versions: tuple[str, str],
        groups: Sequence[str],
        served: FloatArray,
        candidate: FloatArray,
        words: Sequence[int] | None = None,
    ) -> None:
        """Add samples [n] that both versions scored; ``groups`` identifies their prompts, ``words`` are those of their
        responses, 0 where nobody counted."""
        if versions != self.versions:
            self.versions = versions
            self._seen.clear()
            self.samples = 0
        counted = [0] * len(groups) if words is None else words
        self._seen.extend(zip(groups, served.tolist(), candidate.tolist(), counted, strict=True))
        self.samples += len(groups)

    def read_scores(self) -> tuple[list[str], FloatArray, FloatArray]:
        """The groups of the latest samples, the scores of the served version and those of the candidate."""
        seen = list(self._seen)
        return [row[0] for row in seen], np.array([row[1] for row in seen]), np.array([row[2] for row in seen])

    def read_words(self) -> FloatArray:
        """The words of the responses of the same samples."""
        return np.array([row[3] for row in self._seen], dtype=np.float64)

    def report(self) -> dict[str, Any]:
        """``n``, ``pearson``, ``spearman``, ``pair_agreement``, ``best_changed``, ``sign_flips``, ``mean_shift``.

        Each but ``n`` is None if there are too few samples, or a version gives every sample the same score.
        """
        groups, served, candidate = self.read_scores()
        counts = {"n": len(groups), "samples": self.samples, **compare_order(groups, served, candidate)}
        if not groups:
            return counts | dict.fromkeys(("pearson", "spearman", "sign_flips", "mean_shift", "mean_shift_std"))
        shift = float(np.mean(candidate - served))
        spread = float(np.std(served))
        return counts | {
            "pearson": pearson_correlation(served, candidate, LEAST),
            "spearman": pearson_correlation(rank_values(served), rank_values(candidate), LEAST),
            "sign_flips": float(np.mean(np.sign(served) != np.sign(candidate))),
            "mean_shift": shift,
            "mean_shift_std": shift / spread if spread > 0 else None,
        }


def compare_order(
    groups: Sequence[str], served: FloatArray, candidate: FloatArray, most: int = PAIRED
) -> dict[str, float | int | None]:
    """For groups of two and more: the share of pairs in the same order, among those without a tie in the served version
    (a tie in the candidate counts as half), and the share of groups whose best sample is a different one.

    Args:
        most: samples per group whose pairs are compared.
    """
    members: dict[str, list[int]] = {}
    for i, name in enumerate(groups):
        members.setdefault(name, []).append(i)
    pairs, agreeing, several, changed = 0, 0.0, 0, 0
    for rows in members.values():
        chosen = rows[-most:]
        if len(chosen) < 2:
            continue
        several += 1
        a, b = served[chosen], candidate[chosen]
        changed += not bool(b[a == a.max()].max() == b.max())
        upper = np.triu_indices(len(chosen), 1)
        before, after = np.sign(a[:, None] - a)[upper], np.sign(b[:, None] - b)[upper]
        ordered = before != 0
        pairs += int(ordered.sum())
        agreeing += float((before[ordered] == after[ordered]).sum() + 0.5 * (after[ordered] == 0).sum())
    return {
        "groups": several,
        "pair_agreement": agreeing / pairs if pairs else None,
        "best_changed": changed / several if several else None,
    }
