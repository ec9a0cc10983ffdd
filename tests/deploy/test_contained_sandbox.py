"""The sandbox for callers' code works in a container as Compose and the chart make it: no privilege has to be given."""

import json
import os
import platform
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT

USER = "10001"
"""The image's own."""

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the stand-in for the profile is of x86-64")


def run_contained(*words: str) -> dict[str, Any]:
    """What ``contained.py`` prints, run by a user without rights where this one may become another."""
    command = [sys.executable, "-m", "tests.deploy.contained", *words]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv (util-linux) is not there")
        keys = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "--bounding-set=-all")
        command = ["setpriv", *keys, "--inh-caps=-all", *command]
    path = os.pathsep.join(str(ROOT / name) for name in ("service", "models", "."))
    env = {"PATH": os.defpath, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("profile", ["", "without-landlock"], ids=["docker 23 or later", "an older docker"])
def test_programs_of_every_kind_run_where_the_default_profile_holds(profile: str) -> None:
    found = run_contained(*filter(None, [profile]))
    assert {"privileges", "seccomp", "childless"} <= set(found["in_force"])
    assert "namespaces" not in found["in_force"], "the profile refuses to unshare"
    if profile:
        assert "landlock" not in found["in_force"]
    assert found["ended"]["python"]["value"] == 42
    assert found["ended"]["sql"]["value"] == [[42]]
    assert [passed for passed, _ in found["ended"]["unit_tests"]["value"]] == [True, False]
    assert found["ended"]["stdio"]["value"] == [[True, None]]
