"""Custom resources of the chart, against the schemas that their operators publish (npm's @kubernetes-models)."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .test_chart import EVERYTHING, HELM, OPEN, objects
from .test_front_door import ROUTED
from .test_pools import WITH_POOLS

GROUPS = ("gateway.networking.k8s.io", "keda.sh", "monitoring.coreos.com")
NO_SCHEMA = {"LeaderWorkerSet", "ClientSettingsPolicy"}
"""Kinds whose schemas no package has."""

INSTALLED = Path(HELM).parent / "custom-resources"

SCALED: dict[str, Any] = OPEN | {
    "autoscaling": {"enabled": True, "kind": "keda"},
    "monitoring": {"prometheusUrl": "http://prometheus:9090"},
}

pytestmark = [
    pytest.mark.skipif(not HELM, reason="helm is not there: make test-deploy"),
    pytest.mark.skipif(
        shutil.which("node") is None or not (INSTALLED / "node_modules").is_dir(),
        reason="the schemas of custom resources need npm: apt-get install npm, rm -r .local/deploy, make test-deploy",
    ),
]


def list_custom(given: dict[str, Any]) -> list[dict[str, Any]]:
    return [made for made in objects(given).values() if made["apiVersion"].partition("/")[0] in GROUPS]


def find_faults(made: list[dict[str, Any]]) -> str:
    check = Path(__file__).with_name("check_custom_resources.mjs")
    program = [shutil.which("node") or "", str(check), str(INSTALLED)]
    done = subprocess.run(program, input=json.dumps(made), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (EVERYTHING, {"PodMonitor", "PrometheusRule"}),
        (ROUTED, {"HTTPRoute", "GRPCRoute", "ServiceMonitor"}),
        (WITH_POOLS, {"ScaledObject", "PodMonitor"}),
        (SCALED, {"ScaledObject"}),
    ],
    ids=["everything", "routed", "pools", "scaled"],
)
def test_their_operators_take_them(given: dict[str, Any], kinds: set[str]) -> None:
    made = list_custom(given)
    assert {each["kind"] for each in made} == kinds
    assert find_faults(made) == ""


def test_a_fault_is_found() -> None:
    (scaled,) = list_custom(SCALED)
    scaled["spec"]["minReplicaCount"] = "two"
    assert "minReplicaCount must be integer" in find_faults([scaled])


def test_every_custom_resource_is_checked_but_those_without_a_schema() -> None:
    for given in (EVERYTHING, ROUTED, WITH_POOLS, SCALED):
        custom = {made["kind"] for made in objects(given).values() if "." in made["apiVersion"].partition("/")[0]}
        of_kubernetes = {"Ingress", "NetworkPolicy"}
        assert custom - of_kubernetes - NO_SCHEMA == {made["kind"] for made in list_custom(given)}
