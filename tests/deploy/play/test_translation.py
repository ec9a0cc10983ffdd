"""Podman is given what helm rendered, but for the differences that one table explains."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.play.release import NAME, VALUES, render
from tests.deploy.play.translation import CHANGES, LEFT_OUT, Objects, parse_size

pytestmark = pytest.mark.skipif(not os.environ.get("HELM"), reason="helm is not there: make test-deploy")

SECRETS = [
    {"kind": "Secret", "metadata": {"name": name}, "stringData": {"url": "redis://:a@b"}} for name in ("redis", "all")
]
SETS = [("Deployment", NAME), ("StatefulSet", f"{NAME}-state"), ("Pod", f"{NAME}-test")]


@pytest.fixture(scope="module")
def objects() -> Objects:
    return Objects([*render(VALUES), *SECRETS])


def get_spec(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = objects.get(kind, name)["spec"]
    return spec if kind == "Pod" else dict(spec["template"]["spec"])


@pytest.mark.parametrize(("kind", "name"), SETS)
def test_what_the_table_does_not_name_is_played_as_it_was_rendered(objects: Objects, kind: str, name: str) -> None:
    spec = get_spec(objects, kind, name)
    played = objects.plan_pod(kind, name, Path("/volumes")).objects[-1]["spec"]
    changed = {key for key in {**spec, **played} if spec.get(key) != played.get(key)} - {"containers"}
    assert {f"spec.{key}" for key in changed} <= set(CHANGES) | {"spec.initContainers"}

    rendered = [*spec.get("initContainers", []), *spec["containers"]]
    for before, after in zip(rendered, played["containers"], strict=True):
        assert {key for key in {**before, **after} if before.get(key) != after.get(key)} <= LEFT_OUT


def test_a_container_has_the_pods_user_and_the_values_of_secrets(objects: Objects) -> None:
    (valkey,) = objects.plan_pod("StatefulSet", f"{NAME}-state", Path("/volumes")).objects[-1]["spec"]["containers"]
    assert valkey["securityContext"]["runAsUser"] == 999
    assert valkey["securityContext"]["readOnlyRootFilesystem"] is True
    gateway = objects.plan_pod("Deployment", NAME, Path("/volumes")).objects[-1]["spec"]["containers"][-1]
    values = {variable["name"]: variable["value"] for variable in gateway["env"]}
    assert values["REWARD_GATEWAY_REDIS_URL"] == "redis://:a@b"


def test_a_pod_has_the_names_of_its_services(objects: Objects) -> None:
    plan = objects.plan_pod("Deployment", NAME, Path("/volumes"), number=1)
    assert plan.name == f"{NAME}-1"
    assert plan.names == [NAME, f"{NAME}.rl", f"{NAME}.rl.svc", f"{NAME}.rl.svc.cluster.local"]


def test_what_cannot_be_played_is_refused(objects: Objects) -> None:
    spec = {"containers": [], "volumes": [{"name": "other", "nfs": {}}]}
    odd = {"kind": "Pod", "metadata": {"name": "odd", "labels": {}}, "spec": spec}
    with pytest.raises(ValueError, match="volume other"):
        Objects([odd]).plan_pod("Pod", "odd", Path("/volumes"))


@pytest.mark.parametrize(("text", "size"), [("64Mi", 1 << 26), ("9Gi", 9 << 30), ("1Ki", 1024)])
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size
