"""``deploy/METRICS.md`` lists every metric of ours; ``python -m tests.deploy.test_metrics_page`` makes it."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from reward_gateway.guide.reference.metrics import list_metrics
from reward_gateway.telemetry.instruments import MetricDescription

DEPLOY = Path(__file__).parents[2] / "deploy"
PAGE = DEPLOY / "METRICS.md"
HEAD = """# Metrics

`GET /metrics` of any worker gives the sums over all workers of its pod. Beside these there are the runtime's own
(`python_`, `process_`). What somebody has to act on has an alert in [prometheus/alerts.yaml](prometheus/alerts.yaml),
which says what to do, as does the page
[Runbooks](../service/reward_gateway/guide/pages/operate/runbooks.md); the others are in a panel of the
[dashboard](grafana/reward-gateway.json). Asked for OpenMetrics, with tracing on, `/metrics` also gives the ids of
recent traces beside the buckets of `reward_gateway_request_duration_seconds` (exemplars): those that the answering
worker has.

| metric | labels | what it says | alert | panel |
|---|---|---|---|---|
"""


def make_page() -> str:
    alerts = (DEPLOY / "prometheus/alerts.yaml").read_text()
    panels = json.loads((DEPLOY / "grafana/reward-gateway.json").read_text())["panels"]
    rules = [rule for group in yaml.safe_load(alerts)["groups"] for rule in group["rules"]]
    asked = " ".join(target["expr"] for panel in panels for target in panel.get("targets", []))
    return HEAD + "".join(sorted(_make_row(metric, rules, asked) for metric in list_metrics()))


def _make_row(metric: MetricDescription, rules: list[dict[str, Any]], asked: str) -> str:
    whole = re.compile(rf"\b{metric.name}(_bucket|_count|_sum)?\b")
    alerts = ", ".join(rule["alert"] for rule in rules if whole.search(rule["expr"]))
    panel = "yes" if whole.search(asked) else ""
    return f"| `{metric.name}` | {', '.join(metric.labels)} | {metric.text} | {alerts} | {panel} |\n"


def write_page() -> None:
    PAGE.write_text(make_page())


def test_the_page_lists_every_metric() -> None:
    assert PAGE.read_text() == make_page(), "python -m tests.deploy.test_metrics_page"


if __name__ == "__main__":
    write_page()
