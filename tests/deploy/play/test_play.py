"""Pods of the chart, run for real: Podman plays what helm renders, with the images of the Dockerfile.

What stands in for a cluster is said in `translation.py` and `pods.py`. Two things are not the chart's own: the base of
Triton's image is the embedded server (as in `make test-images`), and the image `valkey/valkey` is a stand-in with the
embedded Valkey and Debian's `redis-cli`, so that the chart's own command lines and probes run. NetworkPolicies,
disruption budgets and autoscalers have no meaning to Podman; they are only rendered.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.play.namespace import Namespace
from tests.deploy.play.release import GRPC, HTTP, NAME, RECIPES, VALUES, Release
from tests.deploy.play.translation import parse_size

pytestmark = [pytest.mark.slow, pytest.mark.packages, pytest.mark.timeout(3600)]

SAMPLES = [
    {"prompt": "How do I boil an egg?", "response": "Put it in boiling water for 8 minutes."},
    {"prompt": "How do I boil an egg?", "response": "Figure it out yourself, idiot."},
]
SLOW_PROGRAM = {
    "prompt": "Wait.",
    "response": "```python\nimport time\n\ndef wait():\n    time.sleep(10)\n    return 1\n```",
    "reference": ["assert wait() == 1"],
}
"""Longer than the time between the pod's removal and SIGTERM."""


@pytest.fixture(scope="module")
def release(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    made = Release(namespace, tmp_path_factory.mktemp("release"))
    made.start_redis()
    made.play("StatefulSet", f"{NAME}-state")
    made.play("Deployment", NAME)
    yield made
    made.close()


@pytest.mark.parametrize("url", [HTTP, GRPC])
def test_the_service_scores(release: Release, url: str) -> None:
    answer = release.score(SAMPLES, url=url)
    assert answer["valid"] == [True, True], answer
    assert answer["rewards"][0] > answer["rewards"][1]


def test_the_charts_own_test_passes(release: Release) -> None:
    pod = release.play("Pod", f"{NAME}-test")
    (container,) = pod.plan.containers
    status = pod.wait_until_ended(container["name"])
    assert status == 0, pod.read_log(container["name"])
    release.remove(f"{NAME}-test")


def test_every_container_runs_as_it_was_rendered(release: Release) -> None:
    for pod in release.pods.values():
        for container in (*pod.plan.first, *pod.plan.containers):
            name, wanted = container["name"], {**pod.security, **container["securityContext"]}
            lines = pod.run(name, "cat", "/proc/1/status").splitlines()
            status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
            root = next(line.split() for line in pod.run(name, "cat", "/proc/mounts").splitlines() if " / " in line)
            assert set(status["Uid"]) == {str(wanted["runAsUser"])} != {"0"}
            assert set(status["Gid"]) == {str(wanted["runAsGroup"])}
            assert {*status["CapEff"], *status["CapBnd"]} == {"0" * 16}
            assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], ["2"])
            assert "ro" in root[3].split(",")
            memory = parse_size(container["resources"]["limits"]["memory"])
            assert pod.namespace.inspect(pod.container(name))["HostConfig"]["Memory"] == memory


def test_podmans_own_health_checks_pass(release: Release) -> None:
    assert release.pods[NAME, 0].is_healthy("triton")
    assert release.pods[f"{NAME}-state", 0].is_healthy("valkey")


def test_keys_and_recipes_are_those_of_the_values(release: Release) -> None:
    body = json.dumps({"samples": SAMPLES})
    asked = release.curl("/v1/score", "-o", "/dev/null", "-w", "%{http_code}", "-d", body, key="another key")
    assert release.namespace.run(*asked).stdout == "401"
    assert [made["name"] for made in release.get("/v1/rewards")["rewards"]] == sorted(RECIPES["rewards"])


def test_a_changed_recipe_reaches_the_running_pod(release: Release) -> None:
    short = {"components": {"short": {"score": "length_penalty"}}}
    release.change(rewards={**RECIPES, "rewards": {**RECIPES["rewards"], "short": short}})
    release.update()
    release.wait_for("/v1/rewards", lambda answer: any(made["name"] == "short" for made in answer["rewards"]))


def test_a_renewed_certificate_reaches_the_running_pod(release: Release) -> None:
    before = release.read_serial()
    release.certificate = release.issue_certificate()
    release.update()
    end = time.monotonic() + 90
    while release.read_serial() == before:
        assert time.monotonic() < end, "the old certificate is still shown"
        time.sleep(1)
    assert release.score(SAMPLES)["valid"] == [True, True]


def test_state_outlives_its_pod(release: Release) -> None:
    assert release.score(SAMPLES, reward="scaled")["valid"] == [True, True]
    before = release.get("/v1/state")
    assert before["state"], before
    ended = release.pods[f"{NAME}-state", 0].stop()
    assert ended == {"valkey": 0}
    release.play("StatefulSet", f"{NAME}-state")
    release.wait_for("/v1/state", lambda answer: answer == before)
    assert release.score(SAMPLES, reward="scaled")["valid"] == [True, True]


def test_a_triton_that_ended_is_started_again_and_the_gateway_finds_it(release: Release) -> None:
    pod = release.pods[NAME, 0]
    pod.kill("triton")
    pod.wait_until_restarted("triton")
    fresh = [{**sample, "prompt": "How do I fry an egg?"} for sample in SAMPLES]  # whose scores no cache has
    assert release.score(fresh)["valid"] == [True, True]


def test_a_new_version_replaces_the_old_one_under_load_and_no_request_fails(release: Release) -> None:
    old = release.pods[NAME, 0]
    release.change(gateway={**VALUES["gateway"], "settings": {**VALUES["gateway"]["settings"], "max_samples": 7}})
    release.objects = release.render()
    with release.scoring(SAMPLES) as requests:
        release.play("Deployment", NAME, 1)  # as the strategy says: ready before the old one goes
        ended = old.stop()
        release.remove(NAME, 0)
        assert release.score(SAMPLES * 4)["error"] == "too_large"
    assert ended == {"gateway": 0, "triton": 0}
    assert requests.made > 10
    assert requests.failed == []


def test_a_pod_answers_what_is_under_way_before_it_ends(release: Release, tmp_path: Path) -> None:
    pod = release.pods[NAME, 1]
    asked = {"reward": "code", "samples": [SLOW_PROGRAM]}
    log = tmp_path / "answer.json"
    process = release.namespace.start(*release.curl("/v1/score", "-d", json.dumps(asked)), log=log)
    in_flight = "reward_gateway_requests_in_flight"
    end = time.monotonic() + 30
    while not any(line.startswith(in_flight) and line.endswith(" 1.0") for line in release.read_metrics()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end
        time.sleep(0.2)
    ended = pod.stop()
    assert process.wait(timeout=10) == 0
    (result,) = json.loads(log.read_text())["results"]
    assert (result["valid"], result["reward"]) == (True, 1.0), result
    assert ended == {"gateway": 0, "triton": 0}
