"""A stack in a process of its own, over a model repository that the tests write, so that it can be killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

T = TypeVar("T")
RUN = """
import asyncio, os, sys
from reward_gateway.admin.loaded_models import LoadedModels
from reward_gateway.local import stack
from reward_gateway.local.errors import StackError
from reward_gateway.settings import Settings
def announce(running):
    used = running.settings
    print("UP", used.http_port, used.triton_url, used.redis_url, used.state_store_url, flush=True)
try:
    asyncio.run(stack.run_stack(Settings(), sys.argv[1:], LoadedModels, lambda line: print(line, flush=True), announce,
                          worker=os.environ.get("WORKER", "standin_worker")))
except StackError as error:
    sys.exit(str(error))
"""
CONFIG = """
backend: "python"
max_batch_size: 8
input [{name: "x" data_type: TYPE_FP32 dims: [1]}, {name: "text" data_type: TYPE_STRING dims: [1]}]
output [{name: "y" data_type: TYPE_FP32 dims: [1]}]
instance_group [{kind: KIND_CPU count: 1}]
"""
MODEL = """
import numpy as np
import triton_python_backend_utils as pb

class TritonPythonModel:
    def execute(self, requests):
        return [pb.InferenceResponse([pb.Tensor("y", self.answer(request))]) for request in requests]

    def answer(self, request):
        x, text = (pb.get_input_tensor_by_name(request, name).as_numpy() for name in ("x", "text"))
        return 2 * x + np.array([[len(row[0])] for row in text], dtype=np.float32)
"""


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one model: y = 2 x + the text's length in bytes."""
    root = tmp_path_factory.mktemp("repository")
    (root / "echo" / "1").mkdir(parents=True)
    (root / "echo" / "config.pbtxt").write_text(CONFIG)
    (root / "echo" / "1" / "model.py").write_text(MODEL)
    return root


def until(answer: Callable[[], T], seconds: float = 120.0) -> T:
    """The first answer that is true; the last one, true or not, when time is up."""
    end = time.monotonic() + seconds
    while not (result := answer()) and time.monotonic() < end:
        time.sleep(0.05)
    return result


@dataclass
class Stack:
    """A stack that was started with ``models`` and the settings in ``variables``."""

    state_dir: Path
    variables: dict[str, str]
    models: list[str]
    http_port: int = 0
    triton: str = ""
    redis: str = ""
    state: str = ""
    family: list[psutil.Process] = field(default_factory=list)

    until = staticmethod(until)

    def start(self) -> None:
        env = os.environ | {"REWARD_GATEWAY_HTTP_PORT": "0", "REWARD_GATEWAY_GRPC_PORT": "0"}
        env |= {"REWARD_GATEWAY_TRITON_READY_S": "240"}
        env |= {
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), env.get("PYTHONPATH", "")]),
            "REWARD_GATEWAY_STATE_DIR": str(self.state_dir),
        }
        self.log = self.state_dir / "stack.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, *self.models],
                env=env | self.variables, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def come_up(self, seconds: float = 240.0) -> None:
        until(lambda: "UP " in self.said() or self.process.poll() is not None, seconds)
        line = next((line for line in self.said().splitlines() if line.startswith("UP ")), None)
        assert line is not None, self.said()
        _, port, self.triton, self.redis, self.state = line.split()
        self.http_port = int(port)
        self.remember()

    def remember(self) -> None:
        """Note every process that belongs to the stack now, so that later it can be asked for."""
        self.family += psutil.Process(self.process.pid).children(recursive=True)

    def said(self) -> str:
        return self.log.read_text()

    def child(self, words: str) -> psutil.Process:
        """The one direct child whose command line contains ``words``."""
        found = [c for c in psutil.Process(self.process.pid).children() if words in " ".join(c.cmdline())]
        assert len(found) == 1, found
        return found[0]

    def left(self) -> list[psutil.Process]:
        return [process for process in self.family if process.is_running() and process.status() != "zombie"]

    def end(self) -> None:
        if self.process.poll() is None:
            self.remember()  # what was started since, Triton's stubs among it
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


StartStack = Callable[..., Stack]


@pytest.fixture(scope="module")
def start_stack(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartStack]:
    """Starts a stack: ``start_stack(models=["echo"], WORKERS="2")``; it is stopped at the end of the module."""
    started: list[Stack] = []

    def start(models: list[str] | None = None, *, wait: bool = True, **settings: str) -> Stack:
        variables = {"REWARD_GATEWAY_MODEL_REPOSITORY": str(repository)}
        variables |= {
            name if name in ("STANDIN", "WORKER") else f"REWARD_GATEWAY_{name}": value
            for name, value in settings.items()
        }
        stack = Stack(tmp_path_factory.mktemp("state"), variables, models or [])
        started.append(stack)
        stack.start()
        if wait:
            stack.come_up()
        return stack

    yield start
    for stack in started:
        stack.end()
    left = [process for stack in started if not until(lambda: not stack.left()) for process in stack.left()]  # noqa: B023
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert not left
