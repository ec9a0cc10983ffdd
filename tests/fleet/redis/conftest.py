"""Real sets of Redis servers (Debian's ``redis-server``) and gateways that keep everything in them.

Run by ``make test-fleet``, not by ``make test``.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from reward_gateway.local.valkey import COMMANDS

from tests.ports import free_port

from .servers import PROGRAM, STARTED, Servers, make_certificates, start_cluster, start_sentinels, wait_until

if not os.environ.get("FLEET"):
    collect_ignore_glob = ["test_*.py"]

NEWER = {"client|setinfo", "waitaof"}
"""Commands that Redis 7.0 does not know; the gateway does without them."""

RULES = " ".join(f"+{command}" for command in COMMANDS if command not in NEWER)

RECIPES = """
default: rule
rewards:
  rule: {components: {words: {score: length_penalty, params: {free_words: 0, per_word: 1.0}}}}
  counted:
    components:
      mine: {score: given, inputs: {value: {feature: mine}}, transforms: [{running_scale: {stream: fleet}}]}
  compared:
    components: {mine: {score: given, inputs: {value: {feature: mine}}}}
    group: {normalize: mean, cohort: {size: 4, timeout_s: 60}}
"""


class Gateway:
    """One gateway process, without a model server: its recipes need none."""

    def __init__(self, folder: Path, servers: Servers, **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        rewards = folder / "rewards.yaml"
        rewards.write_text(RECIPES)
        stores = {f"redis_{name}": value for name, value in servers.settings.items()}
        given = {
            "http_port": self.port,
            "grpc_port": 0,
            "triton_url": "127.0.0.1:1",
            "rewards_file": rewards,
            "state_replicas": 1,
            "compute_processes": 1,
            "math_processes": 1,
            "cache_timeout_ms": 2000,
            **stores,
            **settings,
        }
        environment = {f"REWARD_GATEWAY_{name.upper()}": str(value) for name, value in given.items()}
        self.log = folder / f"gateway-{self.port}.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "reward_gateway.cli.worker"]
            self.process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, f"the gateway is ready ({self.log.read_text()[-2000:]})")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return httpx.get(f"{self.url}/livez", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture(autouse=True)
def no_servers_left() -> Iterator[None]:
    """Kill every server that a test has started, also where its set did not come up."""
    yield
    while STARTED:
        STARTED.pop().kill()


@pytest.fixture(params=["cluster", "cluster over TLS", "sentinel"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Servers]:
    """Six processes of a Cluster, or three servers and three Sentinels, all with an access list."""
    assert PROGRAM, "these tests need redis-server: apt-get install redis-server"
    if request.param == "sentinel":
        running = start_sentinels(tmp_path, RULES)
    else:
        running = start_cluster(tmp_path, RULES, make_certificates(tmp_path) if "TLS" in request.param else None)
    yield running
    running.stop()


@pytest.fixture
def gateways(servers: Servers, tmp_path: Path) -> Iterator[list[Gateway]]:
    """Two gateways over the same servers."""
    running = [Gateway(tmp_path, servers) for _ in range(2)]
    for gateway in running:
        gateway.wait_until_ready()
    yield running
    for gateway in running:
        gateway.stop()
