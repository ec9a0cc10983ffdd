"""The embedded Triton: a server for the model repository, with the Python backend, on a Unix socket.

Who may call it may run code as this user (a model can be loaded from files in a request), read shared memory and write
log files. So only this user may: it listens on a socket in a private folder, and on no port, not even for metrics. What
they would say, the gateway's own metrics and Triton's statistics (``ModelStatistics``, over gRPC) say as well.
"""

import contextlib
import importlib.util
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import psutil

from reward_gateway.local import platform, probes
from reward_gateway.local.children import Child
from reward_gateway.local.own_folders import own_folder
from reward_gateway.settings import Settings

_EXIT_S = 3  # time for in-flight inferences at shutdown; the gateways have drained by then
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the kernel keeps shared memory, not a scratch file
_PREFIX = "reward_gateway_"
_PREFIX_OPTION = "--backend-config=python,shm-region-prefix-name="
_SERVER, _STUB = "tritonserver", "triton_python_backend_stub"
_PORT = 1  # Triton appends it to any address, and so to the name of the socket
_servers = itertools.count()

CONFIG_NAME = "served"
"""If ``configs/served.pbtxt`` exists, which lists the versions to serve, it replaces ``config.pbtxt``."""


class ModelList(Protocol):
    """The list of loaded models, on disk, so that a restarted Triton loads the same ones."""

    def write(self, names: Iterable[str]) -> None:
        """Replace the list."""

    def read(self) -> list[str]:
        """Read the list."""


def triton_child(
    settings: Settings,
    models: Sequence[str],
    run_dir: Path,
    sockets: Path,
    loaded: ModelList,
    plain: Callable[[Path], Path] = lambda folder: folder,
) -> tuple[Child, str]:
    """The server as a child, and its gRPC address, which a restarted server keeps.

    Args:
        settings: where the repository, the environment and the state are.
        models: names in the repository that are loaded at the start; others may be loaded later.
        run_dir: folder of this stack's logs.
        sockets: folder for its socket; see :mod:`.sockets`.
        loaded: keeps the names that are loaded.
        plain: gives a folder by a path without spaces; see :mod:`.plain_paths`.

    Raises:
        StackError: the server cannot run on this machine.
    """
    platform.check_machine()
    home = platform.find_triton(settings.triton_env)
    backends = plain(backend_directory(home, settings.state_dir))
    address = f"unix:{sockets / 'triton'}"
    prefix = f"{_PREFIX}{os.getpid()}_{next(_servers)}_"
    kill_orphans()
    remove_stale_memory()
    loaded.write(models)
    argv = [
        str(home.root / "bin" / _SERVER),
        f"--model-repository={plain(settings.model_repository.resolve())}",
        "--model-control-mode=explicit",
        f"--model-config-name={CONFIG_NAME}",
        f"--backend-directory={backends}",
        f"{_PREFIX_OPTION}{prefix}",
        *(f"--grpc-address={address}", f"--grpc-port={_PORT}"),
        *("--allow-http=false", "--allow-metrics=false"),
        "--strict-readiness=true",
        f"--exit-timeout-secs={_EXIT_S}",
        "--log-format=ISO8601",
    ]
    child = Child(
        name="Triton",
        argv=argv,
        ready=probes.triton_ok(f"{address}:{_PORT}"),
        env=_server_environment(home, settings),
        log=run_dir / "triton.log",
        ready_s=settings.triton_ready_s,
        stop_s=_EXIT_S + 2,
        clean_up=lambda pid, was_ready: _unlink_memory(prefix),
        find_fault=find_lost_model,
        late_arguments=lambda: [f"--load-model={name}" for name in loaded.read()],
        private=True,
    )
    return child, f"{address}:{_PORT}"


def backend_directory(home: platform.TritonHome, state_dir: Path) -> Path:
    """Create the folder in which Triton finds its Python backend, made of links, once per set of parts.

    It holds the backend, the stub for the environment's Python, and the package that the models import:
    a stub runs isolated from ``PYTHONPATH``, yet with this folder on its path.

    Raises:
        StackError: another user has made it, or may write to it.
    """
    spec = importlib.util.find_spec("reward_models")
    packages = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    parts = [*sorted((home.root / "backends" / "python").glob("*.*")), home.stub, *packages]
    digest = blake2b("\n".join(map(str, parts)).encode(), digest_size=6).hexdigest()
    final = own_folder(state_dir, "backends") / digest
    if not final.exists():
        draft = Path(tempfile.mkdtemp(dir=final.parent))
        (draft / "python").mkdir()
        for part in parts:
            (draft / "python" / part.name).symlink_to(part)
        try:
            draft.rename(final)  # atomic, also when two stacks start at once
        except OSError:
            shutil.rmtree(draft)
    return own_folder(state_dir, "backends", digest)


def kill_orphans() -> None:
    """Kill servers and models' processes whose supervisor was killed by SIGKILL.

    Usually they end by themselves; a server that hangs does not, nor a model's process if its server died while it held
    the lock of the shared memory.
    """
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if not words or Path(words[0]).name not in (_SERVER, _STUB):
            continue
        owners = [match[2] for word in words if (match := re.match(rf"({_PREFIX_OPTION})?{_PREFIX}(\d+)_", word))]
        if owners and not Path("/proc", owners[0]).exists():
            with contextlib.suppress(psutil.Error):
                process.kill()


def remove_stale_memory() -> None:
    """Remove shared memory left behind by stacks killed by SIGKILL."""
    for region in _SHARED_MEMORY.glob(f"{_PREFIX}*_*_*"):
        pid = region.name.removeprefix(_PREFIX).partition("_")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            _unlink_memory(f"{_PREFIX}{pid}_")


def find_lost_model(pid: int) -> str:
    """Detect a server whose model's process has died: it still reports ready, but fails every inference."""
    try:
        dead = [stub for stub in psutil.Process(pid).children() if stub.status() == psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return ""
    return "lost the process of a model" if dead else ""


def _unlink_memory(prefix: str) -> None:
    for region in _SHARED_MEMORY.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            region.unlink()


def _server_environment(home: platform.TritonHome, settings: Settings) -> dict[str, str]:
    """This environment, with Triton's interpreter first on PATH, from which the stub takes its packages."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    env["PATH"] = f"{home.env.absolute() / 'bin'}:{env.get('PATH', os.defpath)}"
    env.setdefault("ORT_DISABLE_TELEMETRY", "1")  # turn off usage reports of ONNX Runtime
    if settings.gpu_memory:
        env["REWARD_MODELS_GPU_MEMORY"] = str(settings.gpu_memory)  # read by reward_models.runtime.session
    if not settings.remembers_inputs:
        env["REWARD_MODELS_REMEMBER"] = "0"  # read by reward_models.runtime.remembered
    if home.libraries is not None:
        env["LD_LIBRARY_PATH"] = ":".join(filter(None, (str(home.libraries), env.get("LD_LIBRARY_PATH"))))
    return env
