"""Traces: a span a request where the extra ``tracing`` is installed and an OTLP address is set; else nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from reward_gateway import extras
from reward_gateway.settings import Settings

EXPORT_S = 3
"""Longest time to send a batch of spans, with its repetitions: a collector that is away delays the end by this much."""


class Tracer:
    """Makes spans; without a provider it costs one comparison.

    Args:
        provider: an OpenTelemetry tracer provider, or None for no tracing.
    """

    def __init__(self, provider: Any = None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("reward_gateway")

    @property
    def enabled(self) -> bool:
        return self._tracer is not None

    @contextmanager
    def span(
        self, name: str, carrier: Mapping[str, str] | None = None, **attributes: str | int | float | bool
    ) -> Iterator[Any]:
        """A span around the body of the ``with``; its parent comes from ``traceparent`` in ``carrier``.

        Attributes are names and numbers; a text that is scored is never one of them.
        """
        if self._tracer is None:
            yield None
            return
        from opentelemetry import propagate

        context = propagate.extract(carrier) if carrier else None
        with self._tracer.start_as_current_span(
            name, context=context, attributes=attributes, record_exception=False
        ) as span:
            yield span

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()


def configure_tracing(settings: Settings) -> Tracer:
    """As the settings say.

    Raises:
        MissingExtra: an address is set and the extra ``tracing`` is not installed.
    """
    if settings.otlp_endpoint is None:
        return Tracer()
    with extras.needed():
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    provider = TracerProvider(resource=Resource.create({"service.name": "reward-gateway"}))
    exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint.get_secret_value(), timeout=EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracer(provider)
