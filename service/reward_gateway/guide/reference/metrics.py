"""Metrics: every metric of the gateway's own, from where they are made. ``deploy/METRICS.md`` has the same list."""

from reward_gateway.telemetry.instruments import DESCRIBED, MetricDescription
from reward_gateway.telemetry.metrics import Metrics

from ..tables import write_code, write_phrase, write_table

_HEAD = """# Metrics

Look up what a metric of `GET /metrics` measures, and by what it is labelled. What to watch, and which alerts ship, is
in [observability](../operate/observability.md).

Any worker's `/metrics` gives the sums over all workers of its pod, in the Prometheus text format, without an API key.
Times are in seconds. The labels are closed sets: no text of a prompt and no name of a run stands in one, and a name
that the recipe file does not have is counted as `other`. Beside these there are the runtime's own metrics (`python_`,
`process_`).

```bash run
curl -s http://127.0.0.1:8080/metrics | grep reward_gateway_build_info
```

"""
_KINDS = {
    "counter": "counter: it only grows; use `rate()`",
    "gauge": "gauge: the value now",
    "histogram": "histogram: `_bucket` and `_count`, with `_sum` unless values may be negative",
}


def list_metrics() -> list[MetricDescription]:
    """Every metric of the gateway's own, by name."""
    if not DESCRIBED:
        Metrics()  # a running gateway has made them
    return sorted(DESCRIBED.values())


def write_page() -> str:
    """The page, with a table for each kind of metric."""
    parts = [_HEAD]
    for kind, about in _KINDS.items():
        title, _, text = about.partition(": ")
        rows = [
            (write_code(metric.name), ", ".join(map(write_code, metric.labels)) or "—", write_phrase(metric.text))
            for metric in list_metrics()
            if metric.kind == kind
        ]
        parts.append(f"## {title.capitalize()}s\n\n{text.capitalize()}.\n\n" + write_table(_COLUMNS, rows) + "\n")
    return "".join(parts)


_COLUMNS = ("metric", "labels", "what it says")
