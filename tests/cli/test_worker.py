"""cli/worker.py: the socket that a worker listens on is its own."""

import os
import socket

import pytest
from reward_gateway.cli import worker


def test_processes_that_a_worker_starts_do_not_get_the_socket_that_it_listens_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert worker.take_listener() is None
    with socket.create_server(("127.0.0.1", 0)) as given:
        given.set_inheritable(True)  # as the supervisor passes it on
        monkeypatch.setenv("REWARD_GATEWAY_HTTP_FD", str(os.dup2(given.fileno(), 200)))
        listener = worker.take_listener()
        assert listener is not None
        with listener:
            assert not listener.get_inheritable()
