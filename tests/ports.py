"""Free ports for the servers of tests."""

import random
import socket
from contextlib import closing
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000


def free_port(host: str = "127.0.0.1") -> int:
    """A free port below the ephemeral range.

    An ephemeral port could be lost while its server restarts: a client that keeps reconnecting may be given
    that port as its own source port, connect to itself, and so occupy it.
    """
    highest = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else 32_768
    if highest - _LOWEST < 1_000:
        return _bind_any(host)
    for port in random.sample(range(_LOWEST, highest), 100):
        with closing(socket.socket()) as sock:
            try:
                sock.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port on {host} among 100 tried between {_LOWEST} and {highest}")


def _bind_any(host: str) -> int:
    with closing(socket.socket()) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])
