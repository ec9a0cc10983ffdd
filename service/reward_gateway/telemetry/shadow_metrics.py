"""Metrics of experiments: how a candidate compares with the served version."""

from collections.abc import Mapping
from typing import Any

from reward_gateway.observer import ExperimentOutcome

from .instruments import Instruments
from .labels import Names

COMPARISON_GAUGES = {
    "pearson": "Correlation of the candidate's scores with the served version's.",
    "spearman": "Rank correlation of the candidate's scores with the served version's.",
    "pair_agreement": "Share of pairs within a prompt that both versions rank in the same order.",
    "best_changed": "Share of prompts whose best sample would be a different one.",
    "sign_flips": "Share of samples whose score changes sign.",
    "mean_shift": "Mean difference of the candidate's score from the served version's.",
}


class ShadowMetrics:
    """Gauges and counters per experiment; unknown experiments are counted as ``other``."""

    def __init__(self, make: Instruments, experiments: Names) -> None:
        self._experiments = experiments
        self._samples = make.counter("shadow_samples_total", "Samples chosen for a candidate.", "experiment", "outcome")
        self._gauges = {
            name: make.latest_gauge(f"shadow_{name}", text, "experiment") for name, text in COMPARISON_GAUGES.items()
        }

    def set_comparison(self, experiment: str, report: Mapping[str, Any]) -> None:
        for name, gauge in self._gauges.items():
            if report[name] is not None:
                gauge.labels(self._experiments.known_or_other(experiment)).set(report[name])

    def count_samples(self, experiment: str, outcome: ExperimentOutcome, rows: int) -> None:
        self._samples.labels(self._experiments.known_or_other(experiment), outcome).inc(rows)
