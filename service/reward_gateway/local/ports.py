"""Binds ports, with errors that name the setting instead of a traceback."""

import errno
import random
import socket
from contextlib import closing
from pathlib import Path

from reward_gateway.local.errors import StackError

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000


def open_listener(host: str, port: int, setting: str, *, backlog: int = 2048) -> socket.socket:
    """Bind and listen on ``host:port``; ``port`` 0 takes any free one.

    Raises:
        StackError: the address cannot be bound; the message names the port and its ``setting``.
    """
    sock = _bind_socket(host, port, setting)
    sock.listen(backlog)
    return sock


def reserve_port(host: str, port: int, setting: str) -> socket.socket:
    """Hold ``host:port`` for children that bind it themselves with ``SO_REUSEPORT``.

    The socket is bound and never listens, so the kernel gives it no connection; it only keeps
    other programs off the port while a child is being restarted.

    Raises:
        StackError: the address cannot be bound.
    """
    _bind_socket(host, port, setting).close()  # without SO_REUSEPORT: another gateway's port must count as taken
    return _bind_socket(host, port, setting, share=True)


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
    raise StackError(f"no free port on {host} among 100 tried between {_LOWEST} and {highest}")


def _bind_any(host: str) -> int:
    with closing(socket.socket()) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def _bind_socket(host: str, port: int, setting: str, *, share: bool = False) -> socket.socket:
    env, flag = f"REWARD_GATEWAY_{setting.upper()}", "--" + setting.replace("_", "-")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise StackError(
            f"{host} is not an address of this machine ({error.strerror}): set REWARD_GATEWAY_HTTP_HOST (--http-host)"
        ) from None
    sock = socket.socket(family, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind(address)
        if not share:
            sock.listen(1)  # with SO_REUSEADDR alone, bind() succeeds beside a socket that is bound but silent
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            why = f"port {port} on {host} is in use: stop what listens there, or choose another with {env} ({flag})"
        elif error.errno == errno.EACCES:
            why = f"this user may not listen on port {port}: choose one above 1023 with {env} ({flag})"
        else:
            why = f"cannot listen on {host}:{port} ({error.strerror}): set REWARD_GATEWAY_HTTP_HOST (--http-host)"
        raise StackError(why) from None
    return sock
