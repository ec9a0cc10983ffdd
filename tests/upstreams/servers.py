"""Real servers as processes: vLLM and infinity over a small checkpoint, started, killed, held and let go."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.ports import free_port

HERE = Path(__file__).parent
READY_S = 400
"""For a server that hangs: it is ready in some 45 s on an idle machine."""

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # `--enforce-eager` leaves the sampler, which torch compiles by a command that fails where a path has a space.
    "TORCH_COMPILE_DISABLE": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
}


@dataclass
class Server:
    """A server, whose process may change."""

    command: list[str]
    port: int
    log: Path
    process: subprocess.Popen[bytes]
    health: str = "/health"
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        """Until it says that it is well."""
        end = time.monotonic() + READY_S
        while self.process.poll() is None and time.monotonic() < end:
            try:
                if httpx.get(f"{self.url}{self.health}", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
        said = self.log.read_text(errors="replace")
        self.kill()
        pytest.fail(f"the server did not start:\n{said[-3000:]}")

    def kill(self) -> None:
        """All of its processes at once, as when its machine is lost."""
        family = self._family()
        for member in family:
            _signal(member, signal.SIGKILL)
        self.process.wait()
        psutil.wait_procs(family, timeout=10)

    def hold(self) -> None:
        """It stands still, with its connections open."""
        for member in self._family():
            _signal(member, signal.SIGSTOP)

    def let_go(self) -> None:
        """It goes on."""
        for member in self._family():
            _signal(member, signal.SIGCONT)

    def restart(self, *command: str) -> None:
        """Start it anew at its address, with another command where one is given."""
        self.kill()
        self.command = list(command) or self.command
        self.process = _open(self.command, self.log, self.environment)

    def _family(self) -> list[psutil.Process]:
        try:
            first = psutil.Process(self.process.pid)
            return [*first.children(recursive=True), first]
        except psutil.NoSuchProcess:
            return []


def _signal(member: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        member.send_signal(number)


def _open(command: list[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    named = {**os.environ, **QUIET, **environment}
    with log.open("ab") as out:
        return subprocess.Popen(command, env=named, stdout=out, stderr=out, start_new_session=True)


def start_vllm(checkpoint: Path, log: Path, *flags: str, generate: bool = False) -> Server:
    """A vLLM that serves a checkpoint under the name ``rm``, on its way to be ready."""
    port = free_port()
    return start_server(vllm_command(checkpoint, port, *flags, generate=generate), port, log)


@contextlib.contextmanager
def serving_vllm(checkpoint: Path, log: Path, *flags: str, generate: bool = False) -> Iterator[Server]:
    """A vLLM that is ready, until the end of the block."""
    server = start_vllm(checkpoint, log, *flags, generate=generate)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.kill()


def vllm_command(checkpoint: Path, port: int, *flags: str, generate: bool = False) -> list[str]:
    """What starts vLLM; without ``--enforce-eager`` it compiles for a minute, and gives the same numbers."""
    vllm = str(Path(os.environ["UPSTREAMS_PYTHON"]).with_name("vllm"))
    kind = [] if generate else ["--runner", "pooling", "--convert", "classify"]
    shared = ["--dtype", "float32", "--max-model-len", "256", "--enforce-eager", "--served-model-name", "rm"]
    return [vllm, "serve", str(checkpoint), *kind, *shared, "--host", "127.0.0.1", "--port", str(port), *flags]


def start_infinity(checkpoints: Mapping[str, Path], log: Path) -> Server:
    """An infinity that serves checkpoints by their names, on its way to be ready."""
    infinity = str(Path(os.environ["INFINITY_PYTHON"]).with_name("infinity_emb"))
    port = free_port()
    served = [
        option
        for name, folder in checkpoints.items()
        for option in ("--model-id", str(folder), "--served-model-name", name)
    ]
    options = ["--dtype", "float32", "--device", "cpu", "--no-bettertransformer", "--no-model-warmup"]
    return start_server([infinity, "v2", *served, *options, "--host", "127.0.0.1", "--port", str(port)], port, log)


def start_server(
    command: list[str],
    port: int,
    log: Path,
    *,
    health: str = "/health",
    environment: Mapping[str, str] | None = None,
) -> Server:
    """A server on its way to be ready, which is told by a path of its own and gets further variables."""
    given = environment or {}
    return Server(command, port, log, _open(command, log, given), health, given)


def make_checkpoint(folder: Path, name: str, seed: int = 1) -> Path:
    """What checkpoints.py makes."""
    python = os.environ["UPSTREAMS_PYTHON"]
    command = [python, str(HERE / "checkpoints.py"), str(folder), name, str(seed)]
    done = subprocess.run(command, env={**os.environ, **QUIET}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def ask_torch(questions: list[dict[str, Any]]) -> list[Any]:
    """What torch_scores.py answers."""
    return _ask_script("torch_scores.py", questions)


def ask_transformers(questions: list[dict[str, Any]]) -> list[str]:
    """What transformers_texts.py answers."""
    return _ask_script("transformers_texts.py", questions)


def _ask_script(name: str, questions: list[dict[str, Any]]) -> list[Any]:
    command = [os.environ["UPSTREAMS_PYTHON"], str(HERE / name)]
    given = json.dumps(questions)
    done = subprocess.run(
        command, input=given, env={**os.environ, **QUIET}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[Any] = json.loads(done.stdout)
    return answers
