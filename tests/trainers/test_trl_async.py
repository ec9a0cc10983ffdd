"""TRL's asynchronous trainer sends reward functions to another process, and calls them there."""

import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.conftest import Service, serving
from tests.conftest import ROOT

RECIPES = """
rewards:
  right:
    components: {answer: {score: token_f1}}
default: right
"""


@pytest.fixture
def service() -> Iterator[Service]:
    yield from serving(RECIPES)


def test_the_asynchronous_trainer_scores_a_group_in_its_own_process(service: Service) -> None:
    variables = {"PYTHONPATH": str(ROOT / "service"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    script = str(Path(__file__).with_name("async_rollouts.py"))
    command = [os.environ["TRAINERS_PYTHON"], script, service.url, "right"]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    right, wrong, partly, unscored = json.loads(done.stdout.splitlines()[-1])
    # Twice the same recipe, once by a request and once by a job; TRL adds the two up.
    assert (right["rewards/right"], wrong["rewards/right"], right["reward"]) == (1.0, 0.0, 2.0)
    assert 0.0 < partly["rewards/right"] < 1.0
    assert math.isnan(unscored["reward"])
    assert unscored["advantage"] == 0.0
    assert right["advantage"] > partly["advantage"] > wrong["advantage"]
    assert {path for path, _ in service.requests} >= {"/v1/score", "/v1/jobs"}
