"""The whole stack with real servers: it comes up, survives kills at the same addresses, and leaves nothing behind."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import redis
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

StartStack = Callable[..., Any]
SHARED_MEMORY = Path("/dev/shm")


def ask(address: str) -> list[float] | None:
    """The model's answer to two rows; None while the server is not there."""
    client = triton.InferenceServerClient(address)
    x, text = triton.InferInput("x", [2, 1], "FP32"), triton.InferInput("text", [2, 1], "BYTES")
    x.set_data_from_numpy(np.array([[3], [4]], np.float32))
    text.set_data_from_numpy(np.array([["ab"], ["größe"]], object))
    try:
        return [float(y) for y in client.infer("echo", [x, text]).as_numpy("y").ravel()]
    except InferenceServerException:
        return None
    finally:
        client.close()


def gateway_pid(port: int) -> int | None:
    try:
        return int(httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=1).text)
    except httpx.HTTPError:
        return None


def address(url: str) -> str:
    """What a Valkey's title holds of its ``unix://`` address."""
    return url.removeprefix("unix://")


@pytest.fixture(scope="module")
def stack(start_stack: StartStack) -> Any:
    return start_stack(["echo"])


def test_triton_runs_the_repositorys_models_with_numbers_and_text_intact(stack: Any) -> None:
    assert ask(stack.triton) == [8.0, 15.0]


def test_scores_and_state_are_kept_by_two_servers(stack: Any) -> None:
    assert stack.state != stack.redis
    assert redis.Redis.from_url(stack.state).ping()
    assert redis.Redis.from_url(stack.redis).ping()


def test_no_server_listens_on_a_port(stack: Any) -> None:
    family = [stack.child("tritonserver"), stack.child(address(stack.redis)), stack.child(address(stack.state))]
    assert [c for process in family for c in process.net_connections("inet")] == []


@pytest.mark.parametrize("victim", ["triton_python_backend_stub", "tritonserver"])
def test_a_killed_triton_comes_back_at_its_address(stack: Any, victim: str) -> None:
    server = stack.child("tritonserver")
    target = server if victim == "tritonserver" else server.children()[0]
    end(target)
    assert stack.until(lambda: ask(stack.triton)) == [8.0, 15.0]
    stack.remember()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


def end(process: psutil.Process) -> None:
    """Kill it, so that whoever answers afterwards is its successor."""
    process.kill()
    process.wait(120)


def test_a_killed_valkey_comes_back_at_its_address(stack: Any) -> None:
    client = redis.Redis.from_url(stack.redis)
    end(stack.child(address(stack.redis)))
    assert stack.until(lambda: answers(client))
    stack.remember()


def test_state_outlives_a_kill_of_its_store(stack: Any) -> None:
    client = redis.Redis.from_url(stack.state)
    client.set("kept", "over a kill")
    end(stack.child(address(stack.state)))
    assert stack.until(lambda: answers(client))
    assert client.get("kept") == b"over a kill"
    stack.remember()


def test_a_killed_gateway_comes_back_and_no_connection_is_refused_meanwhile(stack: Any) -> None:
    before = gateway_pid(stack.http_port)
    stack.child("standin_worker").kill()
    response = httpx.get(f"http://127.0.0.1:{stack.http_port}/readyz", timeout=60)
    assert response.status_code == 200
    assert int(response.text) != before
    stack.remember()


def test_sigterm_stops_everything_and_removes_the_shared_memory(stack: Any) -> None:
    pid = stack.process.pid
    assert list(SHARED_MEMORY.glob(f"reward_gateway_{pid}_*"))
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(120) == 0
    assert stack.left() == []
    assert not list(SHARED_MEMORY.glob(f"reward_gateway_{pid}_*"))


def test_a_second_start_uses_what_the_first_made(stack: Any) -> None:
    links = sorted((stack.state_dir / "backends").iterdir())
    stack.start()
    stack.come_up()
    assert sorted((stack.state_dir / "backends").iterdir()) == links
    assert ask(stack.triton) == [8.0, 15.0]


def test_a_supervisor_killed_outright_leaves_no_process(stack: Any) -> None:
    stack.process.kill()
    stack.process.wait()
    assert stack.until(lambda: not stack.left()), stack.left()


def test_shared_memory_of_a_killed_stack_is_removed_by_the_next(start_stack: StartStack) -> None:
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    stale = SHARED_MEMORY / f"reward_gateway_{gone.pid}_1_x"
    stale.touch()
    ours = SHARED_MEMORY / f"reward_gateway_{os.getpid()}_1_x"
    ours.touch()
    try:
        stack = start_stack(["echo"], wait=False)
        assert stack.until(lambda: not stale.exists())
        assert ours.exists(), "that stack is alive"
    finally:
        ours.unlink()


def test_a_model_that_cannot_be_loaded_stops_the_stack_with_tritons_words(start_stack: StartStack) -> None:
    stack = start_stack(["missing"], wait=False)
    assert stack.process.wait(240) != 0
    assert "Triton ended with status 1 before it was ready" in stack.said()
    assert "missing" in stack.said()
