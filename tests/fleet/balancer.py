"""HAProxy with the configuration that users are given, whose addresses alone are replaced."""

import csv
import io
import re
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fleet.network import Node, Process

CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
BACKENDS = ("gateways_http", "gateways_grpc")


def render_configuration(text: str, gateways: Sequence[Node], admin: Path) -> str:
    """The configuration with these gateways in place of the named ones, and its socket at another path."""
    lines = []
    for line in text.splitlines():
        if server := re.fullmatch(r"(\s+server gateway-)1 gateway-1(:.*)", line):
            lines += [
                f"{server[1]}{number} {node.address}" + server[2].replace("gateway-1", f"gateway-{number}")
                for number, node in enumerate(gateways, start=1)
            ]
        elif not re.match(r"\s+server gateway-", line):
            lines.append(re.sub(r"stats socket \S+", f"stats socket {admin}", line))
    return "\n".join([*lines, ""])


class Balancer:
    """A running HAProxy.

    Args:
        node: where it runs.
        folder: for its configuration, its socket and its log.
    """

    def __init__(self, node: Node, folder: Path) -> None:
        self.node = node
        self._admin = folder / "haproxy.sock"
        self._file = folder / "haproxy.cfg"
        self.log = folder / "haproxy.log"
        self.process: Process | None = None

    def has_ended(self) -> bool:
        return self.process is None or self.process.running.poll() is not None

    def start(self, gateways: Sequence[Node]) -> None:
        """Start it in front of these gateways."""
        self._file.write_text(render_configuration(CONFIGURATION.read_text(), gateways, self._admin))
        self._admin.unlink(missing_ok=True)
        self.process = self.node.start(["haproxy", "-db", "-f", str(self._file)], self.log)

    def kill(self) -> None:
        if self.process is not None:
            self.process.running.send_signal(signal.SIGKILL)
            self.process.running.wait()

    def ask(self, command: str) -> str:
        """What it answers over its socket."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self._admin))
            admin.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: admin.recv(1 << 16), b"")).decode()

    def read_servers(self) -> list[dict[str, str]]:
        """Its statistics of every server of both backends."""
        rows = csv.DictReader(io.StringIO(self.ask("show stat").removeprefix("# ")))
        return [row for row in rows if row["pxname"] in BACKENDS and row["svname"] not in ("FRONTEND", "BACKEND")]

    def count_requests(self, backend: str = BACKENDS[0]) -> dict[str, int]:
        """Requests that each server was sent, by its name."""
        return {row["svname"]: int(row["stot"]) for row in self.read_servers() if row["pxname"] == backend}

    def wait_until_up(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many gateways are up as its checks say."""
        end = time.monotonic() + seconds
        up = 0
        while not self.has_ended():
            try:
                up = sum(row["status"] == "UP" and row["check_status"] == "L7OK" for row in self.read_servers())
            except OSError:
                up = 0
            if up == count:
                return
            assert time.monotonic() < end, f"{up} servers are up:\n{self.log.read_text()[-2000:]}"
            time.sleep(0.05)
        pytest.fail(f"HAProxy ended:\n{self.log.read_text()[-2000:]}")
