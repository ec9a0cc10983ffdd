"""``deploy/METRICS.md`` lists every metric of ours; ``python -m tests.deploy.test_metrics_page`` makes it."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from reward_gateway.telemetry.metrics import Metrics

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
    rows = []
    for collector in list(Metrics().registry._collector_to_names):
        labels = ", ".join(getattr(collector, "_labelnames", ()))
        rows += [_make_row(family, labels, rules, asked) for family in collector.collect()]
    return HEAD + "".join(sorted(row for row in rows if row.startswith("| `reward_gateway_")))


def _make_row(family: Any, labels: str, rules: list[dict[str, Any]], asked: str) -> str:
    name = family.name + ("_total" if family.type == "counter" else "")
    whole = re.compile(rf"\b{name}(_bucket|_count|_sum)?\b")
    alerts = ", ".join(rule["alert"] for rule in rules if whole.search(rule["expr"]))
    return f"| `{name}` | {labels} | {family.documentation} | {alerts} | {'yes' if whole.search(asked) else ''} |\n"


def write_page() -> None:
    PAGE.write_text(make_page())


def test_the_page_lists_every_metric() -> None:
    assert PAGE.read_text() == make_page(), "python -m tests.deploy.test_metrics_page"


if __name__ == "__main__":
    write_page()
