"""Ports: in use is a sentence that names the port and the setting; a reserved one is for our children alone."""

import socket
from contextlib import closing

import pytest
from reward_gateway.local.errors import StackError
from reward_gateway.local.ports import open_listener, reserve_port

from tests.ports import free_port

HOST = "127.0.0.1"


def test_a_port_in_use_names_the_port_and_the_setting() -> None:
    with closing(open_listener(HOST, 0, "http_port")) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port} .* in use.*REWARD_GATEWAY_HTTP_PORT \(--http-port\)"):
            open_listener(HOST, port, "http_port")
        with pytest.raises(StackError, match="REWARD_GATEWAY_GRPC_PORT"):
            reserve_port(HOST, port, "grpc_port")


def test_a_host_that_is_not_ours_names_the_setting() -> None:
    with pytest.raises(StackError, match="REWARD_GATEWAY_HTTP_HOST"):
        open_listener("203.0.113.1", 0, "http_port")
    with pytest.raises(StackError, match="REWARD_GATEWAY_HTTP_HOST"):
        open_listener("no-such-host.invalid", 0, "http_port")


def test_a_reserved_port_is_open_to_children_that_share_it_and_to_nobody_else() -> None:
    port = free_port()
    with closing(reserve_port(HOST, port, "grpc_port")):
        with closing(socket.socket()) as child:
            child.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            child.bind((HOST, port))
            child.listen()
            with closing(socket.create_connection((HOST, port), timeout=60)), closing(child.accept()[0]):
                pass
        with pytest.raises(StackError, match="in use"):
            reserve_port(HOST, port, "grpc_port")


def test_free_ports_lie_where_no_client_is_given_its_own() -> None:
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        lowest = int(file.read().split()[0])
    assert all(free_port() < lowest for _ in range(20))
