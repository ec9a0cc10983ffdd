"""Traces: one span per request, if the extra ``tracing`` is installed and an OTLP endpoint is set."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from reward_gateway import extras
from reward_gateway.settings import Settings

EXPORT_S = 3
"""Timeout for sending a batch of spans, including retries: an unreachable collector delays shutdown by this much."""

_NO_SPAN = nullcontext()


class Tracer:
    """Creates spans; without a provider it costs one comparison.

    Args:
        provider: an OpenTelemetry tracer provider, or None for no tracing.
    """

    def __init__(self, provider: Any = None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("reward_gateway")

    @property
    def enabled(self) -> bool:
        return self._tracer is not None

    def span(
        self, name: str, carrier: Mapping[str, str] | None = None, **attributes: str | int | float | bool
    ) -> AbstractContextManager[Any]:
        """A span around the body of the ``with``; its parent comes from ``traceparent`` in ``carrier``.

        Attributes are names and numbers, never text from samples.
        """
        return _NO_SPAN if self._tracer is None else _open_span(self._tracer, name, carrier, attributes)

    def close(self) -> None:
        """Send the remaining spans."""
        if self._provider is not None:
            self._provider.shutdown()


@contextmanager
def _open_span(
    tracer: Any, name: str, carrier: Mapping[str, str] | None, attributes: Mapping[str, str | int | float | bool]
) -> Iterator[Any]:
    from opentelemetry import propagate

    context = propagate.extract(carrier) if carrier else None
    with tracer.start_as_current_span(name, context=context, attributes=attributes, record_exception=False) as span:
        yield span


def trace_id_of(span: Any) -> str:
    """The id of a span's trace, for logs and exemplars; empty without a span, or where its trace is not kept."""
    if span is None:
        return ""
    context = span.get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid and context.trace_flags.sampled else ""


def configure_tracing(settings: Settings) -> Tracer:
    """Create the tracer that the settings ask for.

    Raises:
        MissingExtra: an endpoint is set and the extra ``tracing`` is not installed.
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
