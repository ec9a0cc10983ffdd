"""What the metrics say of each model: how long its calls take, and how many rows wait for one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

from reward_gateway.telemetry.instruments import PREFIX
from reward_gateway.telemetry.metrics import Metrics

_SECONDS, _QUEUED = f"{PREFIX}model_call_duration_seconds", f"{PREFIX}model_rows_queued"


@dataclass(slots=True)
class ModelFigures:
    """Of one model, over all workers of this machine.

    Attributes:
        calls: upper end of a bucket of seconds -> calls that took at most so long.
        queued: rows that wait for a call.
    """

    calls: dict[float, float] = field(default_factory=dict)
    queued: float = 0.0

    def quantile(self, q: float) -> float | None:
        """Seconds in which a share of the calls ended, evenly spread within a bucket; None without calls."""
        return find_quantile(sorted(self.calls.items()), q)


def find_quantile(buckets: Sequence[tuple[float, float]], q: float) -> float | None:
    """The quantile of cumulative counts by the upper ends of their buckets; the last finite end where it lies above."""
    total = buckets[-1][1] if buckets else 0.0
    if not total:
        return None
    for (low, below), (high, up_to) in pairwise([(0.0, 0.0), *buckets]):
        if up_to >= q * total and up_to > below:
            return low if high == float("inf") else low + (high - low) * (q * total - below) / (up_to - below)
    return None


def read_model_figures(metrics: Metrics) -> Mapping[str, ModelFigures]:
    """By the name of the model."""
    found: defaultdict[str, ModelFigures] = defaultdict(ModelFigures)
    for family in text_string_to_metric_families(metrics.render().decode()):  # as a scrape sees it: of all workers
        for sample in family.samples:
            model = sample.labels.get("model", "")
            if sample.name == f"{_SECONDS}_bucket":
                found[model].calls[float(sample.labels["le"])] = sample.value
            elif sample.name == _QUEUED:
                found[model].queued += sample.value
    return found
