"""The scripts of the guide to trackers copy every row of a run once; with the trackers that are installed here."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from reward_gateway.client import RewardClient, flatten_row

from tests.client.conftest import Service
from tests.conftest import ROOT

GUIDE = (ROOT / "service/reward_gateway/client/adapters/guides/runs.md").read_text()
SCRIPTS = dict(re.findall(r"^```python file=(\S+)\n(.*?)^```$", GUIDE, flags=re.M | re.S))
PACKAGES = {"to_tensorboard.py": "tensorboardX", "to_mlflow.py": "mlflow", "to_wandb.py": "wandb"}


def test_a_row_is_flattened_without_what_is_not_known() -> None:
    row = {
        "step": 3, "n": 4, "invalid": 1, "flagged": 0, "mean": 0.5, "std": None, "quantiles": {"0.5": 0.5},
        "components": {"a": {"mean": 1.0, "std": 0.0}, "b": {"mean": None, "std": None}}, "advantage": None,
        "zero_variance_share": 0.0, "length_correlation": None,
    }  # fmt: skip
    assert flatten_row(row) == {
        "samples": 4.0, "mean": 0.5, "quantile/0.5": 0.5, "component/a": 1.0, "zero_variance_share": 0.0,
        "invalid_share": 0.25, "flagged_share": 0.0,
    }  # fmt: skip


def test_the_guide_has_a_script_for_each() -> None:
    assert SCRIPTS.keys() == PACKAGES.keys()
    for name, script in SCRIPTS.items():
        compile(script, name, "exec")


@pytest.mark.parametrize("script", PACKAGES)
def test_every_row_is_copied_once(service: Service, tmp_path: Path, script: str) -> None:
    if importlib.util.find_spec(PACKAGES[script]) is None:
        pytest.skip(f"{PACKAGES[script]} is not installed")
    (tmp_path / script).write_text(SCRIPTS[script])
    env = {
        **os.environ,
        "REWARD_GATEWAY_URL": service.url,
        "WANDB_MODE": "offline",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    name = script.replace(".", "-")
    with RewardClient(service.url, run=name) as client:
        for begin, end in ((0, 3), (3, 5)):
            for step in range(begin, end):
                client.score("p", ["one two", "one"], step=step)
            command = [sys.executable, script, name, "out"]
            done = subprocess.run(command, cwd=tmp_path, env=env, text=True, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            if script != "to_wandb.py":  # offline it does not know what it has sent before
                assert f"{end - begin} rows of {name}" in done.stdout
