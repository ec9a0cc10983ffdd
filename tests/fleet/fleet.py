"""A fleet: gateways behind HAProxy, with two Tritons, two stores and a server of reward models, each on a node."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis
import yaml
from reward_gateway.admin.loaded_models import LoadedModels
from reward_gateway.local.triton import triton_child
from reward_gateway.local.valkey import access_rules, find_server
from reward_gateway.settings import Settings

from tests.chaos.stacks import CONFIG, MODEL, MODEL_CODE
from tests.fleet.balancer import Balancer
from tests.fleet.network import Network, Node, Process

HTTP, GRPC, REDIS = 8080, 8081, 6379
TRITON_HTTP, TRITON_GRPC = 8000, 8001
READY_S = 120.0
"""For a machine that is busy with other things too: a gateway alone is ready in three seconds."""

DRAIN_DELAY_S, DRAIN_S = 3.0, 30.0
UPSTREAM = "behind"
"""The upstream, whose scores are those of the recipe ``rule`` of another gateway."""

RECIPES = f"""
default: rule
rewards:
  rule: {{components: {{words: {{score: length_penalty, params: {{free_words: 0, per_word: 1.0}}}}}}}}
  model: {{components: {{length: {{score: {MODEL}}}}}}}
  elsewhere: {{components: {{words: {{score: {UPSTREAM}}}}}}}
  counted:
    components:
      mine: {{score: given, inputs: {{value: {{feature: mine}}}}, transforms: [{{running_scale: {{stream: fleet}}}}]}}
  compared:
    components: {{mine: {{score: given, inputs: {{value: {{feature: mine}}}}}}}}
    group: {{normalize: zscore, cohort: {{size: 4, timeout_s: 60}}}}
  alone:
    components: {{mine: {{score: given, inputs: {{value: {{feature: mine}}}}}}}}
    group: {{normalize: zscore}}
  grouped:
    components: {{length: {{score: {MODEL}}}}}
    group: {{normalize: zscore}}
"""
"""``rule``: minus the number of words. ``model``: the response's bytes. ``elsewhere``: ``rule`` of the upstream.
``counted``: a running statistic. ``compared``: a feature less its mean over a prompt's four samples, in units of their
deviation, sent one by one; ``alone``: the same in one request. ``grouped``: of the model's score, in one request."""

BEHIND = {
    "upstreams": {
        UPSTREAM: {
            "protocol": "oip",
            "model": "rule",
            "version": "1",
            "tensors": {"inputs": {"prompt": "prompt", "response": "response"}, "output": "reward", "valid": "valid"},
        }
    }
}


@dataclass
class Server:
    """A program on a node, with what says that it is ready."""

    node: Node
    process: Process
    is_ready: Callable[[], bool]

    @property
    def name(self) -> str:
        return self.node.name

    def wait_until_ready(self) -> None:
        end = time.monotonic() + READY_S
        while not self.is_ready():
            said = self.process.read_log()[-3000:]
            assert self.process.running.poll() is None, f"{self.name} ended:\n{said}"
            assert time.monotonic() < end, f"{self.name} is not ready after {READY_S:g} s:\n{said}"
            time.sleep(0.1)

    def kill(self) -> None:
        """End it and all that it started, as when its machine is lost; its connections are closed on return."""
        family = self.list_processes()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        end = time.monotonic() + 30
        while not all(map(_has_ended, family)):
            assert time.monotonic() < end, f"{self.name} cannot be killed"
            time.sleep(0.002)
        self.process.running.wait()

    def stop(self) -> int:
        """Tell it to end, as an upgrade does; the exit status."""
        self.process.running.send_signal(signal.SIGTERM)
        return self.process.running.wait(timeout=DRAIN_DELAY_S + DRAIN_S + 30)

    def start_again(self) -> None:
        """Start it anew, and wait until it is ready."""
        self.process.start_again()
        self.wait_until_ready()

    def restart(self) -> int:
        """Stop it, and start it again; the exit status of what was stopped."""
        status = self.stop()
        self.start_again()
        return status

    def list_processes(self) -> list[psutil.Process]:
        """It and all that it started, oldest first."""
        if self.process.running.poll() is not None:
            return []
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]


@dataclass
class Fleet:
    """What runs. Every gateway is asked through the balancer, unless a test means one of them."""

    network: Network
    folder: Path
    gateways: list[Server] = field(default_factory=list)
    tritons: list[Server] = field(default_factory=list)
    stores: dict[str, Server] = field(default_factory=dict)
    upstream: Server | None = None
    balancer: Balancer | None = None

    @property
    def http(self) -> str:
        assert self.balancer is not None
        return f"http://{self.balancer.node.address}:{HTTP}"

    @property
    def grpc(self) -> str:
        assert self.balancer is not None
        return f"{self.balancer.node.address}:{GRPC}"

    def address(self, gateway: int) -> str:
        """The address of one gateway, past the balancer."""
        return f"http://{self.gateways[gateway].node.address}:{HTTP}"

    def store(self, name: str) -> "redis.Redis":
        """A client of ``cache`` or ``state`` that may use every command."""
        return redis.Redis(self.stores[name].node.address, REDIS, username="tests", password="any")

    def start_parts(self) -> None:
        """Start the stores, both Tritons and the upstream."""
        for number, name in enumerate(("cache", "state")):
            self.stores[name] = self._start_store(name, 11 + number)
        repository = self.folder / "repository"
        (repository / MODEL / "1").mkdir(parents=True)
        (repository / MODEL / "config.pbtxt").write_text(CONFIG)
        (repository / MODEL / "1" / "model.py").write_text(MODEL_CODE)
        self.tritons = [self._start_triton(f"triton-{n}", 20 + n, repository) for n in (1, 2)]
        (self.folder / "rewards.yaml").write_text(RECIPES)
        (self.folder / "none.yaml").write_text("upstreams: {}\n")
        behind = self.folder / "behind.yaml"
        behind.write_text("default: rule\nrewards:\n" + RECIPES.split("rewards:\n")[1].splitlines()[0] + "\n")
        self.upstream = self._start_gateway("upstream", 31, {"rewards-file": behind, "redis-url": "", "triton-url": ""})
        for server in (*self.stores.values(), *self.tritons, self.upstream):
            server.wait_until_ready()

    def start_gateways(self, count: int, **flags: Any) -> None:
        """Start so many gateways and the balancer in front of them; those that ran are ended.

        Args:
            flags: of ``serve``, beside or in place of those of the fleet; with ``_`` for ``-``.
        """
        self.stop_gateways()
        assert self.upstream is not None
        url = f"http://{self.upstream.node.address}:{HTTP}"
        entry = {**BEHIND["upstreams"][UPSTREAM], "urls": [url]}
        upstreams = self.folder / "upstreams.yaml"
        upstreams.write_text(yaml.safe_dump({"upstreams": {UPSTREAM: entry}}))
        common = {
            "rewards-file": self.folder / "rewards.yaml",
            "upstreams-file": upstreams,
            "triton-url": ",".join(f"{server.node.address}:{TRITON_GRPC}" for server in self.tritons),
            "redis-url": f"redis://{self.stores['cache'].node.address}:{REDIS}",
            "state-redis-url": f"redis://{self.stores['state'].node.address}:{REDIS}",
            "drain-delay-s": DRAIN_DELAY_S,
            "drain-s": DRAIN_S,
            **{name.replace("_", "-"): value for name, value in flags.items()},
        }
        self.gateways = [self._start_gateway(f"gateway-{n}", 40 + n, common) for n in range(1, count + 1)]
        for gateway in self.gateways:
            gateway.wait_until_ready()
        self.balancer = Balancer(self.network.node("balancer", 10), self.folder)
        self.balancer.start([gateway.node for gateway in self.gateways])
        self.balancer.wait_until_up(count)

    def stop_gateways(self) -> None:
        """End the gateways and the balancer at once."""
        if self.balancer is not None:
            self.balancer.kill()
            self.balancer = None
        for gateway in self.gateways:
            gateway.kill()
        self.gateways = []

    def stop(self) -> None:
        """End everything."""
        self.stop_gateways()
        for server in (self.upstream, *self.tritons, *self.stores.values()):
            if server is not None:
                server.kill()

    def count_rows(self, triton: int) -> int:
        """Rows that a Triton's model has computed since it was started."""
        address = self.tritons[triton].node.address
        stats = httpx.get(f"http://{address}:{TRITON_HTTP}/v2/models/{MODEL}/stats", timeout=30).json()
        return int(stats["model_stats"][0]["inference_count"])

    def forget(self) -> None:
        """Empty both stores."""
        for name in self.stores:
            self.store(name).flushall()

    def _start_store(self, name: str, number: int) -> Server:
        node = self.network.node(name, number)
        rules = self.folder / f"{name}.acl"
        rules.write_text(f"{access_rules()}user tests on nopass ~* &* +@all\n")
        options = ["--appendonly", "yes"] if name == "state" else ["--maxmemory-policy", "volatile-lru"]
        home = self.folder / name
        home.mkdir()
        command = [str(find_server()), "--port", str(REDIS), "--bind", node.address, "--save", "", "--dir", str(home)]
        command += ["--aclfile", str(rules), "--protected-mode", "no", "--maxmemory", "1gb", *options]
        process = node.start(command, self.folder / f"{name}.log")

        def is_ready() -> bool:
            try:
                return bool(self.store(name).ping())
            except redis.exceptions.ConnectionError:
                return False

        return Server(node, process, is_ready)

    def _start_triton(self, name: str, number: int, repository: Path) -> Server:
        node, folder = self.network.node(name, number), self.folder / name
        folder.mkdir()
        child, _ = triton_child(
            Settings(model_repository=repository, state_dir=folder), [MODEL], folder, folder, LoadedModels(folder)
        )
        kept = [word for word in child.argv if not word.startswith(("--grpc-", "--allow-http"))]
        ports = [f"--http-port={TRITON_HTTP}", f"--grpc-port={TRITON_GRPC}"]
        bound = [f"--http-address={node.address}", f"--grpc-address={node.address}", f"--load-model={MODEL}"]
        process = node.start([*kept, *ports, *bound], folder / "log", child.env)
        return Server(node, process, lambda: _answers(f"http://{node.address}:{TRITON_HTTP}/v2/health/ready"))

    def _start_gateway(self, name: str, number: int, flags: Mapping[str, object]) -> Server:
        node, folder = self.network.node(name, number), self.folder / name
        folder.mkdir(exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "reward_gateway.cli.serve" if flags.get("redis-url") else "reward_gateway.cli.worker",
        ]
        given: dict[str, object] = {
            "http-host": node.address,
            "http-port": HTTP,
            "grpc-port": GRPC,
            "state-dir": folder,
            "allow-unauthenticated": "api-keys-file" not in flags,
            "compute-processes": 1,
            "math-processes": 1,
            **flags,
        }
        environment = {f"REWARD_GATEWAY_{flag.replace('-', '_').upper()}": str(value) for flag, value in given.items()}
        process = node.start(command, folder / "log", environment)
        return Server(node, process, lambda: _answers(f"http://{node.address}:{HTTP}/readyz"))


def _has_ended(process: psutil.Process) -> bool:
    """Whether it is gone, or is what is left of one that nobody waits for."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
