"""Reward health as metrics: counts that agree with the library's own, gauges of the window, closed labels."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from reward_gateway.sample import ComponentScores, Invalid, Scored
from reward_gateway.telemetry.buckets import SCORE
from reward_gateway.telemetry.instruments import Instruments
from reward_gateway.telemetry.metrics import Metrics


def value(metrics: Metrics, line: str) -> float | None:
    page = metrics.render().decode()
    return next((float(row.rsplit(" ", 1)[1]) for row in page.splitlines() if row.startswith(line)), None)


def scored(rows: int, mean: float = 0.0, recipe: str = "r") -> Scored:
    draw = np.random.default_rng(rows).normal(mean, size=(2, rows))
    return Scored(recipe, "v", draw[0], {"a": ComponentScores(draw[1], np.tanh(draw[1]))})


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics()
    made.rewards.register(["r"])
    made.components.register(["a"])
    made.flags.register(["master_key"])
    return made


@given(st.lists(st.one_of(st.floats(), st.sampled_from([*SCORE, np.nan, np.inf])), max_size=40))
def test_an_array_is_counted_as_its_values_one_by_one(values: list[float]) -> None:
    registry = CollectorRegistry()
    at_once = Instruments(registry).batch_histogram("scores", "s", SCORE)
    one_by_one = Histogram("single", "s", buckets=SCORE, registry=registry)
    at_once.observe_many(np.array(values, dtype=np.float64))
    for number in values:
        if np.isfinite(number):
            one_by_one.observe(number)
    (ours,), (theirs,) = at_once.collect(), one_by_one.collect()
    assert [s.value for s in ours.samples] == [s.value for s in theirs.samples]


def test_the_distribution_of_the_reward_and_of_every_component_is_counted(metrics: Metrics) -> None:
    batch = scored(400)
    metrics.batch_scored(None, batch)
    reward = 'reward_gateway_score_value_bucket{component="",le="0.0",reward="r"}'
    part = 'reward_gateway_score_value_bucket{component="a",le="0.5",reward="r"}'
    assert value(metrics, reward) == np.count_nonzero(batch.reward <= 0)
    assert value(metrics, part) == np.count_nonzero(batch.components["a"].value <= 0.5)
    assert value(metrics, reward) == np.count_nonzero(batch.reward <= 0), "a second scrape counts nothing twice"


def test_the_window_is_told_in_gauges(metrics: Metrics) -> None:
    batch = scored(400)
    batch.flags = {0: ("master_key",)}
    batch.invalid = {1: Invalid("guard", "caught"), 2: Invalid("guard", "caught")}
    metrics.batch_scored(None, batch, np.arange(400.0))
    valid = np.delete(batch.reward, [1, 2])
    of = 'component="",reward="r",stage="reward"'
    assert value(metrics, f'reward_gateway_score_window_value{{{of},statistic="mean"}}') == pytest.approx(valid.mean())
    assert value(metrics, f'reward_gateway_score_window_value{{{of},statistic="q0.5"}}') == pytest.approx(
        np.median(valid)
    )
    assert value(metrics, f'reward_gateway_score_drift{{component="",measure="psi",{of[13:]}') == 0
    assert value(metrics, 'reward_gateway_score_window_samples{reward="r"}') == 400
    assert value(metrics, 'reward_gateway_score_window_flagged_ratio{guard="master_key",reward="r"}') == 1 / 400
    assert value(metrics, 'reward_gateway_score_window_invalid_ratio{code="guard",reward="r"}') == 2 / 400
    assert value(metrics, 'reward_gateway_score_flags_total{guard="master_key",reward="r"}') == 1
    assert abs(value(metrics, 'reward_gateway_score_length_correlation{reward="r"}') or 0) < 0.2
    saturated = f"reward_gateway_score_saturated_ratio{{{of}}}"
    assert value(metrics, saturated) == 0.0


def test_drift_is_a_gauge_of_the_component_before_and_after_its_transforms(metrics: Metrics) -> None:
    for k in range(4):
        metrics.batch_scored(None, scored(1024 + k, mean=0.0 if k < 2 else 2.0))
    for stage in ("raw", "value"):
        of = f'component="a",measure="psi",reward="r",stage="{stage}"'
        assert (value(metrics, f"reward_gateway_score_drift{{{of}}}") or 0) > 0.25


def test_a_share_that_has_left_the_window_reads_0(metrics: Metrics) -> None:
    first = scored(10)
    first.flags = {0: ("master_key",)}
    metrics.batch_scored(None, first)
    share = 'reward_gateway_score_window_flagged_ratio{guard="master_key",reward="r"}'
    assert value(metrics, share) == 0.1
    metrics.batch_scored(None, scored(3000))
    assert value(metrics, share) == 0


def test_names_that_nobody_taught_are_other(metrics: Metrics) -> None:
    unknown = Scored("made up", "v", np.ones(1), {"invented": ComponentScores(np.ones(1), np.ones(1))})
    unknown.flags = {0: ("unheard of",)}
    metrics.batch_scored(None, unknown)
    page = metrics.render().decode()
    assert not any(name in page for name in ("made up", "invented", "unheard"))
    assert 'reward_gateway_score_flags_total{guard="other",reward="other"} 1.0' in page


WORKER = """
import sys
import numpy as np
from reward_gateway.sample import ComponentScores, Scored
from reward_gateway.telemetry.metrics import Metrics
metrics = Metrics()
metrics.rewards.register(["r"])
rows = int(sys.argv[1])
metrics.batch_scored(None, Scored("r", "v", np.full(rows, 0.5), {}))
print(metrics.render().decode())
"""


def test_of_several_workers_counts_are_summed_and_windows_are_the_last_ones(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def worker(rows: int) -> str:
        command = [sys.executable, "-c", WORKER, str(rows)]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    worker(3)
    page = worker(5)
    assert 'reward_gateway_score_value_bucket{component="",le="0.5",reward="r"} 8.0' in page
    assert 'reward_gateway_score_window_samples{reward="r"} 5.0' in page
