"""Metrics of rewards: distributions over all time, and the monitor's windows as gauges.

The label ``component`` is empty for the reward itself, which Prometheus treats as no label; ``stage`` is ``reward``,
``value`` (a component after its transforms) or ``raw`` (before them). Histograms and counters are summed over the
workers. Gauges describe the window of one process: with several workers, that of the one scraped last.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from reward_gateway.observer import ScoredPlan
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.sample import FloatArray, Scored

from .buckets import SCORE
from .instruments import BatchHistogram, Instruments
from .labels import Names
from .monitor import WINDOW, Monitor
from .shared_monitor import SharedMonitor
from .window import Columns

STATISTICS = ("mean", "std", "min", "max")


class RewardMetrics:
    """Observes every scored batch; unknown recipes, components and flags are counted as ``other``.

    Attributes:
        monitor: the windows of this process.
        shared: the windows of all processes; None if they share no store.
        count_lost, count_failed: count samples that were dropped, and failures of the store.
    """

    def __init__(
        self, make: Instruments, rewards: Names, components: Names, flags: Names, shared: Path | None = None
    ) -> None:
        self._rewards, self._components, self._flags_known = rewards, components, flags
        self.monitor = Monitor(reader=self._take_columns, shared=shared)
        self.shared: SharedMonitor | None = None
        self.count_lost: Callable[[float], None] = make.counter(
            "monitor_rows_dropped_total",
            "Samples dropped from shared monitoring windows, the runs' history or samples to keep: too many waited.",
        ).inc
        self.count_failed: Callable[[], None] = make.counter(
            "monitor_store_errors_total",
            "Failed reads and writes of monitoring windows, the runs' history and kept samples in the state store.",
        ).inc
        of = ("reward", "component", "stage")
        self._values: BatchHistogram = make.batch_histogram(
            "score_value", "Rewards, and components after their transforms.", SCORE, "reward", "component"
        )
        self._flags = make.counter("score_flags_total", "Samples flagged by a guard or a model.", "reward", "guard")
        self._samples = make.latest_gauge("score_window_samples", "Samples in the window.", "reward")
        self._statistic = make.latest_gauge(
            "score_window_value", "Statistics of the scores in the window.", *of, "statistic"
        )
        self._drift = make.latest_gauge(
            "score_drift", "Drift of the window from its reference; 0 until measured.", *of, "measure"
        )
        self._saturated = make.latest_gauge(
            "score_saturated_ratio",
            "How much larger the share of scores at one end of the window's range is than at the other; 1: all equal.",
            *of,
        )
        self._invalid = make.latest_gauge(
            "score_window_invalid_ratio", "Share of samples without a score.", "reward", "code"
        )
        self._flagged = make.latest_gauge("score_window_flagged_ratio", "Share of flagged samples.", "reward", "guard")
        self._length = make.latest_gauge(
            "score_length_correlation", "Spearman correlation of rewards with the characters of responses.", "reward"
        )
        self._disagreement = make.latest_gauge(
            "score_ensemble_disagreement", "Mean standard deviation over an ensemble's members.", "reward"
        )
        self._names_shown: dict[str, tuple[set[str], set[str]]] = {}

    def note_batch(self, plan: ScoredPlan | None, scored: Scored, lengths: FloatArray | None) -> None:
        """Observe one scored batch."""
        self.monitor.note_batch(plan, scored, lengths)

    def refresh_gauges(self) -> None:
        """Set the gauges from the current windows."""
        for recipe, report in self.monitor.report().items():
            reward = self._rewards.known_or_other(recipe)
            self._samples.labels(reward).set(report["samples"])
            self._set_gauges(reward, "", "reward", report["reward"])
            for name, stages in report["components"].items():
                for stage, described in stages.items():
                    self._set_gauges(reward, self._components.known_or_other(name), stage, described)
            self._set_share_gauges(reward, report)
            if report["length_correlation"] is not None:
                self._length.labels(reward).set(report["length_correlation"])
            if report["ensemble_disagreement"] is not None:
                self._disagreement.labels(reward).set(report["ensemble_disagreement"])

    def share_windows(self, address: RedisAddress | str) -> SharedMonitor:
        """Share the windows with other processes through the Redis at an address."""
        self.shared = SharedMonitor(address, WINDOW, lost=self.count_lost, failed=self.count_failed)
        return self.shared

    def _take_columns(self, recipe: str, version: str, ensemble: tuple[str, ...], columns: Columns) -> None:
        """Count and share columns of rows; called by the monitor."""
        if self.shared is not None:
            self.shared.keep_rows(recipe, version, ensemble, columns)
        self._count_columns(recipe, columns)

    def _count_columns(self, recipe: str, columns: Columns) -> None:
        reward = self._rewards.known_or_other(recipe)
        for column, values in columns.items():
            if column.stage == "reward":
                self._values.labels(reward, "").observe_many(values)
            elif column.stage == "value":
                self._values.labels(reward, self._components.known_or_other(column.name)).observe_many(values)
            elif column.stage == "flag":
                self._flags.labels(reward, self._flags_known.known_or_other(column.name)).inc(float(np.sum(values)))

    def _set_gauges(self, reward: str, component: str, stage: str, described: dict[str, Any]) -> None:
        if not described["count"]:
            return
        values = {name: described[name] for name in STATISTICS} | {
            f"q{quantile}": value for quantile, value in described["quantiles"].items()
        }
        for name, value in values.items():
            self._statistic.labels(reward, component, stage, name).set(value)
        self._saturated.labels(reward, component, stage).set(described["saturated"])
        for measure in ("psi", "ks"):
            moved = described["drift"][measure] if described["drift"] else 0.0
            self._drift.labels(reward, component, stage, measure).set(moved)

    def _set_share_gauges(self, reward: str, report: dict[str, Any]) -> None:
        """Set the shares by name; a name that has left the window is set to 0."""
        codes, guards = self._names_shown.setdefault(reward, (set(), set()))
        codes.update(report["invalid"])
        guards.update(report["flagged"])
        for code in codes:
            self._invalid.labels(reward, code).set(report["invalid"].get(code, 0.0))
        for guard in guards:
            self._flagged.labels(reward, self._flags_known.known_or_other(guard)).set(report["flagged"].get(guard, 0.0))
