"""Jobs of a gateway that restarts, and keeps them in Redis: whoever waits for one is answered by the next gateway."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from redis import Redis
from reward_gateway.client import RewardClient, Scores
from reward_gateway.jobs import runner
from reward_gateway.recipes.known_models import KnownModel

from tests.client.conftest import Service, serving
from tests.client.test_jobs import RECIPES, Lengths
from tests.valkey import Valkey


def free_ports() -> tuple[int, int]:
    with socket.socket() as http, socket.socket() as grpc:
        http.bind(("127.0.0.1", 0))
        grpc.bind(("127.0.0.1", 0))
        return http.getsockname()[1], grpc.getsockname()[1]


@pytest.fixture
def store(valkey_process: Valkey) -> str:
    with contextlib.closing(Redis.from_url(valkey_process.url)) as client:
        client.flushdb()
    return valkey_process.url


@contextlib.contextmanager
def gateway(models: Lengths, store: str, ports: tuple[int, int]) -> Iterator[Service]:
    running = serving(RECIPES, models, known={"length": KnownModel(("response",))}, state_url=store, ports=ports)
    yield next(running)
    next(running, None)


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_who_waits_for_a_job_is_answered_by_the_next_gateway(
    store: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LEASE_S", 1.0)
    held, free, ports = Lengths(), Lengths(), free_ports()
    free.free.set()
    answered: list[Scores] = []
    with gateway(held, store, ports) as first:
        client = RewardClient(first.url if transport == "http" else first.grpc_url, run="r")
        job = client.submit("p", ["a", "ab"], reward="slow")
        waiting = threading.Thread(target=lambda: answered.append(job.result(timeout=110)))
        waiting.start()
    assert waiting.is_alive()
    with client, gateway(free, store, ports):
        waiting.join(115)
        assert [list(scores.rewards) for scores in answered] == [[1.0, 2.0]]
        assert [result.reward for result in job] == [1.0, 2.0]
        assert len(client.run().take(wait_s=20)) == 2
