"""Binds ports, with errors that name the setting instead of a traceback."""

import contextlib
import errno
import json
import socket

from reward_gateway.errors import Draining
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


def close_listener(listener: socket.socket, encrypted: bool = False) -> list[socket.socket]:
    """Stop listening. Connections that nobody has accepted are answered 503, as this gateway shuts down.

    Args:
        encrypted: whether clients expect TLS; then the connections are only closed.

    Returns:
        those connections; closing them at once would reset them, so that their clients lose the answer.
    """
    error = Draining("this gateway has shut down; send the request to another one")
    body = json.dumps(error.error_body()).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n"
        f"retry-after: {error.retry_after_s:.0f}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    answered = []
    listener.setblocking(False)
    with contextlib.suppress(OSError):  # none is left, or as many files are open as may be
        while True:
            connection, _ = listener.accept()
            answered.append(connection)
            with contextlib.suppress(OSError):
                if not encrypted:
                    connection.sendall(head.encode() + body)
                connection.shutdown(socket.SHUT_WR)
    listener.close()
    return answered


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
