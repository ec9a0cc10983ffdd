"""The Helm chart: what is rendered is valid, hardened and fits together; what cannot work is refused in words.

`make test-deploy` renders it with helm and holds it against the schemas of Kubernetes; what needs neither runs always.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from reward_gateway.backends.workers.pool import MEMORY
from reward_gateway.recipes.book import load_book
from reward_gateway.settings import Settings
from reward_gateway.traffic.keys import ApiKey

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/reward-gateway"
HELM = os.environ.get("HELM", "")
VARIABLES = {f"REWARD_GATEWAY_{name.upper()}" for name in Settings.model_fields}
KEY = {
    "name": "trainer",
    "sha256": "0" * 64,
    "rights": ["score"],
    "rate": "600/minute",
    "tenant": "team-a",
    "priority": "batch",
}
OPEN: dict[str, Any] = {"auth": {"allowUnauthenticated": True}}

EVERYTHING: dict[str, Any] = {
    "auth": {"keys": [KEY]},
    "gateway": {
        "image": {"repository": "registry.example/gateway", "digest": f"sha256:{'a' * 64}"},
        "workers": 2,
        "settings": {
            "max_body_bytes": 1 << 30,
            "default_deadline_s": 2.5,
            "media_urls": True,
            "dialect_failures": {"openrlhf": -1},
            "log_level": "debug",
        },
        "tls": {"existingSecret": "certificate", "clientCa": "ca.crt"},
        "env": [{"name": "REWARD_GATEWAY_CACHE_TTL_S", "value": "60"}],
        "volumes": [{"name": "databases", "persistentVolumeClaim": {"claimName": "spider"}}],
        "volumeMounts": [{"name": "databases", "mountPath": "/databases", "readOnly": True}],
    },
    "rewards": {"rewards": {"short": {"components": {"a": {"score": "length_penalty"}}}}},
    "judges": {"existingSecret": "judges"},
    "upstreams": {"existingSecret": "upstreams"},
    "triton": {"models": ["text_preference"], "args": ["--log-verbose=1"], "gpu": {"count": 1}},
    "ingress": {
        "enabled": True,
        "host": "rewards.example",
        "className": "nginx",
        "tls": [{"hosts": ["rewards.example"]}],
    },
    "autoscaling": {"enabled": True},
    "networkPolicy": {"from": [{"namespaceSelector": {}}], "metricsFrom": [{"namespaceSelector": {}}]},
    "monitoring": {
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True, "labels": {"team": "rl"}},
        "grafanaDashboard": {"enabled": True},
    },
    "imagePullSecrets": [{"name": "pull"}],
    "podLabels": {"team": "rl"},
    "podAnnotations": {"example.org/note": "yes"},
    "nodeSelector": {"gpu": "yes"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    "priorityClassName": "high",
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}],
}
GIVEN: dict[str, Any] = {
    "models": ("a", "b"),
    "gpus": (0, 3),
    "allowed_hosts": ("rewards.example", "*.example.org"),
    "media_url_ports": (443, 8443),
    "max_body_bytes": 1 << 31,
    "min_body_rate": 0.5,
    "math_processes": 3,
    "sandbox_processes": 5,
    "media_urls": True,
    "dialect_failures": {"nemo_gym": "error", "openrlhf": -1.5},
    "otlp_endpoint": "http://traces:4317",
}
"""Settings of every form, none at its default."""
ELSEWHERE: dict[str, Any] = OPEN | {
    "triton": {"enabled": False, "url": "triton.models:8001"},
    "valkey": {"enabled": False, "existingSecret": "redis"},
    "state": {"enabled": False},
    "serviceAccount": {"create": False},
    "networkPolicy": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
}


def set_by_the_chart() -> set[str]:
    """Settings that have values of their own in the chart."""
    refused = re.search(r"has \$name \(list (.*?)\)", (CHART / "templates/_helpers.tpl").read_text())
    assert refused is not None
    return set(re.findall(r'"(\w+)"', refused[1]))


SET_BY_THE_CHART = set_by_the_chart()


def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


class TestWithoutHelm:
    def test_the_values_are_what_their_schema_says(self) -> None:
        schema = json.loads((CHART / "values.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        jsonschema.validate(values(), schema)
        assert set(schema["properties"]) - {"global"} == set(values())

    def test_every_variable_of_ours_is_a_setting(self) -> None:
        named = set(re.findall(r"\b(REWARD_GATEWAY_[A-Z_]+)\b", (CHART / "templates/gateway.yaml").read_text()))
        assert named - {"REWARD_GATEWAY_"} <= VARIABLES
        assert set(Settings.model_fields) >= SET_BY_THE_CHART

    def test_triton_starts_as_its_image_would(self) -> None:
        image = re.search(
            r'^CMD \["tritonserver", (.*?)\]$', (ROOT / "Dockerfile").read_text(), re.DOTALL | re.MULTILINE
        )
        assert image is not None
        flags = set(re.findall(r'"(--[^"]+)"', image[1])) - {"--load-model=*"}
        assert flags
        assert all(f"- {flag}\n" in (CHART / "templates/gateway.yaml").read_text() for flag in flags)

    def test_there_is_time_for_what_is_under_way(self) -> None:
        assert values()["shutdown"]["drainSeconds"] == Settings.model_fields["drain_s"].default

    def test_the_dashboard_and_the_alerts_are_those_that_are_tested(self) -> None:
        assert (CHART / "files/reward-gateway.json").resolve() == ROOT / "deploy/grafana/reward-gateway.json"
        assert (CHART / "files/alerts.yaml").resolve() == ROOT / "deploy/prometheus/alerts.yaml"

    def test_the_memory_limit_holds_what_callers_may_have_the_gateway_take(self) -> None:
        gateway = values()["gateway"]
        settings = Settings(**gateway["settings"])
        limit = int(gateway["resources"]["limits"]["memory"].removesuffix("Gi")) << 30
        assert settings.math_processes is not None
        assert settings.sandbox_processes is not None
        taken = settings.max_body_bytes_in_flight + settings.compute_processes * settings.compute_memory
        taken += settings.math_processes * MEMORY + settings.sandbox_processes * settings.sandbox_memory
        assert gateway["workers"] * (taken + (1 << 30)) <= limit, (
            "and a GiB for what each worker and its processes need"
        )

    def test_every_setting_is_one_of_the_chart_or_may_be_given_by_its_name(self) -> None:
        pattern = json.loads((CHART / "values.schema.json").read_text())["properties"]["gateway"]["properties"][
            "settings"
        ]["propertyNames"]["pattern"]
        template = (CHART / "templates/gateway.yaml").read_text()
        helpers = (CHART / "templates/_helpers.tpl").read_text()
        opened = {  # for both stores, by rg.redisAccess
            *re.findall(r"REWARD_GATEWAY_{{ \$prefix }}_([A-Z]+)", helpers),
            *re.findall(r'"((?:SENTINEL_)?(?:USERNAME|PASSWORD))"', helpers),
        }
        variables = {f"REWARD_GATEWAY_{store}_{part}" for store in ("REDIS", "STATE_REDIS") for part in opened}
        for name in Settings.model_fields:
            if name in SET_BY_THE_CHART:
                assert f"REWARD_GATEWAY_{name.upper()}" in template + " ".join(variables)
            assert re.match(pattern, name)


def render(given: dict[str, Any], name: str = "rg") -> str:
    done = subprocess.run(
        [HELM, "template", name, str(CHART), "--namespace", "rl", "--values", "-"],
        input=yaml.safe_dump(given),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr)
    return done.stdout


def objects(given: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    found = [made for made in yaml.safe_load_all(render(given)) if made]
    return {(made["kind"], made["metadata"]["name"]): made for made in found}


@pytest.mark.skipif(not HELM, reason="helm is not there: make test-deploy")
class TestRendered:
    @pytest.mark.parametrize("given", [OPEN, EVERYTHING, ELSEWHERE], ids=["open", "everything", "elsewhere"])
    @pytest.mark.parametrize("version", ["1.29", "1.34", "1.37"])
    def test_kubernetes_takes_it(self, given: dict[str, Any], version: str, tmp_path: Path) -> None:
        (tmp_path / "all.yaml").write_text(
            "\n---\n".join(
                yaml.safe_dump(made) for (kind, _), made in objects(given).items() if kind not in OF_AN_OPERATOR
            )
        )
        program = Path(HELM).parent / "bin/kubernetes-validate"
        argv = [str(program), "--strict", "-k", version, str(tmp_path / "all.yaml")]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Deployment" in (tmp_path / "all.yaml").read_text()

    def test_helm_finds_nothing_to_say(self, tmp_path: Path) -> None:
        (tmp_path / "values.yaml").write_text(yaml.safe_dump(EVERYTHING))
        argv = [HELM, "lint", "--strict", str(CHART), "--values", str(tmp_path / "values.yaml")]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize("given", [OPEN, EVERYTHING, ELSEWHERE], ids=["open", "everything", "elsewhere"])
    def test_every_container_is_hardened_and_says_whether_it_is_well(self, given: dict[str, Any]) -> None:
        pods = [made["spec"]["template"]["spec"] for (kind, _), made in objects(given).items() if kind in SETS]
        containers = [c for pod in pods for c in (*pod["containers"], *pod.get("initContainers", ()))]
        assert len(containers) == (1 if given is ELSEWHERE else 4)
        for pod in pods:
            assert pod["automountServiceAccountToken"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert {"startupProbe", "livenessProbe"} <= set(container)
            assert container["resources"]["limits"]["memory"]

    def test_triton_and_valkey_are_reached_by_gateways_alone(self) -> None:
        made = objects(EVERYTHING)
        triton = made["Deployment", "rg-reward-gateway"]["spec"]["template"]["spec"]["initContainers"][0]
        assert {"--http-address=127.0.0.1", "--grpc-address=127.0.0.1"} <= set(triton["command"])
        gateway = made["Deployment", "rg-reward-gateway"]["spec"]["selector"]
        for name in ("rg-reward-gateway-valkey", "rg-reward-gateway-state"):
            policy = made["NetworkPolicy", name]["spec"]
            assert [rule["from"] for rule in policy["ingress"]] == [[{"podSelector": gateway}]]
            assert policy["podSelector"]["matchLabels"].items() <= labels(made, "StatefulSet", name)

    def test_scores_may_be_evicted_and_state_may_not_and_is_written_to_its_volume(self) -> None:
        made = objects(EVERYTHING)

        def command(name: str) -> list[str]:
            pod = made["StatefulSet", name]["spec"]["template"]["spec"]
            words: list[str] = pod["containers"][0]["command"]
            return words

        cache, state = command("rg-reward-gateway-valkey"), command("rg-reward-gateway-state")
        assert cache[cache.index("--maxmemory-policy") + 1] == "volatile-lru"
        assert state[state.index("--maxmemory-policy") + 1] == "noeviction"
        assert state[state.index("--appendonly") + 1] == "yes"
        for words in (cache, state):
            assert words[words.index("--protected-mode") + 1] == "no", "gateways are other pods, and give no password"
        assert made["StatefulSet", "rg-reward-gateway-state"]["spec"]["volumeClaimTemplates"]

    def test_services_find_the_pods_and_ports_that_they_name(self) -> None:
        made = objects(EVERYTHING)
        sets = ("rg-reward-gateway-valkey", "rg-reward-gateway-state")
        for name, kind in (("rg-reward-gateway", "Deployment"), *((name, "StatefulSet") for name in sets)):
            service, pod = made["Service", name]["spec"], made[kind, name]["spec"]["template"]["spec"]
            assert service["selector"].items() <= labels(made, kind, name)
            ports = {port["name"] for port in pod["containers"][0]["ports"]}
            assert {port["targetPort"] for port in service["ports"]} <= ports
        assert made[SCALER]["spec"]["scaleTargetRef"]["name"] == "rg-reward-gateway"
        assert "replicas" not in made["Deployment", "rg-reward-gateway"]["spec"], "the autoscaler says how many"

    def test_the_gateway_reads_what_the_values_say(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = objects(EVERYTHING)
        variables = environment(made)
        assert set(variables) <= VARIABLES
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings = Settings()
        assert (settings.max_body_bytes, settings.default_deadline_s) == (1 << 30, 2.5)
        assert (settings.media_urls, settings.workers) == (True, 2)
        assert settings.dialect_failures == {"openrlhf": -1}
        assert (settings.cache_ttl_s, settings.log_level) == (60, "debug")
        assert (settings.triton_url, settings.redis_url) == (
            "127.0.0.1:8001",
            "redis://rg-reward-gateway-valkey:6379/0",
        )
        assert settings.state_redis_url == "redis://rg-reward-gateway-state:6379/0"
        keys = yaml.safe_load(made["Secret", "rg-reward-gateway-keys"]["stringData"]["api-keys.yaml"])["keys"]
        assert [ApiKey.model_validate(key).name for key in keys] == ["trainer"]
        recipes = made["ConfigMap", "rg-reward-gateway-rewards"]["data"]["rewards.yaml"]
        assert list(load_book(recipes).plans) == ["short"]
        rules = made["PrometheusRule", "rg-reward-gateway"]
        assert rules["spec"] == yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
        assert rules["metadata"]["labels"]["team"] == "rl"
        dashboard = made["ConfigMap", "rg-reward-gateway-dashboard"]["data"]["reward-gateway.json"]
        assert json.loads(dashboard)["uid"] == "reward-gateway"

    def test_every_setting_arrives_as_it_was_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wanted = Settings.model_validate(GIVEN)
        names = set(Settings.model_fields) - SET_BY_THE_CHART
        given = {name: value for name, value in wanted.model_dump(mode="json").items() if name in names and value}
        given["otlp_endpoint"] = "http://traces:4317"  # a secret is not dumped
        assert set(GIVEN) <= set(given)
        for name, value in environment(objects(OPEN | {"gateway": {"settings": given}})).items():
            if name.removeprefix("REWARD_GATEWAY_").lower() in names:
                monkeypatch.setenv(name, value)
        arrived = Settings()
        assert {name: getattr(arrived, name) for name in names} == {name: getattr(wanted, name) for name in names}

    def test_tls_is_spoken_by_all_who_ask_the_gateway(self) -> None:
        made = objects(EVERYTHING)
        given, folder = environment(made), "/etc/reward-gateway-tls"
        files = [given[f"REWARD_GATEWAY_TLS_{name}"] for name in ("CERTIFICATE", "KEY", "CLIENT_CA")]
        assert files == [f"{folder}/{name}" for name in ("tls.crt", "tls.key", "ca.crt")]
        pod = made["Deployment", "rg-reward-gateway"]["spec"]["template"]["spec"]
        assert {"name": "tls", "mountPath": folder, "readOnly": True} in pod["containers"][0]["volumeMounts"]
        secret = {"secretName": "certificate", "defaultMode": 0o440}
        assert {"name": "tls", "secret": secret} in pod["volumes"]
        assert pod["securityContext"]["fsGroup"] == pod["containers"][0]["securityContext"]["runAsGroup"]
        probes = [pod["containers"][0][f"{kind}Probe"]["httpGet"] for kind in ("readiness", "liveness", "startup")]
        assert [probe["scheme"] for probe in probes] == ["HTTPS"] * 3
        ports = made["Service", "rg-reward-gateway"]["spec"]["ports"]
        assert [port["appProtocol"] for port in ports] == ["https", "https"]
        assert made["PodMonitor", "rg-reward-gateway"]["spec"]["podMetricsEndpoints"][0]["scheme"] == "https"
        assert made["Pod", "rg-reward-gateway-test"]["spec"]["containers"][0]["command"][-1].startswith("https://")

        plain = objects(OPEN)
        assert not any("TLS" in name for name in environment(plain))
        ports = plain["Service", "rg-reward-gateway"]["spec"]["ports"]
        assert [port["appProtocol"] for port in ports] == ["http", "kubernetes.io/h2c"]

    def test_databases_for_queries_are_a_volume_of_the_gateway(self) -> None:
        pod = objects(EVERYTHING)["Deployment", "rg-reward-gateway"]["spec"]["template"]["spec"]
        mount = {"name": "databases", "mountPath": "/databases", "readOnly": True}
        assert mount in pod["containers"][0]["volumeMounts"]
        assert {"name": "databases", "persistentVolumeClaim": {"claimName": "spider"}} in pod["volumes"]

    def test_what_runs_elsewhere_is_asked_there(self) -> None:
        made = objects(ELSEWHERE)
        assert {kind for kind, _ in made} == {"Deployment", "Service", "Pod"}
        pod = made["Deployment", "rg-reward-gateway"]["spec"]["template"]["spec"]
        given = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
        assert given["REWARD_GATEWAY_TRITON_URL"]["value"] == "triton.models:8001"
        assert given["REWARD_GATEWAY_REDIS_URL"]["valueFrom"] == {"secretKeyRef": {"name": "redis", "key": "url"}}
        assert "REWARD_GATEWAY_STATE_REDIS_URL" not in given, "one Redis elsewhere keeps scores and state"
        assert "initContainers" not in pod

    def test_a_store_of_state_elsewhere_is_asked_there(self) -> None:
        made = objects(OPEN | {"state": {"enabled": False, "existingSecret": "state"}})
        pod = made["Deployment", "rg-reward-gateway"]["spec"]["template"]["spec"]
        given = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
        assert given["REWARD_GATEWAY_STATE_REDIS_URL"]["valueFrom"] == {"secretKeyRef": {"name": "state", "key": "url"}}
        assert ("StatefulSet", "rg-reward-gateway-state") not in made

    def test_every_volume_is_there_and_used(self) -> None:
        pod = objects(EVERYTHING)["Deployment", "rg-reward-gateway"]["spec"]["template"]["spec"]
        mounted = {mount["name"] for c in (*pod["containers"], *pod["initContainers"]) for mount in c["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        limits = pod["initContainers"][0]["resources"]["limits"]
        assert (limits["nvidia.com/gpu"], limits["memory"]) == (1, "6Gi")

    def test_other_keys_are_new_pods_and_other_recipes_are_not(self) -> None:
        def template(**changed: Any) -> Any:
            return objects(EVERYTHING | changed)["Deployment", "rg-reward-gateway"]["spec"]["template"]

        assert template(auth={"keys": [KEY | {"name": "other"}]}) != template()
        assert template(rewards={"rewards": {"a": {"components": {"a": {"score": "rank"}}}}}) == template()

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({}, "auth: give keys"),
            ({"auth": {"keys": [KEY], "existingSecret": "mine"}}, "not both"),
            ({"auth": {"keys": [KEY], "allowUnauthenticated": True}}, "for a gateway without keys"),
            ({"auth": {"keys": [KEY | {"sha256": "secret"}]}}, "sha256"),
            (OPEN | {"triton": {"enabled": False}}, "triton: .* url is needed"),
            (OPEN | {"triton": {"url": "a:8001"}}, "triton: enabled has no url"),
            (OPEN | {"valkey": {"enabled": False}}, "valkey: .* one of them is needed"),
            (OPEN | {"valkey": {"url": "redis://a"}}, "valkey: enabled has no url"),
            (OPEN | {"state": {"url": "redis://a"}}, "state: enabled has no url"),
            (OPEN | {"ingress": {"enabled": True}}, "ingress: host"),
            (OPEN | {"ingress": {"enabled": True, "host": "a"}}, "nothing lets its controller reach the gateway"),
            (OPEN | {"routes": {"http": {"enabled": True}}}, "nothing lets its controller reach the gateway"),
            (OPEN | {"monitoring": {"podMonitor": {"enabled": True}}}, "nothing lets Prometheus reach the pods"),
            (OPEN | {"monitoring": {"serviceMonitor": {"enabled": True}}}, "nothing lets Prometheus reach the pods"),
            (OPEN | {"canary": {"helpful": 2}}, "canary"),
            (OPEN | {"valkey": {"auth": {"existingSecret": "a"}}}, "valkey: auth and tls are those of a server"),
            (OPEN | {"gateway": {"settings": {"workers": 4}}}, "settings.workers is set by the chart"),
            (OPEN | {"gateway": {"settings": {"tls_key": "/key"}}}, "settings.tls_key is set by the chart"),
            (OPEN | {"gateway": {"tls": {"clientCa": "ca.crt"}}}, "clientCa needs existingSecret"),
            (OPEN | {"replica": 3}, "replica"),
        ],
    )
    def test_what_cannot_work_is_refused(self, given: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            render(given)

    def test_a_release_that_is_called_like_the_chart_is_not_called_so_twice(self) -> None:
        assert "name: reward-gateway\n" in render(OPEN, "reward-gateway")


SETS = ("Deployment", "StatefulSet")
OF_AN_OPERATOR = ("PodMonitor", "PrometheusRule")
SCALER = ("HorizontalPodAutoscaler", "rg-reward-gateway")
Made = dict[tuple[str, str], dict[str, Any]]


def labels(made: Made, kind: str, name: str) -> Any:
    return made[kind, name]["spec"]["template"]["metadata"]["labels"].items()


def environment(made: Made) -> dict[str, str]:
    container = made["Deployment", "rg-reward-gateway"]["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
