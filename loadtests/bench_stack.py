"""The stack that the benchmark measures: a real model, a trivial one whose cost is nearly nothing, and one whose rows
take the same time whatever else this machine does, as if it had a device of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[1]
REAL = "text_preference"
TRIVIAL = "trivial"
TIMED = "timed"
ROW_S = 0.009
"""Seconds per row of the timed model."""

_CONFIG = """
backend: "python"
max_batch_size: 1024
input [
  { name: "prompt" data_type: TYPE_STRING dims: [1] },
  { name: "response" data_type: TYPE_STRING dims: [1] }
]
output [
  { name: "score" data_type: TYPE_FP32 dims: [1] },
  { name: "flags" data_type: TYPE_UINT32 dims: [1] },
  { name: "error" data_type: TYPE_STRING dims: [1] }
]
dynamic_batching { max_queue_delay_microseconds: 0 }
instance_group [{ kind: KIND_CPU count: 1 }]
parameters: { key: "inputs" value: { string_value: "prompt,response" } }
parameters: { key: "dimensions" value: { string_value: "length" } }
parameters: { key: "flags" value: { string_value: "truncated" } }
"""

_MODEL = '''
"""The length of the response: a model whose cost is nearly nothing."""
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            texts = pb_utils.get_input_tensor_by_name(request, "response").as_numpy().ravel()
            n = len(texts)
            score = np.fromiter((len(t) for t in texts), np.float32, n).reshape(n, 1)
            answers.append(pb_utils.InferenceResponse([
                pb_utils.Tensor("score", score),
                pb_utils.Tensor("flags", np.zeros((n, 1), np.uint32)),
                pb_utils.Tensor("error", np.full((n, 1), b"", dtype=object)),
            ]))
        return answers
'''

_TIMED_MODEL = _MODEL.replace("import numpy", "import time\nimport numpy").replace(
    "            score =", f"            time.sleep({ROW_S} * n)\n            score ="
)

_REWARDS = f"""
default: {REAL}
rewards:
  {REAL}: {{components: {{score: {{score: {REAL}}}}}}}
  {TRIVIAL}: {{components: {{score: {{score: {TRIVIAL}}}}}}}
  {TIMED}: {{components: {{score: {{score: {TIMED}}}}}}}
  rule: {{components: {{brevity: {{score: length_penalty}}}}}}
  grouped:
    components:
      a: {{score: {TRIVIAL}, transforms: [{{log_sigmoid: {{reference: 0.4}}}}]}}
      b: {{score: length_penalty}}
    combine: {{weighted_sum: {{weights: {{a: 1.0, b: 0.5}}}}}}
    group: {{normalize: zscore}}
  stateful:
    components:
      a: {{score: {TRIVIAL}, transforms: [{{running_scale: {{stream: benchmark}}}}]}}
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """A running stack."""

    http: str
    grpc: str
    triton: str
    pid: int

    def cpu_seconds(self) -> float:
        """CPU that the gateway's process has used so far, user and system."""
        children = psutil.Process(self.pid).children(recursive=True)
        worker = next(child for child in children if "reward_gateway.cli.worker" in child.cmdline())
        return cpu_seconds(worker.pid)

    def counter(self, name: str) -> float:
        """A metric summed over its labels."""
        page = httpx.get(f"{self.http}/metrics").text
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if re.match(rf"{name}(\{{|\s)", line))


def write_model(repository: Path, name: str, code: str = _MODEL) -> None:
    """Add a model of these inputs to a repository: the trivial one, unless told otherwise."""
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(f'name: "{name}"' + _CONFIG)
    (repository / name / "1" / "model.py").write_text(code)


def _repository(folder: Path, root: Path) -> Path:
    """A model repository with the real model and the others."""
    repository = folder / "repository"
    write_model(repository, TRIVIAL)
    write_model(repository, TIMED, _TIMED_MODEL)
    shutil.copytree(root / "models" / "repository" / REAL, repository / REAL, copy_function=os.link)
    return repository


@contextmanager
def running(
    http_port: int = 18480, grpc_port: int = 18481, root: Path = ROOT, more: Mapping[str, object] | None = None
) -> Iterator[Bench]:
    """Start the stack of a source tree with the real model and the two others, and stop it at the end.

    Args:
        root: the tree whose code is started; its models are built.
        more: further flags.
    """
    with tempfile.TemporaryDirectory(dir=root) as name:
        folder = Path(name)
        (folder / "rewards.yaml").write_text(_REWARDS)
        flags = {
            "rewards-file": folder / "rewards.yaml",
            "model-repository": _repository(folder, root),
            "models": f"{REAL},{TRIVIAL},{TIMED}",
            "max-samples": 100_000,
            "max-body-bytes": 1 << 28,
            "redis-max-memory": "1gb",
            **(more or {}),
        }
        with serving(folder / "serve.log", http_port, grpc_port, flags, root) as bench:
            yield bench


@contextmanager
def serving(
    log: Path,
    http_port: int,
    grpc_port: int,
    flags: Mapping[str, object],
    root: Path = ROOT,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Bench]:
    """Run ``reward-gateway serve`` of a source tree with these flags, from when it is ready until the block ends.

    Args:
        variables: further variables of its environment.
    """
    command = [sys.executable, "-m", "reward_gateway.cli.serve"]
    ports = {"http-port": http_port, "grpc-port": grpc_port}
    command += [part for flag, value in {**ports, **flags}.items() for part in (f"--{flag}", str(value))]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'service'}{os.pathsep}{root / 'models'}", **(variables or {})}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=root, env=environment, start_new_session=True)
    url = f"http://127.0.0.1:{http_port}"
    try:
        triton = None  # the addresses are printed once it is ready
        while triton is None or not _is_ready(url):
            if process.poll() is not None:
                sys.exit(f"the stack did not start:\n{log.read_text()}")
            time.sleep(0.2)
            triton = re.search(r"^\s+Triton\s+(\S+)", log.read_text(), flags=re.MULTILINE)
        yield Bench(url, f"127.0.0.1:{grpc_port}", triton[1], process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process in nanosecond resolution (``cpu_times`` counts ticks of 10 ms)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
