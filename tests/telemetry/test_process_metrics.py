"""What runs, what it serves, and which model servers answer, over one worker and several."""

import subprocess
import sys
from pathlib import Path

from reward_gateway.telemetry.metrics import Metrics

from tests.telemetry.test_metrics import value

TOLD_BY_TWO = """
import os, sys
from reward_gateway.telemetry.metrics import Metrics

metrics = Metrics()
metrics.process_started("1.0", "3.11")
metrics.recipes_loaded({"r": "1"})
metrics.triton_checked("t", True)
metrics.upstream_checked("u", "a", True)
metrics.upstream_checked("u", "b", True)
if pid := os.fork():
    os.waitpid(pid, 0)
    print(metrics.render().decode())
else:
    other = Metrics()
    other.process_started("1.0", "3.11")
    other.recipes_loaded({"r": "1"})
    other.recipes_loaded({"r": "2"})
    other.triton_checked("t", False)
    other.upstream_checked("u", "a", True)
    other.write()
    os._exit(0)
"""


def test_the_version_that_runs_is_a_label() -> None:
    metrics = Metrics()
    metrics.process_started("1.2.3", "3.12.1")
    assert value(metrics, 'reward_gateway_build_info{python="3.12.1",version="1.2.3"}') == 1


def test_versions_of_recipes_that_were_replaced_or_removed_read_0() -> None:
    metrics = Metrics()
    metrics.recipes_loaded({"a": "1", "b": "1"})
    metrics.recipes_loaded({"a": "2"})
    page = metrics.render().decode()
    found = {line.split(" ")[0]: line[-3:] for line in page.splitlines() if line.startswith("reward_gateway_recipe_")}
    assert found == {
        'reward_gateway_recipe_info{reward="a",version="1"}': "0.0",
        'reward_gateway_recipe_info{reward="a",version="2"}': "1.0",
        'reward_gateway_recipe_info{reward="b",version="1"}': "0.0",
    }
    metrics.recipes_loaded({"a": "1"})
    assert value(metrics, 'reward_gateway_recipe_info{reward="a",version="1"}') == 1, "rolled back"


def test_a_replica_that_has_left_its_upstream_is_neither_up_nor_down() -> None:
    metrics = Metrics()
    up = 'reward_gateway_upstream_up{replica="a:8000",upstream="u"} '
    for told, number in ((True, "1.0"), (False, "0.0"), (None, "NaN")):
        metrics.upstream_checked("u", "a:8000", told)
        assert up + number in metrics.render().decode()


def test_waits_are_counted_by_priority() -> None:
    metrics = Metrics()
    metrics.admission_passed("batch", 0.3)
    metrics.admission_passed("training", 0.0)
    bucket = 'reward_gateway_request_queue_seconds_bucket{{le="0.25",priority="{}"}}'
    assert [value(metrics, bucket.format(priority)) for priority in ("batch", "training")] == [0, 1]
    assert value(metrics, 'reward_gateway_request_queue_seconds_sum{priority="batch"}') == 0.3


def test_over_workers_versions_add_up_and_the_worst_look_counts(tmp_path: Path) -> None:
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", TOLD_BY_TWO], env=environment, capture_output=True, text=True)
    page = done.stdout.splitlines()
    for line in (
        'reward_gateway_build_info{python="3.11",version="1.0"} 1.0',
        'reward_gateway_recipe_info{reward="r",version="1"} 1.0',
        'reward_gateway_recipe_info{reward="r",version="2"} 1.0',
        'reward_gateway_triton_up{server="t"} 0.0',
        'reward_gateway_upstream_up{replica="a",upstream="u"} 1.0',
    ):
        assert line in page, done.stderr
