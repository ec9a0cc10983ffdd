"""The alert rules in Prometheus' own tool: each fires for what it is about, and not for what is healthy."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.test_alerts import ROOT, RULES

FILE = ROOT / "deploy/prometheus/alerts.yaml"
PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian's package prometheus)")

Series = dict[str, str]
GROWING, STILL = "0+120x60", "5+0x60"
"""A counter that grows by one a second, and one that does not; a value every two minutes."""

CASES: dict[str, tuple[Series, Series]] = {
    "RewardGatewayStateLost": ({"state_lost": "1+0x60"}, {"state_lost": "0+0x60"}),
    "RewardGatewayStoreAway": ({'stores_away{store="state"}': "1+0x60"}, {'stores_away{store="state"}': "0+0x60"}),
    "RewardGatewayCacheBreakerOpen": ({"cache_breaker_open": "1+0x60"}, {"cache_breaker_open": "0+0x60"}),
    "RewardGatewayRatesEnforcedAlone": ({"rates_alone": "1+0x60"}, {"rates_alone": "0+0x60"}),
    "RewardGatewayOverloaded": (
        {'admission_rejected_total{reason="queue_full"}': GROWING},
        {'admission_rejected_total{reason="queue_full"}': STILL},
    ),
    "RewardGatewayLongWait": (
        {"admission_predicted_wait_seconds": "30+0x60"},
        {"admission_predicted_wait_seconds": "2+0x60"},
    ),
    "RewardGatewayConnectionsRefused": (
        {'connections_closed_total{reason="malformed_body"}': "0+240x60"},
        {'connections_closed_total{reason="idle"}': "0+240x60"},
    ),
    "RewardGatewayWorkUnfinished": (
        {'work_unfinished_total{reason="memory"}': GROWING},
        {'work_unfinished_total{reason="time"}': GROWING},
    ),
    "RewardGatewayFaults": (
        {'requests_total{protocol="http",route="/v1/score",status="500"}': GROWING},
        {'requests_total{protocol="http",route="/v1/score",status="422"}': GROWING},
    ),
    "RewardGatewaySamplesFail": (
        {'samples_invalid_total{code="model_error"}': GROWING},
        {'samples_invalid_total{code="missing_field"}': GROWING},
    ),
    "RewardGatewayRewardDrifts": (
        {'score_drift{reward="r",measure="psi"}': "0.4+0x60"},
        {'score_drift{reward="r",measure="ks"}': "0.4+0x60", 'score_drift{reward="s",measure="psi"}': "0.1+0x60"},
    ),
    "RewardGatewayMonitorLossy": (
        {"monitor_rows_dropped_total": GROWING, "monitor_store_errors_total": STILL},
        {"monitor_rows_dropped_total": STILL, "monitor_store_errors_total": STILL},
    ),
    "RewardGatewayUpstreamAway": (
        {'upstream_breaker_open{upstream="u",replica="a"}': "1+0x60"},
        {'upstream_breaker_open{upstream="u",replica="a"}': "0+0x60"},
    ),
    "RewardGatewayTritonAway": (
        {'triton_up{server="t:8001",pod="a"}': "1+0x60", 'triton_up{server="t:8001",pod="b"}': "0+0x60"},
        {'triton_up{server="t:8001",pod="a"}': "1+0x60"},
    ),
    "RewardGatewayVersionsDiffer": (
        {
            'recipe_info{reward="r",version="1",pod="a"}': "1+0x60",
            'recipe_info{reward="r",version="2",pod="b"}': "1+0x60",
        },
        {
            'recipe_info{reward="r",version="1",pod="a"}': "0+0x60",
            'recipe_info{reward="r",version="2",pod="a"}': "1+0x60",
            'recipe_info{reward="r",version="2",pod="b"}': "2+0x60",
        },
    ),
    "RewardGatewayRewardSaturated": (
        {
            'score_saturated_ratio{reward="solved",stage="reward"}': "1+0x60",
            'score_window_samples{reward="solved"}': "400+0x60",
        },
        {  # rewards of 0 and 1, half and half, and 95 % of them 1; a constant component; and too few samples
            'score_saturated_ratio{reward="half",stage="reward"}': "0+0x60",
            'score_window_samples{reward="half"}': "400+0x60",
            'score_saturated_ratio{reward="most",stage="reward"}': "0.9+0x60",
            'score_window_samples{reward="most"}': "400+0x60",
            'score_saturated_ratio{reward="half",component="c",stage="value"}': "1+0x60",
            'score_saturated_ratio{reward="few",stage="reward"}': "1+0x60",
            'score_window_samples{reward="few"}': "3+0x60",
        },
    ),
}
"""By alert: series that make it fire, and series that do not. A number every two minutes, for two hours."""


def promtool(*arguments: object) -> str:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules() -> None:
    assert f"SUCCESS: {len(RULES)} rules found" in promtool("check", "rules", FILE)


def test_each_fires_for_what_it_is_about_and_not_for_what_is_healthy(tmp_path: Path) -> None:
    assert CASES.keys() == {rule["alert"] for rule in RULES}
    tests = []
    for state, expected in (("sick", 1), ("healthy", 0)):  # each alert has series of its own
        series = {name: values for cases in CASES.values() for name, values in cases[1 - expected].items()}
        fires = [f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)' for alert in CASES]
        sample = {"labels": "{}", "value": expected}
        tests.append(
            {
                "name": state,
                "interval": "2m",
                "input_series": [
                    {"series": f"reward_gateway_{name}", "values": values} for name, values in series.items()
                ],
                "promql_expr_test": [{"expr": expr, "eval_time": "110m", "exp_samples": [sample]} for expr in fires],
            }
        )
    file = tmp_path / "alerts.test.yaml"
    rules = {"rule_files": [str(FILE)], "evaluation_interval": "2m", "tests": tests}
    file.write_text(yaml.safe_dump(rules))
    assert "SUCCESS" in promtool("test", "rules", file)
