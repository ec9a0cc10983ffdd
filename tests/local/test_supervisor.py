"""The supervisor with a stand-in gateway and no other server: order, restarts, giving up, signals."""

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

StartStack = Callable[..., Any]
ELSEWHERE = {"TRITON_URL": "127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1"}


def test_a_server_with_an_address_is_not_started(start_stack: StartStack) -> None:
    stack = start_stack(**ELSEWHERE)
    assert (stack.triton, stack.redis) == ("127.0.0.1:1", "redis://127.0.0.1:1")
    assert stack.state == stack.redis, "one external Redis keeps scores and state"
    assert [process.cmdline()[-1] for process in stack.family] == ["standin_worker"]


def test_a_store_of_state_with_an_address_is_not_started_and_the_cache_is(start_stack: StartStack) -> None:
    stack = start_stack(TRITON_URL="127.0.0.1:1", STATE_REDIS_URL="redis://127.0.0.1:2")
    assert stack.state == "redis://127.0.0.1:2"
    assert stack.redis not in ("", stack.state)
    assert len([child for child in stack.family if "valkey-server" in " ".join(child.cmdline())]) == 1


def test_the_next_start_on_a_port_finds_the_state_of_the_last(start_stack: StartStack) -> None:
    stack = start_stack(TRITON_URL="127.0.0.1:1")
    redis.Redis.from_url(stack.state).set("kept", "over a stop")
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(120) == 0
    stack.variables["REWARD_GATEWAY_HTTP_PORT"] = str(stack.http_port)
    stack.start()
    stack.come_up()
    assert redis.Redis.from_url(stack.state).get("kept") == b"over a stop"


def test_several_workers_share_one_port(start_stack: StartStack) -> None:
    stack = start_stack(WORKERS="2", **ELSEWHERE)
    assert len(stack.family) == 2
    for process in stack.family:
        environment = process.environ()
        assert Path(environment["PROMETHEUS_MULTIPROC_DIR"]).is_dir()
        assert environment["REWARD_GATEWAY_HTTP_PORT"] == str(stack.http_port)
    stack.family[0].kill()
    assert httpx.get(f"http://127.0.0.1:{stack.http_port}/", timeout=60).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(start_stack: StartStack, number: signal.Signals) -> None:
    stack = start_stack(**ELSEWHERE)
    stack.process.send_signal(number)
    assert stack.process.wait(120) == 0
    assert stack.left() == []


def test_a_hangup_reaches_the_gateways_and_stops_nothing(start_stack: StartStack) -> None:
    stack = start_stack(TRITON_URL="127.0.0.1:1", WORKERS="2")
    before = {process.pid for process in stack.family}

    def hang_up() -> bool:
        """Again until both read: they listen on one socket, so that the first answers for one still starting."""
        stack.process.send_signal(signal.SIGHUP)
        return bool(stack.said().count("reloaded") >= 2)

    assert stack.until(hang_up)
    stack.remember()
    assert {process.pid for process in stack.family if process.is_running()} == before
    assert httpx.get(f"http://127.0.0.1:{stack.http_port}/", timeout=60).status_code == 200


def test_a_gateway_that_starts_is_not_hung_up(start_stack: StartStack) -> None:
    stack = start_stack(STANDIN="hang", wait=False, **ELSEWHERE)
    assert stack.until(lambda: "gateway: starting" in stack.said())
    stack.process.send_signal(signal.SIGHUP)
    assert stack.until(lambda: "reading recipes and keys again" in stack.said())
    stack.remember()
    assert [process.status() for process in stack.family if process.status() == "zombie"] == []
    assert stack.process.poll() is None
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(120) == 0


def test_who_connects_after_the_last_gateway_is_told_that_it_shut_down(start_stack: StartStack) -> None:
    stack = start_stack(STANDIN="deaf", **ELSEWHERE)
    stack.process.send_signal(signal.SIGHUP)
    assert stack.until(lambda: "deaf" in stack.said())
    with socket.create_connection(("127.0.0.1", stack.http_port)) as early:
        early.sendall(b"POST /v1/score HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        stack.process.send_signal(signal.SIGTERM)
        answer = b"".join(iter(lambda: early.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer
    assert b"draining" in answer
    assert stack.process.wait(120) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", stack.http_port))


def test_a_child_that_ignores_sigterm_is_killed_when_its_time_is_up(start_stack: StartStack) -> None:
    stack = start_stack(STANDIN="stubborn", DRAIN_S="0", **ELSEWHERE)
    began = time.monotonic()
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(120) == 0
    assert time.monotonic() - began > 2.5
    assert stack.left() == []


def test_a_second_signal_stops_at_once(start_stack: StartStack) -> None:
    stack = start_stack(STANDIN="stubborn", DRAIN_S="3600", **ELSEWHERE)
    stack.process.send_signal(signal.SIGINT)
    assert stack.until(lambda: "stopping" in stack.said())
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(120) == 0  # not after the hour that it has
    assert stack.left() == []


def test_a_signal_while_starting_stops_what_was_started(start_stack: StartStack) -> None:
    stack = start_stack(STANDIN="hang", wait=False, **ELSEWHERE)
    assert stack.until(lambda: "gateway: starting" in stack.said())
    assert stack.until(lambda: psutil.Process(stack.process.pid).children())
    stack.remember()
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(120) == 0
    assert stack.family
    assert stack.left() == []


def test_a_gateway_that_refuses_to_start_stops_the_stack_and_is_not_tried_again(start_stack: StartStack) -> None:
    stack = start_stack(STANDIN="refuse", wait=False, **ELSEWHERE)
    assert stack.process.wait(120) == 1
    assert "gateway ended with status 3 before it was ready" in stack.said()
    assert stack.said().count("starting") == 1
