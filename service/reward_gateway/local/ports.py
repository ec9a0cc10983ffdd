"""Binds ports, with errors that name the setting instead of a traceback."""

import errno
import socket

from reward_gateway.local.errors import StackError


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
