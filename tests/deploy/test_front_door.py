"""The chart's routes, policies, stores elsewhere and canaries, and an upgrade from the values of the chart before."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from reward_gateway.settings import Settings

from .test_chart import EVERYTHING, HELM, OPEN, Made, environment, objects, values

pytestmark = pytest.mark.skipif(not HELM, reason="helm is not there: make test-deploy")

ROUTED: dict[str, Any] = OPEN | {
    "routes": {
        "parentRefs": [{"name": "public", "namespace": "gateways"}],
        "hostnames": ["rewards.example"],
        "http": {"enabled": True, "timeout": "300s"},
        "grpc": {"enabled": True, "hostnames": ["grpc.rewards.example"]},
        "nginxClientSettings": {"enabled": True},
    },
    "networkPolicy": {"ingressNamespace": "gateways", "prometheusNamespace": "monitoring"},
    "monitoring": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
}
FULL = "rg-reward-gateway"


def find_allowed(made: Made) -> dict[str, list[str]]:
    """Who may reach the gateway: namespace or component -> ports."""
    allowed: dict[str, list[str]] = {}
    for rule in made["NetworkPolicy", FULL]["spec"]["ingress"]:
        for source in rule["from"]:
            space = source.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
            component = source.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/component")
            allowed[space or component or "this namespace"] = [port["port"] for port in rule["ports"]]
    return allowed


def test_routes_lead_to_the_ports_of_the_service() -> None:
    made = objects(ROUTED)
    ports = {port["name"]: port["port"] for port in made["Service", FULL]["spec"]["ports"]}
    http, grpc = made["HTTPRoute", FULL]["spec"], made["GRPCRoute", FULL]["spec"]
    assert http["rules"][0]["backendRefs"] == [{"name": FULL, "port": ports["http"]}]
    assert http["rules"][0]["timeouts"] == {"request": "300s", "backendRequest": "300s"}
    assert grpc["rules"][0]["backendRefs"] == [{"name": FULL, "port": ports["grpc"]}]
    assert (http["hostnames"], grpc["hostnames"]) == (["rewards.example"], ["grpc.rewards.example"])
    assert http["parentRefs"] == grpc["parentRefs"] == [{"name": "public", "namespace": "gateways"}]
    sizes = {name: made["ClientSettingsPolicy", name]["spec"] for kind, name in made if kind == "ClientSettingsPolicy"}
    assert {spec["targetRef"]["kind"]: spec["body"]["maxSize"] for spec in sizes.values()} == {
        "HTTPRoute": "64m",
        "GRPCRoute": "64m",
    }


def test_grpc_has_an_ingress_of_its_own() -> None:
    ingress = {"enabled": True, "host": "a.example", "grpcHost": "grpc.a.example"}
    made = objects(OPEN | {"ingress": ingress, "networkPolicy": {"ingressNamespace": "nginx"}})
    for name, host, port in ((FULL, "a.example", "http"), (f"{FULL}-grpc", "grpc.a.example", "grpc")):
        (rule,) = made["Ingress", name]["spec"]["rules"]
        assert rule["host"] == host
        assert rule["http"]["paths"][0]["backend"]["service"]["port"] == {"name": port}
        assert made["Ingress", name]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"] == "64m"


def test_the_controller_prometheus_and_the_tests_of_the_release_are_let_in() -> None:
    assert find_allowed(objects(ROUTED)) == {
        "this namespace": ["http", "grpc"],
        "gateways": ["http", "grpc"],
        "test": ["http", "grpc"],
        "monitoring": ["http", "triton-metrics"],
    }


def test_the_service_monitor_selects_the_service() -> None:
    made = objects(ROUTED)
    monitor = made["ServiceMonitor", FULL]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= made["Service", FULL]["metadata"]["labels"].items()
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["rl"]}


def test_gateways_scale_by_the_requests_that_prometheus_counts() -> None:
    scaling = {"enabled": True, "kind": "keda", "minReplicas": 2, "maxReplicas": 20}
    made = objects(OPEN | {"autoscaling": scaling, "monitoring": {"prometheusUrl": "http://p:9090"}})
    scaled = made["ScaledObject", FULL]["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 20)
    assert [trigger["metadata"]["serverAddress"] for trigger in scaled["triggers"]] == ["http://p:9090"] * 2
    assert ("HorizontalPodAutoscaler", FULL) not in made


def test_stores_elsewhere_are_opened_by_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    auth = {"existingSecret": "redis", "usernameKey": "user", "passwordKey": "password", "sentinelPasswordKey": "watch"}
    made = objects(
        OPEN
        | {
            "valkey": {
                "enabled": False,
                "url": "rediss+cluster://a:1,b:2",
                "auth": auth,
                "tls": {"existingSecret": "certificates", "ca": "ca.crt", "certificate": "tls.crt", "key": "tls.key"},
            },
            "state": {"enabled": False, "url": "redis+sentinel://s:1/main", "auth": auth, "replicas": 1},
        }
    )
    pod = made["Deployment", FULL]["spec"]["template"]["spec"]
    given = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
    for store in ("REDIS", "STATE_REDIS"):
        for part, key in (("USERNAME", "user"), ("PASSWORD", "password"), ("SENTINEL_PASSWORD", "watch")):
            secret = given[f"REWARD_GATEWAY_{store}_{part}"]["valueFrom"]["secretKeyRef"]
            assert secret == {"name": "redis", "key": key}
            monkeypatch.setenv(f"REWARD_GATEWAY_{store}_{part}", key)
    for name, entry in given.items():
        if "value" in entry:
            monkeypatch.setenv(name, entry["value"])
    settings = Settings()
    assert settings.redis_address is not None
    assert settings.state_address is not None
    assert settings.redis_address.access.ca == Path("/etc/reward-gateway-valkey-tls/ca.crt")
    assert (settings.state_address.kind, settings.state_replicas) == ("sentinel", 1)
    assert settings.state_address.access.sentinel_password == "watch"
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["valkey-tls"] == "/etc/reward-gateway-valkey-tls"
    assert pod["securityContext"]["fsGroup"] == 10001


def test_a_value_promotes_a_canary_or_rolls_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for weight in (0, 0.25, 1):
        variable = environment(objects(OPEN | {"canary": {"helpful": weight}}))["REWARD_GATEWAY_CANARY_WEIGHTS"]
        monkeypatch.setenv("REWARD_GATEWAY_CANARY_WEIGHTS", variable)
        assert Settings().canary_weights == {"helpful": weight}
    assert "REWARD_GATEWAY_CANARY_WEIGHTS" not in environment(objects(OPEN))


def test_a_release_scores_one_sample_by_http_and_grpc() -> None:
    pod = objects(OPEN)["Pod", f"{FULL}-score"]
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["containers"][0]["command"][-2:] == [f"http://{FULL}:8080", f"grpc://{FULL}:8081"]
    asked = {"helmTest": {"existingSecret": "key", "ca": "ca.crt"}, "networkPolicy": EVERYTHING["networkPolicy"]}
    pod = objects(EVERYTHING | asked)["Pod", f"{FULL}-score"]
    assert pod["spec"]["containers"][0]["command"][-2:] == [f"https://{FULL}:8080", f"grpcs://{FULL}:8081"]
    secret = {"name": "key", "key": "api-key"}
    assert pod["spec"]["containers"][0]["env"][1]["valueFrom"]["secretKeyRef"] == secret
    assert ("Pod", f"{FULL}-score") not in objects(EVERYTHING), "it has no key that it could use"


def test_an_upgrade_with_the_values_of_the_chart_before_changes_no_object() -> None:
    before = yaml.safe_load(Path(__file__).with_name("values-0.1.0.yaml").read_text())
    for given in (OPEN, EVERYTHING):
        assert objects(merge(before, given)) == objects(given)  # as --reset-then-reuse-values has them


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = merge(merged[name], value) if both else value
    return merged


def test_values_that_were_there_before_are_still_there() -> None:
    before = yaml.safe_load(Path(__file__).with_name("values-0.1.0.yaml").read_text())
    assert find_lost(before, values()) == []


def find_lost(old: dict[str, Any], new: dict[str, Any], place: str = "") -> list[str]:
    lost = []
    for name, value in old.items():
        at = f"{place}.{name}".strip(".")
        if name not in new:
            lost.append(at)
        elif isinstance(value, dict) and value:
            lost += find_lost(value, new[name], at)
        elif value != new[name]:
            lost.append(f"{at}: {value} became {new[name]}")
    return lost
