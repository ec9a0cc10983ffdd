"""Metrics of runs for OpenTelemetry: nothing unless they are asked for, and then the numbers of the newest row."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from reward_gateway.runs.history import RunHistory
from reward_gateway.runs.otlp import RunMetrics, configure_run_metrics
from reward_gateway.runs.store import LocalRunStore
from reward_gateway.settings import Settings

from tests.runs.test_history import A, scored

ENDPOINT = SecretStr("http://127.0.0.1:4317")


def test_runs_are_sent_only_where_both_settings_ask_for_it() -> None:
    assert configure_run_metrics(Settings()) is None
    assert configure_run_metrics(Settings(otlp_endpoint=ENDPOINT)) is None
    assert configure_run_metrics(Settings(otlp_runs=True)) is None


@pytest.mark.anyio
async def test_gauges_have_the_numbers_of_the_newest_step_over_all_processes() -> None:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    metrics = RunMetrics(MeterProvider([reader]))
    store = LocalRunStore(1 << 20)
    one, other = RunHistory(store), RunHistory(store, export=metrics.export)
    one.record(scored(1.0, 3.0), replace(A, step=4))
    await one.flush()
    other.record(scored(5.0, 5.0), replace(A, step=4))
    await other.flush()
    collected: Any = reader.get_metrics_data()
    (resource,) = collected.resource_metrics
    found: dict[str, Any] = {}
    for metric in resource.scope_metrics[0].metrics:
        for point in metric.data.data_points:
            attributes = dict(point.attributes)
            assert (attributes["run"], attributes["caller"], attributes["reward"]) == ("a", "alice", "r")
            found[metric.name + str(attributes.get("quantile", ""))] = point.value
    assert found["reward_gateway.run.step"] == 4
    assert found["reward_gateway.run.reward.mean"] == pytest.approx(3.5)
    assert found["reward_gateway.run.reward.quantile0.5"] == pytest.approx(4.0, rel=0.02)
    assert found["reward_gateway.run.zero_variance_share"] == 0.5
    assert found["reward_gateway.run.component.mean"] == pytest.approx(3.5)
    metrics.close()
