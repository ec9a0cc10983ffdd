"""Sets of real Valkeys: a cluster of two nodes, and a primary with a replica that a Sentinel watches."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import redis
from reward_gateway.local.valkey import find_server

from tests.clock import until
from tests.ports import free_port
from tests.valkey import Valkey

HALF = 8192
"""Slots of each node of the cluster."""


def ask(server: Valkey, *command: str | int) -> Any:
    """The answer to a command of any kind."""
    client: Any  # whose commands of a cluster have no types
    with server.client() as client:
        return client.execute_command(*command)


@asynccontextmanager
async def start_cluster(folder: Path) -> AsyncIterator[list[Valkey]]:
    """A cluster of two nodes, the first with the lower half of the slots."""
    nodes, buses = [], []
    try:
        for name in ("a", "b"):
            (home := folder / name).mkdir()
            nodes.append(Valkey(home))
            buses.append(free_port())
            nodes[-1].start("--cluster-enabled", "yes", "--cluster-port", str(buses[-1]))
        ask(nodes[0], "CLUSTER ADDSLOTSRANGE", 0, HALF - 1)
        ask(nodes[1], "CLUSTER ADDSLOTSRANGE", HALF, 2 * HALF - 1)
        ask(nodes[0], "CLUSTER MEET", "127.0.0.1", nodes[1].port, buses[1])
        await until(lambda: all(ask(node, "CLUSTER INFO")["cluster_state"] == "ok" for node in nodes))
        yield nodes
    finally:
        for node in nodes:
            node.kill()


async def give_slots(nodes: list[Valkey], slots: range, to: Valkey) -> None:
    """Have a node own these slots, whose keys are lost."""
    owner = ask(to, "CLUSTER MYID")
    for node in nodes:
        ask(node, "FLUSHALL")
    for node in nodes:
        client: Any
        with node.client() as client:
            for slot in slots:
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", owner)


@asynccontextmanager
async def start_pair(folder: Path) -> AsyncIterator[tuple[Valkey, Valkey]]:
    """A primary, and a replica that is in step with it."""
    pair = []
    for name in ("primary", "replica"):
        (home := folder / name).mkdir()
        pair.append(Valkey(home))
    primary, replica = pair
    logged_in = ("--primaryuser", "tests", "--primaryauth", "any")
    primary.start(*logged_in, "--repl-diskless-sync-delay", "0")
    replica.start(*logged_in, "--replicaof", f"127.0.0.1 {primary.port}")
    try:
        await until(lambda: ask(replica, "INFO", "replication")["master_link_status"] == "up")
        yield primary, replica
    finally:
        for server in pair:
            server.kill()


class Sentinel:
    """A Sentinel that watches a primary under the name ``main``, with the password ``watch``."""

    def __init__(self, folder: Path, primary: Valkey) -> None:
        self.port = free_port()
        self.url = f"redis+sentinel://127.0.0.1:{self.port}/main"
        file = folder / "sentinel.conf"
        file.write_text(
            f"port {self.port}\nbind 127.0.0.1\nrequirepass watch\nsentinel monitor main 127.0.0.1 {primary.port} 1\n"
            "sentinel auth-user main tests\nsentinel auth-pass main any\n"
            "sentinel down-after-milliseconds main 60000\n"
        )
        argv = [str(find_server()), str(file), "--sentinel"]
        self.process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL)
        self.ask("PING")

    def ask(self, *command: str) -> Any:
        retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 3000)
        with redis.Redis("127.0.0.1", self.port, password="watch", retry=retry) as client:
            client.response_callbacks.clear()
            return client.execute_command(*command)

    async def fail_over(self) -> None:
        """Have the replica become the primary, and wait until it is named."""
        before = self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
        await until(lambda: len(self.ask("SENTINEL", "REPLICAS", "main")) == 1)
        await until(self._begin)
        await until(lambda: self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main") != before)

    def _begin(self) -> bool:
        try:
            return bool(self.ask("SENTINEL", "FAILOVER", "main"))
        except redis.exceptions.ResponseError:  # NOGOODSLAVE: it has not looked at the replica yet
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
