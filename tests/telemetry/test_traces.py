"""Traces: nothing at all unless they are asked for, and spans that hold names and numbers only."""

from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from reward_gateway.settings import Settings
from reward_gateway.telemetry.traces import Tracer, configure_tracing


def test_without_an_address_there_is_no_tracing() -> None:
    tracer = configure_tracing(Settings())
    assert not tracer.enabled
    with tracer.span("score", {"traceparent": "x"}, rows=3) as span:
        assert span is None
    tracer.close()


def test_an_address_makes_a_tracer_whose_spans_go_there() -> None:
    pytest.importorskip("opentelemetry.sdk")
    tracer = configure_tracing(Settings(otlp_endpoint=SecretStr("http://127.0.0.1:4317")))
    assert tracer.enabled
    tracer.close()


def test_a_span_records_no_exception_text() -> None:
    pytest.importorskip("opentelemetry")
    made: list[dict[str, Any]] = []

    class Provider:
        closed = False

        def get_tracer(self, name: str) -> "Provider":
            return self

        @contextmanager
        def start_as_current_span(self, name: str, **kwargs: Any) -> Any:
            made.append({"name": name, **kwargs})
            yield object()

        def shutdown(self) -> None:
            self.closed = True

    provider = Provider()
    tracer = Tracer(provider)
    with tracer.span("HTTP POST", {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, rows=2):
        pass
    assert made[0]["name"] == "HTTP POST"
    assert made[0]["attributes"] == {"rows": 2}
    assert made[0]["record_exception"] is False
    tracer.close()
    assert provider.closed
