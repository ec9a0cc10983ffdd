"""Exemplars: the latest trace of each bucket, in OpenMetrics alone."""

import math
from typing import Any

import pytest
from prometheus_client import openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from reward_gateway.telemetry.exemplars import Exemplars
from reward_gateway.telemetry.metrics import Metrics, content_type_for

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
FIRST, SECOND, SLOW = "1" * 32, "2" * 32, "3" * 32


def exemplars_of(page: str) -> dict[tuple[str, str], tuple[str, float]]:
    """Trace and value by route and bucket."""
    return {
        (sample.labels["route"], sample.labels["le"]): (sample.exemplar.labels["trace_id"], sample.exemplar.value)
        for family in text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.exemplar
    }


def test_each_bucket_has_the_latest_trace_of_its_requests() -> None:
    metrics = Metrics()
    metrics.request_answered("http", "/v1/score", "200", 0.002, FIRST)
    metrics.request_answered("http", "/v1/score", "200", 0.0025, SECOND)
    metrics.request_answered("http", "/v1/score", "200", 500.0, SLOW)
    metrics.request_answered("grpc", "Score", "OK", 0.002)
    assert exemplars_of(metrics.render(OPENMETRICS).decode()) == {
        ("/v1/score", "0.0025"): (SECOND, 0.0025),
        ("/v1/score", "+Inf"): (SLOW, 500.0),
    }


@pytest.mark.parametrize("accept", ["", "text/plain", "*/*"])
def test_the_text_format_has_none(accept: str) -> None:
    metrics = Metrics()
    metrics.request_answered("http", "/v1/score", "200", 0.002, FIRST)
    assert FIRST not in metrics.render(accept).decode()
    assert content_type_for(accept).startswith("text/plain")


def test_openmetrics_is_whole_also_without_traces() -> None:
    page = Metrics().render(OPENMETRICS).decode()
    assert page.endswith("# EOF\n")
    assert list(text_string_to_metric_families(page))  # type: ignore[no-untyped-call]
    assert content_type_for(OPENMETRICS).startswith("application/openmetrics-text")


def test_the_time_is_that_of_the_observation() -> None:
    kept = Exemplars(clock=lambda: 1234.5678)
    kept.keep("request_duration_seconds", {"protocol": "http", "route": "/"}, math.inf, FIRST)
    metrics = Metrics()
    metrics.request_answered("http", "/", "200", math.inf)
    page: Any = openmetrics.exposition.generate_latest(kept.attach_to(metrics.registry)).decode()  # type: ignore[no-untyped-call]
    assert f'# {{trace_id="{FIRST}"}} +Inf 1234.568' in page
