"""Stacks of our own, with recipes and a model whose right scores follow from the text."""

import atexit
import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import Stack, start_stack, stop_stack
from tests.families import find_in_family, find_one, has_in_command, is_valkey_in

RECIPES = """
default: rule
rewards:
  rule: {components: {words: {score: length_penalty, params: {free_words: 0, per_word: 1.0}}}}
  model: {components: {length: {score: length_in_bytes}}}
  counted:
    components:
      mine: {score: given, inputs: {value: {feature: mine}}, transforms: [{running_scale: {stream: chaos}}]}
  compared:
    components: {mine: {score: given, inputs: {value: {feature: mine}}}}
    group: {normalize: mean, cohort: {size: 4, timeout_s: 60}}
"""
"""``rule``: minus the number of words. ``model``: the response's bytes. ``counted``: a running statistic of the
feature ``mine``. ``compared``: that feature less its mean over the four samples of a prompt, sent one by one."""

MODEL = "length_in_bytes"
SLOW, SLOW_ROW_S = "slow", 0.01
"""A response that begins with this word takes the model so many seconds."""

CONFIG = f"""
name: "{MODEL}"
backend: "python"
max_batch_size: 256
input [
  {{ name: "prompt" data_type: TYPE_STRING dims: [1] }},
  {{ name: "response" data_type: TYPE_STRING dims: [1] }}
]
output [
  {{ name: "score" data_type: TYPE_FP32 dims: [1] }},
  {{ name: "flags" data_type: TYPE_UINT32 dims: [1] }},
  {{ name: "error" data_type: TYPE_STRING dims: [1] }}
]
dynamic_batching {{ max_queue_delay_microseconds: 0 }}
instance_group [{{ kind: KIND_CPU count: 1 }}]
parameters: {{ key: "inputs" value: {{ string_value: "prompt,response" }} }}
parameters: {{ key: "dimensions" value: {{ string_value: "length" }} }}
"""
MODEL_CODE = f'''
"""The length of the response in bytes."""
import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        texts = pb_utils.get_input_tensor_by_name(request, "response").as_numpy().ravel()
        n = len(texts)
        time.sleep({SLOW_ROW_S} * sum(text.startswith({SLOW.encode()!r}) for text in texts))
        score = np.fromiter((len(text) for text in texts), np.float32, n).reshape(n, 1)
        flags, error = np.zeros((n, 1), np.uint32), np.full((n, 1), b"", dtype=object)
        tensors = {{"score": score, "flags": flags, "error": error}}
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, value) for name, value in tensors.items()])
'''

WITHOUT_TRITON = ("--triton-url", "127.0.0.1:1")
"""Flags of a stack that serves rules alone, and starts in seconds."""

Launch = Callable[..., "ChaosStack"]


@dataclass(frozen=True)
class ChaosStack:
    """A running stack and its processes."""

    running: Stack

    @property
    def http(self) -> str:
        return self.running.http

    @property
    def grpc(self) -> str:
        return self.running.grpc

    def processes(self) -> list[psutil.Process]:
        """Every process of the stack now."""
        parent = psutil.Process(self.running.process.pid)
        return [parent, *parent.children(recursive=True)]

    def workers(self) -> list[int]:
        """Process ids of the gateway's workers, oldest first."""
        return [process.pid for process in self._find(has_in_command("reward_gateway.cli.worker"))]

    def triton(self) -> int:
        return self._find_one(lambda process: process.name() == "tritonserver")

    def model_processes(self) -> list[int]:
        """Process ids in which Triton runs models written in Python."""
        return [process.pid for process in self._find(has_in_command("triton_python_backend_stub"))]

    def cache(self) -> int:
        """Process id of the embedded Valkey that caches scores."""
        return self._find_one(is_valkey_in("valkey"))

    def state(self) -> int:
        """Process id of the embedded Valkey that keeps state."""
        return self._find_one(is_valkey_in("state"))

    def metric(self, name: str, **labels: str) -> float:
        """A metric summed over its other labels."""
        page = httpx.get(f"{self.http}/metrics", timeout=30).text
        lines = [line for line in page.splitlines() if re.match(rf"{name}(\{{|\s)", line)]
        chosen = [line for line in lines if all(f'{label}="{value}"' in line for label, value in labels.items())]
        return sum(float(line.rsplit(" ", 1)[1]) for line in chosen)

    def readyz(self) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.http}/readyz", timeout=30).json()
        return answer

    def said(self) -> str:
        return self.running.log.read_text(errors="replace")

    def _find(self, is_wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
        return find_in_family(self.running.process.pid, is_wanted)

    def _find_one(self, is_wanted: Callable[[psutil.Process], bool]) -> int:
        return find_one(self.running.process.pid, is_wanted)


@dataclass
class Stacks:
    """Starts stacks, each in a folder of its own, and stops them.

    At the exit of the interpreter too: who interrupts the tests while a thread starts a stack leaves none behind.
    """

    folders: pytest.TempPathFactory
    started: list[Stack] = field(default_factory=list)

    def __post_init__(self) -> None:
        atexit.register(self.stop_all)

    def launch(self, *flags: str, recipes: str = RECIPES, wrapper: Sequence[str] = ()) -> ChaosStack:
        """Start a stack; with the model unless the flags name another Triton. The wrapper is a command that runs it."""
        folder = self.folders.mktemp("chaos")
        (folder / "rewards.yaml").write_text(recipes)
        chosen = ["--rewards-file", str(folder / "rewards.yaml"), "--state-dir", str(folder / "state"), *flags]
        if "--triton-url" not in flags:
            repository = folder / "repository"
            (repository / MODEL / "1").mkdir(parents=True)
            (repository / MODEL / "config.pbtxt").write_text(CONFIG)
            (repository / MODEL / "1" / "model.py").write_text(MODEL_CODE)
            chosen += ["--model-repository", str(repository)]
        stack = start_stack(folder / "serve.log", *chosen, wrapper=wrapper)
        self.started.append(stack)
        return ChaosStack(stack)

    def stop_all(self) -> None:
        """Stop what still runs, frozen processes too."""
        for stack in self.started:
            if stack.process.poll() is not None:
                continue
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in psutil.Process(stack.process.pid).children(recursive=True):
                    process.send_signal(signal.SIGCONT)
            stop_stack(stack)


@contextlib.contextmanager
def frozen(pid: int) -> Any:
    """Stop a process without ending it; it goes on after the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def wait_until(happened: Callable[[], object], seconds: float = 60.0) -> float:
    """Wait for what must happen; returns the seconds that it took. Raises AssertionError if it does not."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < seconds, f"it did not happen within {seconds:g} s"
        time.sleep(0.05)
    return time.monotonic() - began
