"""The alert rules: every metric and label in them is one that we give, and each says what to do."""

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from reward_gateway.observer import CloseReason
from reward_gateway.sample import InvalidCode
from reward_gateway.settings import Settings

from tests.deploy.test_dashboard import TARGET_LABELS, all_series

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "service/reward_gateway/guide/pages/operate/runbooks.md"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
ACTED_ON = {
    *("triton_up", "recipe_info", "score_saturated_ratio", "score_window_samples"),
    *("state_lost", "stores_away", "cache_breaker_open", "rates_alone", "admission_rejected_total"),
    *("admission_predicted_wait_seconds", "connections_closed_total", "work_unfinished_total", "requests_total"),
    *(
        "upstream_breaker_open",
        "samples_invalid_total",
        "score_drift",
        "monitor_rows_dropped_total",
        "monitor_store_errors_total",
    ),
}
"""What somebody has to do something about; all else is for looking at."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_metric_in_it_exists_with_the_labels_that_are_used(rule: dict[str, Any]) -> None:
    series = all_series()
    names = re.findall(r"reward_gateway_\w+", rule["expr"])
    assert names
    known = set.union(*(series[name] for name in names))
    grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in labels.split(",")}
    assert grouped | set(re.findall(r"(\w+)=~?\"", rule["expr"])) <= known | TARGET_LABELS
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= grouped


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_it_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("RewardGateway")
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    for text in (rule["annotations"]["summary"], rule["annotations"]["runbook"]):
        assert text.endswith(".")
    named = re.findall(r"REWARD_GATEWAY_([A-Z_]+)", str(rule["annotations"]))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_its_link_leads_to_its_section_of_the_runbooks(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    assert page == f"{project}/blob/main/{RUNBOOKS.relative_to(ROOT)}"
    headings = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert headings == [rule["alert"] for rule in RULES]
    assert anchor == rule["alert"].lower(), "as the heading's anchor is made"


def test_the_runbooks_name_metrics_and_settings_that_exist() -> None:
    text = RUNBOOKS.read_text()
    assert set(re.findall(r"reward_gateway_\w+", text)) <= all_series().keys()
    assert {name.lower() for name in re.findall(r"REWARD_GATEWAY_([A-Z_]+)", text)} <= set(Settings.model_fields)


def test_the_chart_puts_another_address_in_place_of_the_runbooks() -> None:
    chart = ROOT / "deploy/helm/reward-gateway"
    shipped = yaml.safe_load((chart / "values.yaml").read_text())["monitoring"]["prometheusRule"]["runbookUrl"]
    assert f'"{shipped}"' in (chart / "templates/monitoring.yaml").read_text()
    assert all(rule["annotations"]["runbook_url"].startswith(f"{shipped}#") for rule in RULES)


def test_whatever_somebody_has_to_act_on_has_an_alert() -> None:
    alerted = {name for rule in RULES for name in re.findall(r"reward_gateway_(\w+)", rule["expr"])}
    assert alerted == ACTED_ON
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_the_values_of_labels_are_those_of_the_closed_sets() -> None:
    closed = {"code": InvalidCode, "reason": CloseReason}
    for metric, label in (("samples_invalid_total", "code"), ("connections_closed_total", "reason")):
        (chosen,) = [found[1] for rule in RULES if (found := re.search(rf'{metric}{{{label}=~"([^"]+)"', rule["expr"]))]
        assert set(chosen.split("|")) <= set(get_args(closed[label]))
