"""Model pools of the Helm chart: what is rendered fits together, and the gateway reads what it is told of them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from reward_gateway.backends.upstreams.file import load_upstreams_file
from reward_gateway.settings import Settings

from .test_chart import HELM, OPEN, Made, environment, objects, render

pytestmark = pytest.mark.skipif(not HELM, reason="helm is not there: make test-deploy")

COMMIT = "0123456789" * 4
VLLM = {"repository": "vllm/vllm-openai", "tag": "v0.12.0"}
POOLS: dict[str, Any] = {
    "skywork": {
        "engine": "vllm",
        "image": VLLM,
        "model": "/fetched/skywork",
        "servedName": "skywork",
        "fetch": [{"source": f"hf://Skywork/Reward@{COMMIT}", "name": "skywork", "existingSecret": "hub"}],
        "cache": {"size": "100Gi"},
        "tensorParallel": 2,
        "coldStartSeconds": 300,
        "autoscaling": {"kind": "keda", "minReplicas": 0, "maxReplicas": 8},
    },
    "huge": {"engine": "vllm", "image": VLLM, "model": "org/huge", "nodes": 2, "tensorParallel": 8, "replicas": 0},
    "encoders": {
        "engine": "triton",
        "models": ["text_preference", "text_harmless"],
        "gpu": {"count": 1},
        "autoscaling": {"kind": "hpa", "maxReplicas": 4},
    },
    "cold": {
        "engine": "triton",
        "models": ["deberta"],
        "fetch": [
            {"source": "/volume/deberta", "claim": "models"},
            {"source": "s3://models/other", "kind": "repository"},
        ],
        "coldStartSeconds": 90,
        "autoscaling": {"kind": "keda", "minReplicas": 0},
    },
    "rerank": {
        "engine": "tei",
        "image": {"repository": "tei", "digest": f"sha256:{'b' * 64}"},
        "model": "BAAI/bge-reranker-base",
        "protocol": "tei_rerank",
        "upstream": {"limits": {"in_flight": 20}},
    },
    "own": {
        "engine": "custom",
        "image": {"repository": "own", "tag": "1"},
        "protocol": "openrlhf",
        "port": 5000,
        "healthPath": "/ready",
        "podDisruptionBudget": {"enabled": False},
    },
}
WITH_POOLS: dict[str, Any] = OPEN | {
    "pools": POOLS,
    "upstreams": {"entries": {"elsewhere": {"protocol": "vllm_classify", "urls": ["http://a:1"], "model": "m"}}},
    "monitoring": {"prometheusUrl": "http://prometheus:9090", "podMonitor": {"enabled": True}},
    "networkPolicy": {"prometheusNamespace": "monitoring"},
}
NAMES = {name: f"rg-reward-gateway-{name}" for name in POOLS}


@pytest.fixture(scope="module")
def made() -> Made:
    return objects(WITH_POOLS)


def find_pod(made: Made, name: str) -> dict[str, Any]:
    pod: dict[str, Any] = made["Deployment", NAMES[name]]["spec"]["template"]["spec"]
    return pod


def test_the_gateway_asks_every_pool_by_its_headless_service(made: Made, tmp_path: Path) -> None:
    hosts = {name: f"{full}.rl.svc" for name, full in NAMES.items()}
    assert environment(made)["REWARD_GATEWAY_TRITON_URL"].split(",") == [
        "127.0.0.1:8001",
        f"dns:///{hosts['cold']}:8001",
        f"dns:///{hosts['encoders']}:8001",
    ]
    (file := tmp_path / "upstreams.yaml").write_text(
        made["ConfigMap", "rg-reward-gateway-upstreams"]["data"]["upstreams.yaml"]
    )
    read = load_upstreams_file(file)
    written = yaml.safe_load(file.read_text())
    assert set(read.upstreams) == {"skywork", "huge", "rerank", "own", "elsewhere"}
    assert {name: each.get("dns") for name, each in written["upstreams"].items()} == {
        "skywork": f"http://{hosts['skywork']}:8000",
        "huge": f"http://{hosts['huge']}:8000",
        "rerank": f"http://{hosts['rerank']}:8080",
        "own": f"http://{hosts['own']}:5000",
        "elsewhere": None,
    }
    assert written["upstreams"]["skywork"]["cold_start_s"] == 300
    assert written["upstreams"]["rerank"]["limits"] == {"in_flight": 20}
    assert {name: model["cold_start_s"] for name, model in written["triton_models"].items()} == {"deberta": 90}
    gateway = made["Deployment", "rg-reward-gateway"]["spec"]["template"]["spec"]
    assert {"name": "upstreams", "configMap": {"name": "rg-reward-gateway-upstreams"}} in gateway["volumes"]
    assert Settings(triton_url=environment(made)["REWARD_GATEWAY_TRITON_URL"]).triton_urls


def test_each_service_selects_the_pods_of_its_pool_alone(made: Made) -> None:
    for name, full in NAMES.items():
        service = made["Service", full]["spec"]
        assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", False)
        kind = "LeaderWorkerSet" if name == "huge" else "Deployment"
        template = made[kind, full]["spec"]
        leader = template["leaderWorkerTemplate"]["leaderTemplate"] if name == "huge" else template["template"]
        assert service["selector"].items() <= leader["metadata"]["labels"].items()
        ports = {port["name"] for port in leader["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["ports"]} <= ports
    worker = made["LeaderWorkerSet", NAMES["huge"]]["spec"]["leaderWorkerTemplate"]["workerTemplate"]
    assert not made["Service", NAMES["huge"]]["spec"]["selector"].items() <= worker["metadata"]["labels"].items()


def test_models_are_fetched_and_checked_before_the_server_starts(made: Made) -> None:
    pod = find_pod(made, "skywork")
    (fetch,) = pod["initContainers"]
    assert fetch["command"] == ["reward-gateway", "models", "fetch"]
    assert fetch["args"] == [
        f"hf://Skywork/Reward@{COMMIT}",
        "--into=/fetched",
        "--name=skywork",
        "--kind=checkpoint",
        "--cache=/cache",
    ]
    assert fetch["envFrom"] == [{"secretRef": {"name": "hub"}}]
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["cache"] == {"name": "cache", "mountPath": "/cache", "readOnly": True}
    claim = made["PersistentVolumeClaim", f"{NAMES['skywork']}-cache"]["spec"]
    assert (claim["accessModes"], claim["resources"]["requests"]["storage"]) == (["ReadWriteMany"], "100Gi")
    first, second = find_pod(made, "cold")["initContainers"]
    assert first["args"][2:4] == ["--name=deberta", "--kind=model"]
    assert second["args"][3] == "--kind=repository"
    volumes = {volume["name"]: volume for volume in find_pod(made, "cold")["volumes"]}
    assert volumes["source-0"]["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}


def test_every_volume_of_a_pool_is_there_and_used(made: Made) -> None:
    for name in set(POOLS) - {"huge"}:
        pod = find_pod(made, name)
        containers = (*pod["containers"], *pod.get("initContainers", ()))
        mounted = {mount["name"] for container in containers for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_servers_get_their_gpus_and_are_told_of_them(made: Made) -> None:
    server = find_pod(made, "skywork")["containers"][0]
    assert server["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert {"--tensor-parallel-size=2", "--served-model-name=skywork"} <= set(server["args"])
    assert find_pod(made, "encoders")["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "nvidia.com/gpu" not in find_pod(made, "cold")["containers"][0]["resources"]["limits"]
    leader = made["LeaderWorkerSet", NAMES["huge"]]["spec"]
    assert (leader["replicas"], leader["leaderWorkerTemplate"]["size"]) == (0, 2)
    server = leader["leaderWorkerTemplate"]["leaderTemplate"]["spec"]["containers"][0]
    assert {"--tensor-parallel-size=8", "--pipeline-parallel-size=2"} <= set(server["args"])


def test_pods_leave_the_service_before_they_end(made: Made) -> None:
    for name in set(POOLS) - {"huge"}:
        pod = find_pod(made, name)
        (server,) = pod["containers"]
        assert server["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "15"]
        drains = [
            int(word.partition("=")[2]) for word in server.get("command", ()) if word.startswith("--exit-timeout")
        ]
        assert pod["terminationGracePeriodSeconds"] >= 15 + max(drains, default=0) + 5


def test_containers_are_hardened(made: Made) -> None:
    for name in set(POOLS) - {"huge"}:
        pod = find_pod(made, name)
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_a_pool_that_may_be_empty_is_started_by_the_rows_that_were_refused(made: Made) -> None:
    scaled = made["ScaledObject", NAMES["cold"]]["spec"]
    assert scaled["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAMES["cold"]}
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (0, 4)
    assert scaled["cooldownPeriod"] >= 90
    assert "replicas" not in made["Deployment", NAMES["cold"]]["spec"]
    triggers = {trigger["metadata"]["query"]: trigger["metadata"] for trigger in scaled["triggers"]}
    (demand,) = [query for query in triggers if 'reason="no_replicas"' in query]
    assert triggers[demand]["activationThreshold"] == "0"
    assert 'model=~"(deberta)(@.*)?"' in demand
    assert 'namespace="rl"' in demand
    queued = [query for query in triggers if "model_rows_queued" in query]
    assert [triggers[query]["threshold"] for query in queued] == ["256"]
    assert any("nv_inference_queue_duration_us" in query for query in triggers)
    assert any(
        "vllm:num_requests_waiting" in each["metadata"]["query"]
        for each in made["ScaledObject", NAMES["skywork"]]["spec"]["triggers"]
    )


def test_every_metric_that_scales_exists(made: Made) -> None:
    page = (Path(__file__).parents[2] / "deploy/METRICS.md").read_text()
    asked = {
        metric
        for (kind, _), scaled in made.items()
        if kind == "ScaledObject"
        for trigger in scaled["spec"]["triggers"]
        for metric in re.findall(r"reward_gateway_\w+", trigger["metadata"]["query"])
    }
    assert len(asked) == 3
    assert all(f"`{metric}`" in page for metric in asked)


def test_a_plain_autoscaler_asks_for_each_model(made: Made) -> None:
    scaler = made["HorizontalPodAutoscaler", NAMES["encoders"]]["spec"]
    asked = [metric["external"]["metric"]["selector"]["matchLabels"]["model"] for metric in scaler["metrics"]]
    assert asked == ["text_preference", "text_harmless"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 4)


def test_only_gateways_and_prometheus_reach_a_server(made: Made) -> None:
    gateway = made["Deployment", "rg-reward-gateway"]["spec"]["selector"]
    for full in NAMES.values():
        rules = made["NetworkPolicy", full]["spec"]["ingress"]
        assert rules[0] == {"from": [{"podSelector": gateway}], "ports": [{"port": "serving"}]}
        space = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
        assert rules[-1]["from"] == [space]
        assert ("PodMonitor", full) in made
    assert ("PodDisruptionBudget", NAMES["own"]) not in made
    assert made["PodDisruptionBudget", NAMES["skywork"]]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("version", [f"1.{minor}" for minor in range(29, 38)])
def test_every_supported_kubernetes_takes_it(made: Made, version: str, tmp_path: Path) -> None:
    plain = [each for each in made.values() if each["kind"] not in ("LeaderWorkerSet", "PodMonitor", "ScaledObject")]
    (tmp_path / "all.yaml").write_text("\n---\n".join(map(yaml.safe_dump, plain)))
    argv = [str(Path(HELM).parent / "bin/kubernetes-validate"), "--strict", "-k", version, str(tmp_path / "all.yaml")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_gateways_need_no_triton_of_their_own_beside_pools() -> None:
    made = objects(OPEN | {"triton": {"enabled": False}, "pools": {"encoders": POOLS["encoders"]}})
    assert environment(made)["REWARD_GATEWAY_TRITON_URL"] == f"dns:///{NAMES['encoders']}.rl.svc:8001"
    assert ("ConfigMap", "rg-reward-gateway-upstreams") not in made


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"engine": "triton"}, "pools.p.models: name the models"),
        ({"engine": "vllm", "model": "m"}, "pools.p.image: name the image"),
        ({"engine": "vllm", "image": VLLM}, "pools.p.model: name the model"),
        ({"engine": "custom", "image": VLLM}, "pools.p.protocol"),
        ({"engine": "tei", "image": VLLM, "model": "m", "nodes": 2}, "pools.p.nodes"),
        ({"engine": "vllm", "image": VLLM, "model": "m", "autoscaling": {"kind": "keda"}}, "monitoring.prometheusUrl"),
        (
            {"engine": "triton", "models": ["m"], "autoscaling": {"kind": "hpa", "minReplicas": 0}},
            "cannot scale to zero",
        ),
        ({"engine": "triton", "models": ["m"], "fetch": [{"source": "hf://a/m@main"}]}, "pinned by its commit"),
        ({"engine": "triton", "models": ["m"], "fetch": [{"source": "/models/m"}]}, "PersistentVolumeClaim in claim"),
        (
            {"engine": "triton", "models": ["m"], "fetch": [{"source": "s3://a/other"}]},
            "other is fetched and not loaded",
        ),
        ({"engine": "triton", "models": ["m"], "cache": {}}, "existingClaim or size"),
        ({"engine": "tgi"}, "engine"),
        ({"engine": "triton", "models": ["m"], "gpus": 3}, "gpus"),
    ],
)
def test_a_pool_that_cannot_work_is_refused_in_words(pool: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        render(OPEN | {"pools": {"p": pool}})


def test_one_file_of_upstreams_is_written_by_one() -> None:
    with pytest.raises(ValueError, match="move what existingSecret has"):
        render(OPEN | {"pools": {"rerank": POOLS["rerank"]}, "upstreams": {"existingSecret": "mine"}})
