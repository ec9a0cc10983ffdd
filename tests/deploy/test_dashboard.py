"""The Grafana dashboard: whole, laid out without overlaps, and every metric and label in it is one that we give."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.sample import ComponentScores, Invalid, Scored
from reward_gateway.telemetry.metrics import Metrics

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "reward-gateway.json"
TARGET_LABELS = {"namespace", "pod", "job"}
"""What Prometheus adds to every series of a pod."""
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    return json.loads(FILE.read_text())  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def series() -> dict[str, set[str]]:
    return all_series()


def all_series() -> dict[str, set[str]]:
    """Every series of ours with its labels."""
    found: dict[str, set[str]] = {}
    for collector in list(Metrics().registry._collector_to_names):
        for family in collector.collect():
            labels = set(getattr(collector, "_labelnames", ()))
            for suffix in SUFFIXES.get(family.type, ()):
                found[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def queries(dashboard: dict[str, Any]) -> list[str]:
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    asked += [v["query"]["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    asked += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    return asked


def test_every_metric_in_it_exists_with_the_labels_that_are_used(
    dashboard: dict[str, Any], series: dict[str, set[str]]
) -> None:
    asked = queries(dashboard)
    assert len(asked) > 30
    for query in asked:
        names = re.findall(r"reward_gateway_\w+", query)
        assert names, query
        known = set.union(*(series[name] for name in names))
        grouped = re.findall(r"by \(([^)]*)\)", query)
        chosen = re.findall(r"(\w+)=~?\"", query)
        used = {label.strip() for labels in grouped for label in labels.split(",")} | set(chosen)
        assert used <= known | TARGET_LABELS, query


def test_what_a_legend_names_is_a_label_that_is_left(dashboard: dict[str, Any], series: dict[str, set[str]]) -> None:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            names = re.findall(r"reward_gateway_\w+", target["expr"])
            grouped = re.search(r"by \(([^)]*)\)", target["expr"])
            aggregated = re.search(r"\bsum\b", target["expr"])
            left = (
                {label.strip() for label in grouped.group(1).split(",")}
                if grouped
                else set()
                if aggregated
                else series[names[0]]
            )
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= left, target


def test_every_figure_of_reward_health_is_shown(dashboard: dict[str, Any], series: dict[str, set[str]]) -> None:
    shown = {name for query in queries(dashboard) for name in re.findall(r"reward_gateway_\w+", query)}
    health = {name for name in series if name.startswith("reward_gateway_score_")}
    health -= {"reward_gateway_score_value_count", "reward_gateway_score_value_sum"}
    assert health <= shown


IN_NO_PANEL = ("model_rows_total",)
"""How the names of metrics begin that a panel shows by another."""


def test_every_query_is_of_the_namespaces_and_pods_that_are_chosen(dashboard: dict[str, Any]) -> None:
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert {"namespace", "pod", "reward", "experiment"} <= variables.keys()
    for name in ("namespace", "pod"):
        assert variables[name]["allValue"] == ".*", "outside of Kubernetes no series has the label"
    for query in queries(dashboard):
        if query.startswith("label_values(reward_gateway_build_info"):
            continue
        for _, chosen in re.findall(r"(reward_gateway_\w+)(\{[^}]*\})?", query):
            assert 'namespace=~"$namespace", pod=~"$pod"' in chosen, query


def test_changes_of_versions_are_marked(dashboard: dict[str, Any]) -> None:
    marked = {note["name"]: note["expr"] for note in dashboard["annotations"]["list"] if note["enable"]}
    assert marked.keys() == {"Recipe versions", "Gateway versions"}
    assert all(" unless " in expr and " offset " in expr for expr in marked.values()), "the change, not the state"


OF_THE_DATA_SOURCE = re.compile(r"/annotations/list/\d+/(step|titleFormat|textFormat)")
"""What Prometheus' annotations have beside the schema's, which leaves such to the data sources."""


def test_grafana_s_own_model_of_a_dashboard_has_all_that_is_in_it(dashboard: dict[str, Any]) -> None:
    """Read and written by Grafana's library, whose classes are made of the schema, nothing is lost or changed."""
    models = pytest.importorskip(
        "grafana_foundation_sdk.models.dashboard", reason="needs the package grafana-foundation-sdk"
    )
    encoder = importlib.import_module("grafana_foundation_sdk.cog.encoder").JSONEncoder()
    importlib.import_module("grafana_foundation_sdk.cog.plugins").register_default_plugins()
    written = json.loads(encoder.encode(models.Dashboard.from_json(dashboard)))
    lost = [place for place in find_losses(dashboard, written) if not OF_THE_DATA_SOURCE.fullmatch(place)]
    assert lost == []


def find_losses(given: Any, kept: Any, at: str = "") -> Iterator[str]:
    if isinstance(given, dict):
        for key, value in given.items():
            yield from find_losses(value, kept.get(key) if isinstance(kept, dict) else None, f"{at}/{key}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for place, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from find_losses(one, other, f"{at}/{place}")
    elif given != kept:
        yield at


def test_every_other_metric_is_in_a_panel(dashboard: dict[str, Any], series: dict[str, set[str]]) -> None:
    def metric(name: str) -> str:
        return re.sub(r"_(bucket|count|sum)$", "", name).removeprefix("reward_gateway_")

    shown = {metric(name) for query in queries(dashboard) for name in re.findall(r"reward_gateway_\w+", query)}
    known = {metric(name) for name in series if name.startswith("reward_gateway_")}
    assert [name for name in sorted(known - shown) if not name.startswith(IN_NO_PANEL)] == []


def test_the_values_that_it_picks_out_of_labels_are_given(dashboard: dict[str, Any]) -> None:
    metrics = Metrics()
    metrics.rewards.register(["r"])
    draw = np.random.default_rng(0).normal(size=(2, 200))
    parts = {"a": ComponentScores(draw[0], np.tanh(draw[0]))}
    metrics.batch_scored(None, Scored("r", "v", draw[1], parts, invalid={0: Invalid("guard", "caught")}))
    metrics.cache_looked_up("redis", 1, 1, 0.1)
    page = metrics.render().decode()
    picked = {pair for query in queries(dashboard) for pair in re.findall(r"\w+=\"[\w.]*\"", query)}
    assert {'measure="psi"', 'stage="reward"', 'statistic="q0.95"', 'result="hit"'} <= picked
    assert all(pair in page for pair in picked)


def test_panels_have_ids_of_their_own_say_what_they_show_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels if panel["type"] != "row")
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
