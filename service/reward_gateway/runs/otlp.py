"""Sends the rewards of training runs to an OTLP endpoint, as metrics with the run as an attribute.

Prometheus gets none of this: a run is never one of its labels. Every value is that of the newest row of the run, over
all workers where they share a store; whichever worker wrote it sends it.
"""

from typing import Any

from reward_gateway import extras
from reward_gateway.settings import Settings
from reward_gateway.telemetry.sketches import quantiles_of_summary

from .rows import Row
from .store import RunName

EXPORT_S = 10.0
"""Seconds between two exports."""

TIMEOUT_S = 3
"""Timeout of an export."""


class RunMetrics:
    """Gauges of the newest row of each run and recipe.

    Args:
        provider: an OpenTelemetry meter provider.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        meter = provider.get_meter("reward_gateway")
        gauge = meter.create_gauge
        self._step = gauge("reward_gateway.run.step", description="Newest step of the run.")
        self._mean = gauge("reward_gateway.run.reward.mean", description="Mean reward of the newest step or minute.")
        self._std = gauge("reward_gateway.run.reward.std", description="Standard deviation of the rewards.")
        self._quantile = gauge("reward_gateway.run.reward.quantile", description="Quantiles of the rewards.")
        self._component = gauge("reward_gateway.run.component.mean", description="Mean of a component.")
        self._equal = gauge(
            "reward_gateway.run.zero_variance_share", description="Share of groups whose rewards are all equal."
        )
        self._invalid = gauge("reward_gateway.run.invalid_share", description="Share of samples without a reward.")
        self._flagged = gauge("reward_gateway.run.flagged_share", description="Share of flagged samples.")

    def export(self, name: RunName, recipe: str, bucket: str, row: Row) -> None:
        """Set the gauges of a run and recipe."""
        of = {"run": name.run, "caller": name.caller, "reward": recipe}
        if bucket == "step":
            self._step.set(row.at, of)
        if row.reward.count:
            self._mean.set(row.reward.mean, of)
            for quantile, value in quantiles_of_summary(row.reward).items():
                self._quantile.set(value, {**of, "quantile": quantile})
        if row.reward.count > 1:
            self._std.set((row.reward.squares / (row.reward.count - 1)) ** 0.5, of)
        for component, part in row.components.items():
            if part.count:
                self._component.set(part.mean, {**of, "component": component})
        if row.groups:
            self._equal.set(row.equal_groups / row.groups, of)
        self._invalid.set(row.invalid / row.n, of)
        self._flagged.set(row.flagged / row.n, of)

    def close(self) -> None:
        """Send what was set last."""
        self._provider.shutdown()


def configure_run_metrics(settings: Settings) -> RunMetrics | None:
    """The metrics that the settings ask for; None: none.

    Raises:
        MissingExtra: they are asked for, and the extra ``tracing`` is not installed.
    """
    if settings.otlp_endpoint is None or not settings.otlp_runs:
        return None
    with extras.needed():
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
    exporter = OTLPMetricExporter(endpoint=settings.otlp_endpoint.get_secret_value(), timeout=TIMEOUT_S)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=EXPORT_S * 1e3)
    return RunMetrics(MeterProvider([reader], Resource.create({"service.name": "reward-gateway"})))
