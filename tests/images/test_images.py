"""Both images, built from the Dockerfile and run as they say: they start, score, and take a head."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml
from reward_gateway import __version__
from reward_models.build import tiers
from reward_models.convert.samples import text_rows
from reward_models.repository import card as cards
from reward_models.repository import list_models

from tests.conftest import ROOT
from tests.images.buildah import Buildah, Container
from tests.images.building import ADDED, CONVERTED
from tests.ports import free_port
from tests.valkey import Valkey

pytestmark = [pytest.mark.slow, pytest.mark.packages, pytest.mark.timeout(3600)]

KEY = "a key of this test"
MOST_MB = 430
HEAD_OF = "text_harmless"
SAMPLE = {"prompt": "How do I boil an egg?", "response": "Put it in boiling water for 8 minutes."}


@dataclass(frozen=True)
class Deployment:
    """The two images, running."""

    http: str
    triton: str

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{self.http}{path}", json=body, headers=AUTHORISED, timeout=60)


AUTHORISED = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def gateway_container(buildah: Buildah, gateway_image: str) -> Container:
    return buildah.container(gateway_image)


@pytest.fixture(scope="module")
def triton_container(buildah: Buildah, triton_image: str) -> Container:
    return buildah.container(triton_image)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    made = Valkey(tmp_path_factory.mktemp("valkey"))
    made.start()
    yield made
    made.kill()


@contextmanager
def deployed(
    buildah: Buildah,
    triton: Container,
    gateway: Container,
    valkey: Valkey,
    folder: Path,
    repository: Path | None = None,
) -> Iterator[Deployment]:
    """Both images running, as their commands say, on free ports; a repository of this machine in place of Triton's."""
    http, grpc, metrics, gateway_http, gateway_grpc = (free_port() for _ in range(5))
    ports = [f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}"]
    rights = [{"name": "tester", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "rights": ["score", "admin"]}]
    (folder / "api-keys.yaml").write_text(yaml.safe_dump({"keys": rights}))
    (folder / "api-keys.yaml").chmod(0o644)
    shared = [f"{repository}:/models"] if repository else []
    recipes = []
    if repository:
        (folder / "rewards.yaml").write_text(f"rewards:\n  only: {{components: {{a: {{score: {HEAD_OF}}}}}}}\n")
        (folder / "rewards.yaml").chmod(0o644)
        recipes = [f"{folder / 'rewards.yaml'}:/etc/reward-gateway/rewards.yaml:ro"]
    settings = {
        "TRITON_URL": f"127.0.0.1:{grpc}",
        "REDIS_URL": valkey.url,
        "API_KEYS_FILE": "/etc/api-keys.yaml",
        "HTTP_PORT": str(gateway_http),
        "GRPC_PORT": str(gateway_grpc),
        **({"MODEL_REPOSITORY": "/models"} if repository else {}),
    }
    variables = {f"REWARD_GATEWAY_{name}": value for name, value in settings.items()}
    keys = f"{folder / 'api-keys.yaml'}:/etc/api-keys.yaml:ro"
    logs = {name: folder / f"{name}.log" for name in ("triton", "gateway")}
    made = Deployment(f"http://127.0.0.1:{gateway_http}", f"http://127.0.0.1:{http}")
    with ExitStack() as stack:
        files = {name: stack.enter_context(path.open("wb")) for name, path in logs.items()}
        server = buildah.start(triton, *ports, log=files["triton"], volumes=shared)
        stack.callback(buildah.stop, server)
        wait(f"{made.triton}/v2/health/ready", server, logs["triton"])
        service = buildah.start(gateway, log=files["gateway"], volumes=[keys, *recipes, *shared], **variables)
        stack.callback(buildah.stop, service)
        wait(f"{made.http}/readyz", service, logs["gateway"])
        yield made


def wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 600
    while process.poll() is None and time.monotonic() < end:
        try:
            if httpx.get(url, timeout=10).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    pytest.fail(f"{url} did not answer 200:\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture(scope="module")
def running(
    buildah: Buildah,
    triton_container: Container,
    gateway_container: Container,
    valkey: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    with deployed(
        buildah, triton_container, gateway_container, valkey, tmp_path_factory.mktemp("running")
    ) as deployment:
        yield deployment


def test_the_gateways_image_is_small_runs_as_nobody_and_says_its_version(
    buildah: Buildah, gateway_container: Container
) -> None:
    files = [path for path in (gateway_container.root / "opt/gateway").rglob("*") if not path.is_symlink()]
    size = sum(path.stat().st_size for path in files if path.is_file() and path.suffix != ".pyc") / 2**20
    print(f"/opt/gateway: {size:.0f} MB")

    assert size <= MOST_MB
    assert not [path for path in files if path.suffix in (".safetensors", ".pth") or "onnxruntime" in path.parts]
    assert gateway_container.config["User"] == "10001:10001"
    assert gateway_container.config["Labels"]["org.opencontainers.image.version"] == __version__
    assert buildah.run(gateway_container, "reward-gateway", "--version").strip() == __version__
    assert buildah.run(gateway_container, "id", "-u").strip() == "10001"


def test_tritons_image_holds_the_models_that_ship_and_one_that_was_added(triton_container: Container) -> None:
    repository = triton_container.root / "models"

    assert triton_container.config["User"] == "1000:1000"
    assert triton_container.config["Labels"]["org.opencontainers.image.version"] == __version__
    assert {*list_models(repository)} == {*tiers.list_default(ROOT / "models/repository")} | {ADDED}
    for file in cards.read_card(repository / ADDED).files:
        assert (repository / ADDED / cards.VERSION_FOLDER / file.name).is_file()


def test_the_images_score_together(running: Deployment) -> None:
    answer = running.post("/v1/score", {"samples": [SAMPLE, {**SAMPLE, "response": "Figure it out yourself, idiot."}]})

    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [result["valid"] for result in results] == [True, True]
    assert [result["reward"] for result in results] == pytest.approx([-0.86, -2.02], abs=0.01)  # as the README says
    assert httpx.post(f"{running.http}/v1/score", json={"samples": [SAMPLE]}, timeout=10).status_code == 401


def test_every_model_is_ready_and_the_added_one_scores_as_where_it_was_converted(running: Deployment) -> None:
    listed = httpx.get(f"{running.http}/v1/models", headers=AUTHORISED, timeout=30).json()["models"]
    (recorded, *_) = json.loads((CONVERTED / ADDED / "scores.json").read_text())
    settings = cards.read_card(CONVERTED / ADDED).content["settings"]
    row = text_rows(settings["tokens"])[0]
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [row[name].decode()]}
        for name in cards.read_card(CONVERTED / ADDED).content["inputs"]
        if row.get(name)
    ]
    answer = httpx.post(
        f"{running.http}/v2/models/{ADDED}/infer", json={"inputs": inputs}, headers=AUTHORISED, timeout=60
    )

    assert {model["name"] for model in listed if model["ready"]} >= {ADDED, HEAD_OF, "text_preference"}
    assert answer.status_code == 200, answer.text
    scores = next(output["data"] for output in answer.json()["outputs"] if output["name"] == "score")
    assert scores == pytest.approx(recorded, abs=1e-4)


def test_a_head_is_uploaded_where_both_images_share_a_repository(
    buildah: Buildah, triton_container: Container, gateway_container: Container, valkey: Valkey, tmp_path: Path
) -> None:
    repository = tmp_path / "models"
    for path in [tmp_path, *tmp_path.parents]:
        if path.stat().st_uid == os.getuid() and path != Path(path.anchor):
            path.chmod(path.stat().st_mode | 0o055)
    shutil.copytree(triton_container.root / "models" / HEAD_OF, repository / HEAD_OF)
    for path in [repository, *repository.rglob("*")]:
        os.chown(path, 10001, 10001)
        path.chmod(0o755 if path.is_dir() else 0o644)
    with np.load(repository / HEAD_OF / "1/head.npz") as arrays:
        changed = {name: np.array(arrays[name]) for name in arrays.files}
    for name in ("w0", "b0"):
        changed[name] *= changed[name].dtype.type(2)
    body = io.BytesIO()
    np.savez(body, **changed)  # type: ignore[arg-type]
    request = {
        "inputs": [
            {"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [SAMPLE[name]]}
            for name in ("prompt", "response")
        ]
    }
    with deployed(buildah, triton_container, gateway_container, valkey, tmp_path, repository) as deployment:
        before = deployment.post(f"/v2/models/{HEAD_OF}/infer", request).json()
        answer = httpx.put(
            f"{deployment.http}/v1/models/{HEAD_OF}/head", content=body.getvalue(), headers=AUTHORISED, timeout=120
        )
        after = deployment.post(f"/v2/models/{HEAD_OF}/infer", request).json()

    assert answer.status_code in (200, 201), answer.text
    assert before["outputs"][0]["data"] != after["outputs"][0]["data"]
    assert (repository / HEAD_OF / "2/head.npz").is_file()
