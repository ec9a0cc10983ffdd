"""A network of named namespaces on one bridge, inside namespaces that ``make test-fleet`` made for the tests alone.

``unshare`` gives the tests a network, mounts and process ids of their own, so that nothing of the machine's network
changes and nothing stays: when the first process in there ends, however it ends, the kernel ends all others, and with
them go interfaces, named namespaces and mounts. The tests themselves are on the bridge too, and reach every node.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BRIDGE = "fleet0"
PREFIX = "10.77.0."
HERE = f"{PREFIX}1"
"""The address of the tests."""

_NAMES = Path("/run/netns")


def run(*command: str) -> str:
    """What a command prints. Raises RuntimeError with what it says if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@dataclass
class Process:
    """A program on a node, which may be ended and started again."""

    command: list[str]
    log: Path
    environment: Mapping[str, str]
    running: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.running.pid

    def read_log(self) -> str:
        return self.log.read_text(errors="replace")

    def start_again(self) -> None:
        """Start it once more; it has ended."""
        assert self.running.poll() is not None, "it is running"
        self.running = _start(self.command, self.log, self.environment)


@dataclass
class Node:
    """A machine of the network: a namespace with an address."""

    name: str
    address: str
    _started: list[Process] = field(default_factory=list)

    def start(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Process:
        """Start a program there; its process is the one that is returned, without a wrapper around it."""
        entering = ["ip", "netns", "exec", self.name, *command]
        given = {**os.environ, **(environment or {})}
        process = Process(entering, log, given, _start(entering, log, given))
        self._started.append(process)
        return process

    def count_packets(self) -> int:
        """Packets that have gone to it and come from it, over its interface."""
        (link,) = json.loads(run("ip", "-n", self.name, "-s", "-j", "link", "show", "dev", "eth0"))
        return int(link["stats64"]["rx"]["packets"] + link["stats64"]["tx"]["packets"])


def _start(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, env=dict(environment), start_new_session=True)


class Network:
    """The bridge and its nodes. It is made once, in an empty network namespace, and goes with it."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        links = {link["ifname"] for link in json.loads(run("ip", "-j", "link"))}
        if links != {"lo"} or os.getpid() > 1000:
            pytest.exit("these tests change the network they run in: start them with `make test-fleet`", returncode=2)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{HERE}/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")

    def node(self, name: str, number: int) -> Node:
        """The node of this name, made where there is none: its address ends with the number, from 2 to 254."""
        if name in self._nodes:
            return self._nodes[name]
        address, outside = f"{PREFIX}{number}", f"to{number}"
        run("ip", "netns", "add", name)
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", outside, "master", BRIDGE, "up")
        run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        for interface in ("lo", "eth0"):
            run("ip", "-n", name, "link", "set", interface, "up")
        node = self._nodes[name] = Node(name, address)
        return node


def find_missing() -> list[str]:
    """Programs that these tests need and that are not here."""
    return [name for name in ("haproxy", "ip", "wrk", "redis-cli") if shutil.which(name) is None]
