"""What all tests share: the real stack, started once for the session where a test asks for it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Stack:
    """A running stack: what ``reward-gateway serve`` started, and where it is."""

    process: subprocess.Popen[bytes]
    http: str
    grpc: str
    triton: str
    redis: str
    state: str
    log: Path

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        """Until ``/readyz`` says yes."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.http}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
        pytest.fail(f"the stack did not become ready:\n{self.log.read_text()[-3000:]}")


def start_stack(log: Path, *flags: str) -> Stack:
    """Start the stack on free ports; flags are those of ``serve``."""
    http, grpc = free_port(), free_port()
    command = [sys.executable, "-m", "reward_gateway.cli.serve", "--http-port", str(http), "--grpc-port", str(grpc)]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, *flags], cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    end = time.monotonic() + 180
    while process.poll() is None and time.monotonic() < end and "Ctrl-C stops it" not in log.read_text():
        time.sleep(0.2)
    said = log.read_text()
    if "Ctrl-C stops it" not in said:
        process.kill()
        pytest.fail(f"the stack did not start:\n{said[-3000:]}")
    address = dict(re.findall(r"^\s+(Triton|cache|state)\s+(\S+)\s*$", said, flags=re.MULTILINE))
    cache, state = f"redis://{address['cache']}", f"redis://{address['state']}"
    return Stack(process, f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}", address["Triton"], cache, state, log)


def stop_stack(stack: Stack) -> int:
    """Stop it as a person would; the exit status."""
    if stack.process.poll() is None:
        stack.process.send_signal(signal.SIGTERM)
    try:
        return stack.process.wait(timeout=40)
    except subprocess.TimeoutExpired:
        os.killpg(stack.process.pid, signal.SIGKILL)
        pytest.fail("the stack did not stop within 40 s")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Triton, Valkey and the gateway with the default recipes, for the whole session."""
    running = start_stack(tmp_path_factory.mktemp("stack") / "serve.log")
    yield running
    stop_stack(running)
