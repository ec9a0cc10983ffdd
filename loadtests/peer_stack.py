"""The servers that ``peers.py`` compares, each with a trivial model: this gateway, and others in their environments."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import yaml
from bench_stack import REAL, ROOT, TRIVIAL, serving, write_model

ENVIRONMENTS = ROOT / ".local" / "peers"
SCRIPTS = Path(__file__).parent / "peer_servers"
LOCKS = ROOT / "requirements" / "peers"
START_S = 180
"""How long a peer may take to answer for the first time: Ray starts ten processes."""
STOP_S = 20
QUIET = {"BENTOML_DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0", "LIT_DISABLE_UPDATE_CHECK": "1"}
"""No peer reports its use to its makers."""

SHIPPED = yaml.safe_load((ROOT / "service" / "reward_gateway" / "rewards.yaml").read_text())
DEFAULT: str = SHIPPED["default"]
"""The default recipe, as it is shipped."""
DEFAULT_MODELS = [
    component["score"]
    for component in SHIPPED["rewards"][DEFAULT]["components"].values()
    if (ROOT / "models" / "repository" / component["score"]).is_dir()  # the others are rules
]

SERVER, TRITON, VALKEY = "server", "Triton", "Valkey"


class LeftOut(Exception):
    """A peer cannot be measured here; its text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another server: its package, the path that it is posted to, and its script in ``peer_servers``."""

    package: str
    script: str
    path: str


PEERS = {
    "plain": Peer("fastapi", "plain.py", "/get_reward"),
    "mosec": Peer("mosec", "mosec_server.py", "/inference"),
    "litserve": Peer("litserve", "litserve_server.py", "/predict"),
    "bentoml": Peer("bentoml", "bentoml_server.py", "/get_reward"),
    "ray-serve": Peer("ray", "ray_serve_server.py", "/"),
}


MODEL_PEERS = {"mosec-model": Peer("mosec", "mosec_model_server.py", "/inference")}
"""Servers of our own text model."""

ONE_THREAD = {"REWARD_MODELS_THREADS": "1", "REWARD_MODELS_REMEMBER": "0"}
"""How a model of ours computes on both sides: every text anew, so that bodies may come again."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    title: str
    url: str
    pid: int

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU so far, user and system, of all its processes; Triton's and Valkey's beside the rest."""
        used: dict[str, float] = {}
        for part, process in self._processes():
            times = process.cpu_times()
            used[part] = used.get(part, 0.0) + times.user + times.system
        return used

    def workers(self) -> dict[int, float]:
        """Seconds of CPU so far of each worker of a gateway, by its process."""
        times = {child.pid: child.cpu_times() for _, child in self._processes() if _is_worker(child)}
        return {pid: used.user + used.system for pid, used in times.items()}

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        parts = {self.pid: SERVER}
        parent = psutil.Process(self.pid)
        yield SERVER, parent
        for child in parent.children(recursive=True):  # parents before their children
            name = child.name()
            own = TRITON if name.startswith("triton") else VALKEY if name.startswith("valkey") else None
            parts[child.pid] = own or parts.get(child.ppid(), SERVER)
            yield parts[child.pid], child


def _is_worker(process: psutil.Process) -> bool:
    return "reward_gateway.cli.worker" in process.cmdline()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def title(name: str) -> str:
    """A peer's name with the version that is locked."""
    package = {**PEERS, **MODEL_PEERS}[name].package
    found = re.search(rf"^{package}==(\S+)", (LOCKS / f"{name}.txt").read_text(), re.MULTILINE)
    version = found[1] if found else "?"
    return f"plain FastAPI {version}" if name == "plain" else f"{name} {version}"


@contextmanager
def peer_running(name: str) -> Iterator[Server]:
    """A peer from when it answers until the block ends.

    Raises:
        LeftOut: it is not installed, or does not start here.
    """
    peer = {**PEERS, **MODEL_PEERS}[name]
    python = ENVIRONMENTS / name / "bin" / "python"
    if not (ENVIRONMENTS / name / ".ready").exists():
        raise LeftOut(f"not installed in {python.parents[1].relative_to(ROOT)}: `make peers` installs it")
    # Under /tmp, since Ray's sockets lie here, whose paths may not be long.
    with tempfile.TemporaryDirectory(prefix="peers-") as folder, (Path(folder) / "log").open("wb") as out:
        port = free_port()
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment |= (
            QUIET | ONE_THREAD | {"PYTHONPATH": str(ROOT / "models")} | {"RAY_TMPDIR": folder, "BENTOML_HOME": folder}
        )
        process = subprocess.Popen(
            [python, peer.script, "--port", str(port)],
            cwd=SCRIPTS, env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            server = Server(title(name), f"http://127.0.0.1:{port}{peer.path}", process.pid)
            _await(server, process, Path(folder) / "log")
            yield server
        finally:
            _stop(process)


def _await(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    body = {"samples": [{"prompt": "a", "response": "four"}]}
    while process.poll() is None and time.monotonic() < end:
        try:
            if httpx.post(server.url, json=body, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    lines = log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
    how = f"did not answer within {START_S} s" if process.poll() is None else "ended while it started"
    raise LeftOut(f"{how}: {lines[-1][:200]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a server with all that it started, which some of them leave behind."""
    started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, left = psutil.wait_procs(started, timeout=1)
    for child in left:
        child.kill()
    psutil.wait_procs(left, timeout=STOP_S)


@contextmanager
def gateway_running(workers: int = 1) -> Iterator[Server]:
    """This gateway with its memory cache, the default recipe, and a recipe of the trivial model, which is the default
    here. Every model that the default recipe names is the trivial one, too."""
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        folder = Path(name)
        recipes = {TRIVIAL: {"components": {"score": {"score": TRIVIAL}}}, DEFAULT: SHIPPED["rewards"][DEFAULT]}
        (folder / "rewards.yaml").write_text(yaml.safe_dump({"default": TRIVIAL, "rewards": recipes}))
        models = [TRIVIAL, *DEFAULT_MODELS]
        for model in models:
            write_model(folder / "repository", model)
        flags: Mapping[str, object] = {
            "rewards-file": folder / "rewards.yaml",
            "model-repository": folder / "repository",
            "models": ",".join(models),
            "cache-memory-entries": 100_000,
            "workers": workers,
        }
        with serving(folder / "serve.log", free_port(), free_port(), flags) as bench:
            yield Server("reward-gateway", bench.http, bench.pid)


@contextmanager
def model_running() -> Iterator[Server]:
    """This gateway with the text model, one thread of it."""
    with tempfile.TemporaryDirectory(prefix="peers-", dir=ROOT) as name:  # beside the model, for its hard links
        folder = Path(name)
        recipes = {"default": REAL, "rewards": {REAL: {"components": {"score": {"score": REAL}}}}}
        (folder / "rewards.yaml").write_text(yaml.safe_dump(recipes))
        shutil.copytree(ROOT / "models" / "repository" / REAL, folder / "repository" / REAL, copy_function=os.link)
        flags = {
            "rewards-file": folder / "rewards.yaml",
            "model-repository": folder / "repository",
            "models": REAL,
        }
        with serving(folder / "serve.log", free_port(), free_port(), flags, variables=ONE_THREAD) as bench:
            yield Server("reward-gateway", bench.http, bench.pid)
