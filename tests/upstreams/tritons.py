"""Real Tritons as processes, on ports of their own over HTTP and gRPC, and checkpoints made their models."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reward_gateway.admin.loaded_models import LoadedModels
from reward_gateway.local.triton import triton_child
from reward_gateway.settings import Settings

from tests.conftest import ROOT
from tests.ports import free_port
from tests.upstreams.servers import Server, start_server

TORCH = os.environ.get("REWARD_MODELS_CONVERT_PYTHON") or str(ROOT / ".local" / "convert" / "bin" / "python")


def add_model(checkpoint: Path, name: str, engine: str, repository: Path) -> None:
    """``models add`` in the environment that has torch."""
    command = [TORCH, "-W", "ignore", "-m", "reward_models.convert", f"--engine={engine}", f"--name={name}"]
    done = subprocess.run(
        [*command, f"--repository={repository}", "--", str(checkpoint)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "models")},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@contextmanager
def serving_triton(folder: Path, repository: Path, models: list[str]) -> Iterator[tuple[Server, str]]:
    """A Triton with some models of a repository, and the address of its gRPC, until the end of the block."""
    folder.mkdir()
    settings = Settings(model_repository=repository, state_dir=folder)
    child, _ = triton_child(settings, models, folder, folder, LoadedModels(folder))
    http, grpc = free_port(), free_port()
    kept = [word for word in child.argv if not word.startswith(("--grpc-", "--allow-http"))]
    ports = [f"--http-port={http}", f"--grpc-port={grpc}", "--http-address=127.0.0.1", "--grpc-address=127.0.0.1"]
    command = [*kept, *ports, *(f"--load-model={name}" for name in models)]
    server = start_server(command, http, folder / "log", health="/v2/health/ready", environment=dict(child.env or {}))
    try:
        server.wait_until_ready()
        yield server, f"127.0.0.1:{grpc}"
    finally:
        server.kill()
        if child.clean_up is not None:
            child.clean_up(server.process.pid, True)
