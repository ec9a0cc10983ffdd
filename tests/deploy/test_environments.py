"""What is installed starts: the service from exactly the image's lock file, and the client without the service."""

import io
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from reward_gateway import __version__
from reward_gateway.client import RewardClient
from reward_gateway.guide.assets import PICTURES
from reward_gateway.guide.contents import PACKAGE, read_contents
from reward_models.repository import REPOSITORY
from safetensors.numpy import save

from tests.conftest import ROOT, Stack, start_stack, stop_stack
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.packages]

NAME = "text_harmless"
RECIPES = f"rewards:\n  harmless: {{components: {{a: {{score: {NAME}}}}}}}\n"
MOST_MB = 430
"""What the gateway's environment may take in its image, without bytecode."""

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command outside of the checkout, with nothing of our environment that could bring packages along."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env={**environment, **variables}, capture_output=True, text=True
    )
    assert done.returncode in (0, 2), done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def gateway_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the Dockerfile makes it: the lock file, then the project without its dependencies."""
    environment = tmp_path_factory.mktemp("gateway") / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=ROOT)
    run(ROOT / "requirements/install.sh", environment, ROOT / "requirements/gateway.txt", cwd=ROOT)
    uv = Path(sys.executable).with_name("uv")
    run(uv, "pip", "install", "--offline", "--no-deps", "--python", environment / "bin/python", wheel, cwd=ROOT)
    return environment


@pytest.fixture(scope="module")
def client_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install .` makes, in the versions that the lock files name."""
    folder = tmp_path_factory.mktemp("client")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "environment", cwd=ROOT)
    pins = PIN.findall((ROOT / "requirements/gateway.txt").read_text())
    several = {name for name, _ in pins if sum(other == name for other, _ in pins) > 1}
    kept = [f"{name}=={version}\n" for name, version in pins if name not in several]
    (folder / "constraints.txt").write_text("".join(kept))
    pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--python", folder / "environment")
    run(*pip, "install", "--no-compile", "-c", folder / "constraints.txt", wheel, cwd=folder)
    return folder / "environment"


def distributions(environment: Path) -> set[str]:
    """Names of what is installed, normalised."""
    found = environment.glob("lib/python3*/site-packages/*.dist-info")
    return {re.sub(r"[-_.]+", "-", path.name.partition("-")[0]).lower() for path in found}


def megabytes(folder: Path) -> float:
    """All files of a folder but bytecode."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path.suffix != ".pyc")
    return sum(path.stat().st_size for path in files) / 2**20


def test_the_gateways_environment_holds_what_is_locked_and_is_small(gateway_environment: Path) -> None:
    locked = {name for name, _ in PIN.findall((ROOT / "requirements/gateway.txt").read_text())}

    assert distributions(gateway_environment) - {"reward-gateway"} <= locked
    assert distributions(gateway_environment).isdisjoint({"pyarrow", "lingua-language-detector", "onnxruntime", "gguf"})
    assert {"opentelemetry-sdk", "reward-gateway"} <= distributions(gateway_environment)
    assert megabytes(gateway_environment) <= MOST_MB
    (metadata,) = gateway_environment.glob("lib/python3*/site-packages/reward_gateway-*.dist-info")
    assert metadata.name == f"reward_gateway-{__version__}.dist-info"


@dataclass
class Service:
    """The gateway of an environment, over a Triton and a Valkey of another."""

    process: subprocess.Popen[bytes]
    http: str
    grpc: str
    log: Path


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Path]]:
    """A stack with a repository that may be written."""
    folder = tmp_path_factory.mktemp("triton")
    ignored = shutil.ignore_patterns(".*", "configs", "[2-9]")
    shutil.copytree(REPOSITORY / NAME, folder / "repository" / NAME, copy_function=os.link, ignore=ignored)
    (folder / "rewards.yaml").write_text(RECIPES)
    flags = ["--model-repository", folder / "repository", "--rewards-file", folder / "rewards.yaml"]
    running = start_stack(folder / "serve.log", *map(str, flags))
    yield running, folder
    stop_stack(running)


class Collector(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """An OpenTelemetry collector that keeps what it is sent, unread."""

    def __init__(self) -> None:
        self.received: queue.Queue[bytes] = queue.Queue()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        if handler_call_details.method != "/opentelemetry.proto.collector.trace.v1.TraceService/Export":
            return None
        return grpc.unary_unary_rpc_method_handler(self._keep)

    def _keep(self, request: bytes, context: object) -> bytes:
        self.received.put(request)
        return b""  # an ExportTraceServiceResponse without partial failures


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, int]]:
    made = Collector()
    server = grpc.server(ThreadPoolExecutor(2), handlers=[made])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield made, port
    server.stop(None).wait()


@pytest.fixture(scope="module")
def service(
    gateway_environment: Path, triton: tuple[Stack, Path], collector: tuple[Collector, int]
) -> Iterator[Service]:
    stack, folder = triton
    http_port, grpc_port = free_port(), free_port()
    flags: dict[str, Any] = {
        "triton-url": stack.triton,
        "redis-url": stack.redis,
        "model-repository": folder / "repository",
        "rewards-file": folder / "rewards.yaml",
        "state-dir": folder / "state",
        "otlp-endpoint": f"http://127.0.0.1:{collector[1]}",
        "http-port": http_port,
        "grpc-port": grpc_port,
    }
    arguments = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    command = [str(gateway_environment / "bin/reward-gateway"), "serve", *arguments]
    environment = {"PATH": os.defpath, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    log = folder / "gateway.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    made = Service(process, f"http://127.0.0.1:{http_port}", f"grpc://127.0.0.1:{grpc_port}", log)
    try:
        wait_ready(made)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_ready(service: Service) -> None:
    end = time.monotonic() + 240
    while service.process.poll() is None and time.monotonic() < end:
        try:
            if httpx.get(f"{service.http}/readyz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    pytest.fail(f"the service did not become ready:\n{service.log.read_text()[-3000:]}")


def score(service: Service) -> dict[str, Any]:
    body = {"reward": "harmless", "samples": [{"prompt": "How do I boil an egg?", "response": "For 8 minutes."}]}
    answer = httpx.post(f"{service.http}/v1/score", json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["results"][0]
    assert result["valid"], answer.text
    return result


def changed_head(scale: float) -> dict[str, Any]:
    """The committed head, its scores multiplied."""
    with np.load(REPOSITORY / NAME / "1" / "head.npz") as arrays:
        changed = {name: np.array(arrays[name]) for name in arrays.files}
    last = max(int(name[1:]) for name in changed if name.startswith("w"))
    for name in (f"w{last}", f"b{last}"):
        changed[name] = (changed[name] * scale).astype(changed[name].dtype)
    return changed


@pytest.mark.stack
def test_the_service_starts_from_the_lock_file_and_scores(service: Service) -> None:
    reward = score(service)["reward"]

    with RewardClient(service.grpc) as client:
        over_grpc = client.score(["How do I boil an egg?"], ["For 8 minutes."], reward="harmless")
    assert over_grpc.rewards[0] == pytest.approx(reward, abs=1e-5)
    for path in ("/docs", "/pages", "/v1/catalog", "/v1/models", "/metrics"):
        assert httpx.get(f"{service.http}{path}", timeout=120, follow_redirects=True).status_code == 200
    assert httpx.get(f"{service.http}/openapi.json", timeout=120).json()["info"]["version"] == __version__


@pytest.mark.stack
def test_the_image_carries_what_sends_traces(service: Service, collector: tuple[Collector, int]) -> None:
    score(service)
    spans = collector[0].received.get(timeout=120)

    assert b"reward-gateway" in spans
    assert b"boil an egg" not in spans


@pytest.mark.stack
@pytest.mark.parametrize(("form", "scale"), [("npz", 2.0), ("safetensors", 3.0)])
def test_a_head_is_uploaded_to_the_service_and_scores(service: Service, form: str, scale: float) -> None:
    before = score(service)["components"]["a"]
    arrays = changed_head(scale)
    if form == "npz":
        file = io.BytesIO()
        np.savez(file, **arrays)
        body = file.getvalue()
    else:
        body = save(arrays)
    answer = httpx.put(f"{service.http}/v1/models/{NAME}/head", content=body, timeout=120)

    assert answer.status_code in (200, 201), answer.text
    after = score(service)["components"]["a"]
    assert after["model_version"] != before["model_version"]
    assert after["raw"] != pytest.approx(before["raw"], abs=1e-3)


def test_the_wheel_has_every_page_of_the_guide_and_what_they_load(wheel: Path) -> None:
    carried = set(zipfile.ZipFile(wheel).namelist())
    pages = {page.file for page in read_contents() if not page.module}
    loaded = {str(file.relative_to(PACKAGE)) for file in (*PICTURES.iterdir(), *PACKAGE.glob("guide/static/*"))}

    assert {f"reward_gateway/{file}" for file in pages | loaded} <= carried


@pytest.mark.stack
def test_the_guide_is_served_whole(service: Service) -> None:
    for page in ("", "reference/commands", "reference/settings"):
        assert httpx.get(f"{service.http}/docs/guide/{page}", timeout=120).status_code == 200


@pytest.mark.stack
def test_the_scorer_of_an_extra_that_the_image_lacks_is_refused_in_a_sentence(service: Service) -> None:
    answer = httpx.post(f"{service.http}/v1/score/language", json={"items": [{"response": "yes"}]}, timeout=120)

    assert answer.status_code == 422
    assert "pip install 'reward-gateway[language]'" in answer.json()["error"]["message"]


def test_the_client_alone_has_four_packages_and_their_own(client_environment: Path) -> None:
    installed = distributions(client_environment)

    assert {"httpx", "msgspec", "numpy", "stamina", "reward-gateway"} <= installed
    assert installed.isdisjoint({"fastapi", "grpcio", "pydantic", "redis", "typer", "tritonclient"})


def test_the_client_alone_says_which_extra_the_command_needs(client_environment: Path, tmp_path: Path) -> None:
    for arguments in ((), ("--help",), ("serve",), ("score", "x.jsonl")):
        ended = run(client_environment / "bin/reward-gateway", *arguments, cwd=tmp_path)
        assert ended.returncode == 2
        assert re.fullmatch(r"reward-gateway: .*pip install 'reward-gateway\[server\]'\n", ended.stderr), ended.stderr


def test_the_client_alone_is_imported_and_says_which_extra_grpc_needs(client_environment: Path, tmp_path: Path) -> None:
    code = """
from reward_gateway.client import RewardClient, Unreachable
try:
    RewardClient("http://127.0.0.1:9", timeout_s=0.2).score(["a"], ["b"])
except Unreachable:
    print("unreachable")
try:
    RewardClient("grpc://127.0.0.1:9")
except ImportError as error:
    print(error)
"""
    ended = run(client_environment / "bin/python", "-c", code, cwd=tmp_path)
    unreachable, sentence = ended.stdout.splitlines()
    assert unreachable == "unreachable"
    assert sentence.endswith("pip install 'reward-gateway[grpc]'")
