"""The service itself as an upstream, Tritons as upstreams and as several servers, and one checkpoint by three engines.

One reward model is served by a Triton as a graph (``by_onnx``), by another one by torch (``by_torch``) and by vLLM
(``by_vllm``). A gateway asks both Tritons by ``triton_url``; another stands in front of all of them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import Stack, start_stack, stop_stack
from tests.load import Load
from tests.upstreams.hostile import SPOIL, spoiling
from tests.upstreams.scoring import CLOSE, PAIRS, conversation
from tests.upstreams.servers import Server, ask_torch, make_checkpoint, serving_vllm, vllm_command
from tests.upstreams.tritons import add_model, serving_triton

SAME = 1e-6
"""Largest difference of what passes through one more server, relative to the largest score."""

TENSORS = {"inputs": {"prompt": "prompt", "response": "response"}, "output": "reward", "valid": "valid"}
"""Of a gateway's recipe."""

OF_A_MODEL = {"inputs": {"prompt": "prompt", "response": "response"}, "output": "score"}
"""Of a model on a Triton."""

FORMS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "behind_vllm_classify": lambda http, _: {"protocol": "vllm_classify", "urls": [http], "model": "plain"},
    "behind_vllm_pooling": lambda http, _: {"protocol": "vllm_pooling", "urls": [http], "model": "plain"},
    "behind_vllm_score": lambda http, _: {"protocol": "vllm_score", "urls": [http], "model": "plain"},
    "behind_tei_predict": lambda http, _: {"protocol": "tei_predict", "urls": [http]},
    "behind_tei_rerank": lambda http, _: {"protocol": "tei_rerank", "urls": [http]},
    "behind_openrlhf": lambda http, _: {"protocol": "openrlhf", "urls": [http]},
    "behind_oip_http": lambda http, _: {"protocol": "oip", "urls": [http], "model": "plain", "tensors": TENSORS},
    "behind_oip_grpc": lambda _, grpc: {
        "protocol": "oip", "urls": [f"grpc://{grpc}"], "model": "plain", "tensors": TENSORS,
    },
}  # fmt: skip
"""The forms in which the service is asked, by the name of the upstream in the gateway in front."""

BEHIND = {
    "rewards": {
        "plain": {"optional": ["prompt"], "components": {"a": {"score": "by_torch"}}},
        "as_graph": {"optional": ["prompt"], "components": {"a": {"score": "by_onnx"}}},
    },
    "default": "plain",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    return make_checkpoint(folder / "checkpoint", "reward")


@pytest.fixture(scope="module")
def torch_says(checkpoint: Path) -> list[float]:
    """Logits of the samples."""
    (found,) = ask_torch([{"checkpoint": str(checkpoint), "messages": [conversation(*pair) for pair in PAIRS]}])
    return [row[0] for row in found]


@pytest.fixture(scope="module")
def repository(checkpoint: Path, folder: Path) -> Path:
    made = folder / "repository"
    made.mkdir()
    for engine in ("onnx", "torch"):
        add_model(checkpoint, f"by_{engine}", engine, made)
    return made


@pytest.fixture(scope="module")
def tritons(repository: Path, folder: Path) -> Iterator[dict[str, tuple[Server, str]]]:
    """A Triton for each of the two models, by its name."""
    with (
        serving_triton(folder / "one", repository, ["by_onnx"]) as one,
        serving_triton(folder / "two", repository, ["by_torch"]) as two,
    ):
        yield {"by_onnx": one, "by_torch": two}


@pytest.fixture(scope="module")
def vllm(checkpoint: Path, folder: Path) -> Iterator[Server]:
    with serving_vllm(checkpoint, folder / "vllm.log") as server:
        yield server


def start_gateway(folder: Path, recipes: dict[str, Any], *flags: str) -> Stack:
    """A gateway with these recipes."""
    folder.mkdir()
    file = folder / "rewards.yaml"
    file.write_text(yaml.safe_dump(recipes))
    return start_stack(folder / "serve.log", "--rewards-file", str(file), "--state-dir", str(folder), *flags)


@pytest.fixture(scope="module")
def behind(tritons: dict[str, tuple[Server, str]], folder: Path) -> Iterator[Stack]:
    """A gateway of both Tritons."""
    running = start_gateway(folder / "behind", BEHIND, "--triton-url", ",".join(grpc for _, grpc in tritons.values()))
    yield running
    stop_stack(running)


@pytest.fixture(scope="module")
def spoiled(vllm: Server) -> Iterator[str]:
    """The address of what spoils vLLM's answers."""
    with spoiling(vllm.url) as url:
        yield url


@pytest.fixture(scope="module")
def front(
    behind: Stack, tritons: dict[str, tuple[Server, str]], vllm: Server, spoiled: str, folder: Path
) -> Iterator[Stack]:
    """A gateway of one Triton and of upstreams: the gateway behind, the other Triton, and vLLM."""
    upstreams = {name: form(behind.http, behind.grpc) for name, form in FORMS.items()}
    http, grpc = tritons["by_onnx"]
    oip = {"protocol": "oip", "model": "by_onnx", "tensors": OF_A_MODEL}
    upstreams |= {
        "triton_http": {**oip, "urls": [http.url]},
        "triton_grpc": {**oip, "urls": [f"grpc://{grpc}"]},
        "by_vllm": {"protocol": "vllm_classify", "urls": [vllm.url], "model": "rm", "input": "messages"},
    }
    of_vllm = upstreams["by_vllm"]
    upstreams |= {"spoiled": {**of_vllm, "urls": [spoiled]}, "wrong_name": {**of_vllm, "model": "other"}}
    file = folder / "upstreams.yaml"
    file.write_text(yaml.safe_dump({"upstreams": upstreams}))
    components = {name: {"score": name} for name in ("by_torch", "triton_grpc", "by_vllm")}
    recipes = {
        "rewards": {"three": {"optional": ["prompt"], "components": components, "combine": {"weighted_sum": {}}}},
        "experiments": {
            f"{name}_for_the_graph": {"model": "triton_grpc", "candidate": name, "fraction": 1, "reward": "three"}
            for name in ("by_torch", "by_vllm")
        },
    }
    flags = ("--triton-url", tritons["by_torch"][1], "--upstreams-file", str(file))
    running = start_gateway(folder / "front", recipes, *flags)
    yield running
    stop_stack(running)


def ask(gateway: Stack, reward: str, pairs: Sequence[tuple[str, str]] = PAIRS) -> list[dict[str, Any]]:
    """The results of samples, none of them from a cache."""
    samples = [{"prompt": prompt, "response": response} for prompt, response in pairs]
    body = {"reward": reward, "samples": samples, "options": {"cache": "off"}}
    answer = httpx.post(f"{gateway.http}/v1/score", json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    assert all(result["valid"] for result in results), results
    return results


def rewards(gateway: Stack, reward: str, pairs: Sequence[tuple[str, str]] = PAIRS) -> list[float]:
    return [result["reward"] for result in ask(gateway, reward, pairs)]


def test_a_model_is_found_on_the_one_of_two_tritons_that_serves_it(behind: Stack, torch_says: list[float]) -> None:
    listed = {model["name"]: model for model in httpx.get(f"{behind.http}/v1/models", timeout=60).json()["models"]}
    assert listed.keys() == {"by_onnx", "by_torch"}
    assert all(model["ready"] for model in listed.values())
    assert rewards(behind, "plain") == pytest.approx(torch_says, abs=CLOSE)
    assert rewards(behind, "as_graph") == pytest.approx(torch_says, abs=CLOSE)


@pytest.mark.parametrize("form", FORMS)
def test_a_gateway_in_front_of_a_gateway_gives_what_the_one_behind_gives(
    front: Stack, behind: Stack, form: str
) -> None:
    given = rewards(behind, "plain")
    assert rewards(front, form) == pytest.approx(given, abs=SAME * max(map(abs, given)))


@pytest.mark.parametrize("wire", ["http", "grpc"])
def test_a_triton_as_an_upstream_gives_what_it_gives_by_triton_url(front: Stack, behind: Stack, wire: str) -> None:
    given = rewards(behind, "as_graph")
    assert rewards(front, f"triton_{wire}") == pytest.approx(given, abs=SAME * max(map(abs, given)))


def test_one_checkpoint_as_a_graph_by_torch_and_behind_vllm_scores_the_same_in_one_experiment(
    front: Stack, torch_says: list[float]
) -> None:
    prompts = [prompt for prompt, _ in PAIRS]
    pairs = [*PAIRS, *zip(prompts, reversed([response for _, response in PAIRS]), strict=True)]
    results = ask(front, "three", pairs)
    components = [result["components"] for result in results]
    by_torch = [component["by_torch"]["raw"] for component in components]
    assert by_torch[: len(PAIRS)] == pytest.approx(torch_says, abs=CLOSE)
    for name in ("triton_grpc", "by_vllm"):
        assert [component[name]["raw"] for component in components] == pytest.approx(by_torch, abs=CLOSE)
    end = time.monotonic() + 60
    while True:
        reports = httpx.get(f"{front.http}/v1/experiments", timeout=60).json()["experiments"]
        if all(report["samples"] >= len(pairs) for report in reports) or time.monotonic() > end:
            break
        time.sleep(0.1)
    assert {report["candidate"] for report in reports} == {"by_torch", "by_vllm"}
    for report in reports:
        assert (report["samples"], report["failed"], report["dropped"]) == (len(pairs), 0, 0)
        assert (report["pair_agreement"], report["best_changed"], report["sign_flips"]) == (1.0, 0.0, 0.0)
        assert abs(report["mean_shift"]) < CLOSE


def post(gateway: Stack, reward: str, response: str) -> httpx.Response:
    body = {"reward": reward, "samples": [{"prompt": "What is 2 + 2?", "response": response}]}
    return httpx.post(f"{gateway.http}/v1/score", json=body, timeout=120)


@pytest.mark.parametrize("kind", SPOIL)
def test_an_answer_that_gives_no_number_plainly_is_no_score_and_is_not_kept(front: Stack, kind: str) -> None:
    for _ in range(2):
        answer = post(front, "spoiled", f"It is 4, spoil:{kind}.")
        assert answer.status_code == 200, answer.text
        (result,) = answer.json()["results"]
        assert (result["valid"], result["reward"]) == (False, None)
        assert result["error"]["code"] == "model_error"
        assert answer.json()["usage"]["cache_hits"] == 0
    assert post(front, "spoiled", "It is 4.").json()["results"][0]["valid"]


def test_a_wrong_name_of_the_model_is_said_and_is_no_score(front: Stack) -> None:
    listed = {model["name"]: model for model in httpx.get(f"{front.http}/v1/models", timeout=60).json()["models"]}
    assert [name for name, model in listed.items() if not model["ready"]] == ["wrong_name"]
    answer = post(front, "wrong_name", "It is 4.")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
    assert "see `model`" in answer.json()["error"]["message"]


class VersionsPosted(Load):
    """Posts the same samples all the time, through the cache; keeps what was answered, and when."""

    def __init__(self, gateway: Stack, reward: str) -> None:
        super().__init__(clients=2, pause_s=0.02)
        self._client = httpx.Client(timeout=60)
        self._url = f"{gateway.http}/v1/score"
        samples = [{"prompt": prompt, "response": response} for prompt, response in PAIRS]
        self._body = {"reward": reward, "samples": samples}
        self.answers: list[list[tuple[str, float]]] = []
        self.refusals: list[dict[str, Any]] = []

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        super().__exit__(kind, *rest)
        self._client.close()

    def ask(self, turn: int) -> None:
        answer = self._client.post(self._url, json=self._body)
        if answer.status_code == 200:
            parts = [next(iter(result["components"].values())) for result in answer.json()["results"]]
            self.answers.append([(part["model_version"], part["raw"]) for part in parts])
        else:
            self.refusals.append(answer.json()["error"])


def test_new_weights_behind_a_gateway_are_a_new_version_and_no_cached_score_of_the_old_ones_is_answered(
    front: Stack, vllm: Server, torch_says: list[float], folder: Path
) -> None:
    """The last of this file: vLLM comes back with other weights, under load."""
    changed = make_checkpoint(folder / "changed", "reward", seed=2)
    (found,) = ask_torch([{"checkpoint": str(changed), "messages": [conversation(*pair) for pair in PAIRS]}])
    old = ask(front, "by_vllm")[0]["components"]
    (version,) = {part["model_version"] for part in old.values()}
    expected = {version: torch_says}
    with VersionsPosted(front, "by_vllm") as load:
        time.sleep(0.5)
        vllm.restart(*vllm_command(changed, vllm.port))
        vllm.wait_until_ready()
        back = time.monotonic()
        while not load.answers or load.answers[-1][0][0] == version:
            assert time.monotonic() < back + 5.0
            time.sleep(0.02)
        time.sleep(0.5)
    versions = list(dict.fromkeys(name for answer in load.answers for name, _ in answer))
    assert len(versions) == 2, versions
    expected[versions[1]] = [row[0] for row in found]
    for answer in load.answers:
        (said,) = {name for name, _ in answer}
        assert [number for _, number in answer] == pytest.approx(expected[said], abs=CLOSE)
    order = [answer[0][0] for answer in load.answers]
    assert order[order.index(versions[1]) :].count(version) <= 1, "but for the other thread's, none is of the old one"
    assert {refusal["code"] for refusal in load.refusals} <= {"model_unavailable", "overloaded"}
