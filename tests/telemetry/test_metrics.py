"""Metrics: what each observer counts, labels that stay closed, and workers that are summed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from reward_gateway.observer import BreakerState
from reward_gateway.sample import ComponentScores, Invalid, Scored
from reward_gateway.telemetry.labels import OTHER, Names
from reward_gateway.telemetry.metrics import Metrics


def value(metrics: Metrics, line: str) -> float:
    page = metrics.render().decode()
    return next((float(row.rsplit(" ", 1)[1]) for row in page.splitlines() if row.startswith(line)), 0.0)


def test_a_label_is_one_of_the_names_known_beforehand() -> None:
    names = Names(["a"])
    names.register(["b"])
    assert [names.known_or_other(given) for given in ("a", "b", "c", "")] == ["a", "b", OTHER, OTHER]


def test_model_calls_are_counted_by_the_models_that_are_known() -> None:
    metrics = Metrics()
    metrics.models.register(["text_preference"])
    for name in ("text_preference", "a name that a caller made up"):
        metrics.rows_queued(name, 7)
        metrics.model_call_started(name, 5)
        assert (
            value(metrics, f'reward_gateway_model_calls_in_flight{{model="{metrics.models.known_or_other(name)}"}}')
            == 1
        )
        metrics.model_call_finished(name, 5, 0.2, "ok")
    assert value(metrics, 'reward_gateway_model_calls_total{model="text_preference",outcome="ok"}') == 1
    assert value(metrics, 'reward_gateway_model_rows_total{model="text_preference"}') == 5
    assert value(metrics, 'reward_gateway_model_call_duration_seconds_sum{model="text_preference"}') == pytest.approx(
        0.2
    )
    assert value(metrics, 'reward_gateway_model_call_rows_bucket{le="8.0",model="text_preference"}') == 1
    assert value(metrics, 'reward_gateway_model_rows_queued{model="text_preference"}') == 7
    assert value(metrics, 'reward_gateway_model_calls_total{model="other",outcome="ok"}') == 1
    assert "made up" not in metrics.render().decode()


def test_a_call_that_failed_is_counted_by_the_reason_of_the_closed_set() -> None:
    metrics = Metrics()
    for outcome in ("model_unavailable", "cancelled", "a text of somebody's"):
        metrics.model_call_finished("m", 1, 0.1, outcome)
    for outcome in ("model_unavailable", "cancelled", "other"):
        assert value(metrics, f'reward_gateway_model_calls_total{{model="other",outcome="{outcome}"}}') == 1


def test_rates_that_are_checked_without_the_store_of_state_are_counted() -> None:
    metrics = Metrics()
    metrics.rates_breaker_changed("open")
    metrics.rate_checked_alone()
    assert value(metrics, "reward_gateway_rates_alone ") == 1
    assert value(metrics, "reward_gateway_rates_checked_alone_total ") == 1
    metrics.rates_breaker_changed("closed")
    assert value(metrics, "reward_gateway_rates_alone ") == 0


def test_the_cache_is_counted_by_level_and_fault() -> None:
    metrics = Metrics()
    metrics.cache_looked_up("redis", 3, 2, 0.001)
    metrics.cache_looked_up("redis", 0, 2, None)
    metrics.cache_failed("get", "timeout")
    metrics.cache_failed("put", "full")
    metrics.cache_corrupt(1)
    metrics.cache_written(4, 0.001)
    metrics.cache_dropped(9)
    assert value(metrics, 'reward_gateway_cache_lookups_total{level="redis",result="hit"}') == 3
    assert value(metrics, 'reward_gateway_cache_lookups_total{level="redis",result="miss"}') == 4
    assert value(metrics, 'reward_gateway_cache_call_duration_seconds_count{level="redis",operation="get"}') == 1
    assert value(metrics, 'reward_gateway_cache_errors_total{kind="timeout",operation="get"}') == 1
    assert value(metrics, 'reward_gateway_cache_errors_total{kind="full",operation="put"}') == 1
    assert value(metrics, "reward_gateway_cache_corrupt_total") == 1
    assert value(metrics, "reward_gateway_cache_writes_total") == 4
    assert value(metrics, "reward_gateway_cache_writes_dropped_total") == 9


@pytest.mark.parametrize(("state", "shown"), [("open", 1), ("half_open", 1), ("closed", 0)])
def test_the_breaker_shows_whether_the_cache_is_left_alone(state: BreakerState, shown: int) -> None:
    metrics = Metrics()
    metrics.cache_breaker_changed("open")
    metrics.cache_breaker_changed(state)
    assert value(metrics, "reward_gateway_cache_breaker_open") == shown


def test_the_gate_shows_who_is_in_who_waits_and_who_was_refused() -> None:
    metrics = Metrics()
    metrics.admission_changed(3, 2)
    metrics.admission_queue_changed({"interactive": 0, "training": 2, "batch": 0}, 1.5)
    metrics.admission_rejected("queue_full")
    assert value(metrics, 'reward_gateway_admission_queued{priority="training"}') == 2
    assert value(metrics, "reward_gateway_admission_predicted_wait_seconds") == 1.5
    assert value(metrics, "reward_gateway_requests_in_flight") == 3
    assert value(metrics, "reward_gateway_requests_queued") == 2
    assert value(metrics, 'reward_gateway_admission_rejected_total{reason="queue_full"}') == 1


def test_a_scored_batch_is_counted_by_recipe_reason_and_flag() -> None:
    metrics = Metrics()
    metrics.rewards.register(["helpful"])
    metrics.flags.register(["truncated"])
    scored = Scored(
        "helpful",
        "v",
        np.array([0.0, np.nan, np.nan]),
        {},
        invalid={1: Invalid("missing_field", "no response"), 2: Invalid("missing_field", "no response")},
        flags={0: ("truncated", "something unheard of")},
    )
    metrics.batch_scored(None, scored)
    assert value(metrics, 'reward_gateway_samples_total{reward="helpful"}') == 3
    assert value(metrics, 'reward_gateway_samples_invalid_total{code="missing_field"}') == 2
    assert value(metrics, 'reward_gateway_sample_flags_total{guard="truncated"}') == 1
    assert value(metrics, 'reward_gateway_sample_flags_total{guard="other"}') == 1


def test_verdicts_are_counted_by_name_and_what_is_no_known_name_is_other() -> None:
    metrics = Metrics()
    metrics.rewards.register(["math"])
    metrics.components.register(["correct"])
    metrics.verdicts.register(["by_exact", "several_answers"])
    verdicts = {
        "by_exact": np.array([1.0, 1.0, 0.0]),
        "several_answers": np.zeros(3),
        "what a caller wrote": np.array([0.0, 0.0, 1.0]),
    }
    numbers = np.array([1.0, 0.0, 0.0])
    scored = Scored("math", "v", numbers, {"correct": ComponentScores(numbers, numbers, verdicts=verdicts)})
    metrics.batch_scored(None, scored)
    counted = 'reward_gateway_score_verdicts_total{component="correct",reward="math",verdict='
    assert value(metrics, f'{counted}"by_exact"}}') == 2
    assert value(metrics, f'{counted}"other"}}') == 1
    page = metrics.render().decode()
    assert "what a caller wrote" not in page
    assert 'verdict="several_answers"' not in page


WORKER = """
from reward_gateway.telemetry.metrics import Metrics
metrics = Metrics()
metrics.request_answered("http", "/v1/score", "200", 0.01)
metrics.admission_changed(2, 0)
page = metrics.render().decode()
import sys
if sys.argv[1] == "show":
    print(page)
    assert metrics.is_shared
    print([(sample.labels["status"], sample.value) for sample in metrics.read_counters("requests_total")])
"""


def test_several_workers_are_summed(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def worker(what: str) -> str:
        done = subprocess.run([sys.executable, "-c", WORKER, what], env=env, capture_output=True, text=True, check=True)
        return done.stdout

    worker("count")
    worker("count")
    page = worker("show")
    assert 'reward_gateway_requests_total{protocol="http",route="/v1/score",status="200"} 3.0' in page
    assert 'reward_gateway_request_duration_seconds_count{protocol="http",route="/v1/score"} 3.0' in page
    assert "reward_gateway_requests_in_flight 6.0" in page
    assert "[('200', 3.0)]" in page


def test_one_workers_counters_are_read_by_their_names() -> None:
    metrics = Metrics()
    metrics.request_answered("http", "/v1/score", "200", 0.01)
    metrics.cache_looked_up("memory", 2, 1, None)
    assert not metrics.is_shared
    assert {sample.name for sample in metrics.read_counters("requests_total")} == {"reward_gateway_requests_total"}
    assert sum(sample.value for sample in metrics.read_counters("cache_lookups_total")) == 3
