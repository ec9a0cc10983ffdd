"""Workers that share a socket have equal parts of the connections; one that does not answer keeps nobody waiting."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from reward_gateway.http.acceptor import Acceptor
from reward_gateway.http.connection_places import ConnectionPlaces
from reward_gateway.http.server import HttpServer
from reward_gateway.shared_counts import SharedCounts, create_counts

from tests.clock import until

from .listening import SCORE, Unsignalled, connect_to, post

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def workers(served: Any, number: int, stuck: int = 0) -> AsyncIterator[tuple[int, list[ConnectionPlaces]]]:
    """Servers that share a socket as workers do; here they also share the process. Its port, and their connections.

    Args:
        stuck: further workers, which have no connection and take none.
    """
    traffic, metrics = served.traffic, served.telemetry.metrics
    fd = create_counts(number + stuck)
    for place in range(number, number + stuck):
        SharedCounts(os.dup(fd), place).set_own(0)
    async with AsyncExitStack() as held:
        bound = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        places = [ConnectionPlaces(1000, metrics) for _ in range(number)]
        servers = []
        for place, counted in enumerate(places):
            counts = SharedCounts(os.dup(fd), place)
            settings = served.app.state.dependencies.settings
            server = HttpServer(served.app, settings, traffic.drain, metrics, counted, counts)
            server.capture_signals = Unsignalled  # type: ignore[method-assign, assignment]
            servers.append((server, asyncio.create_task(server.serve([bound.dup()]))))
        os.close(fd)
        await until(lambda: all(server.started for server, _ in servers))
        try:
            yield bound.getsockname()[1], places
        finally:
            for server, running in servers:
                server.should_exit = True
                await running


async def test_connections_that_are_opened_at_once_are_spread_evenly(served: Any) -> None:
    async with workers(served, 2) as (port, places):
        clients = await asyncio.gather(*(connect_to(port) for _ in range(64)))
        await until(lambda: sum(map(len, places)) == 64)
        assert min(map(len, places)) >= 31
        for client in clients:
            await client.send(post(SCORE))
        for client in clients:
            assert (await client.answer())[0] == 200
            client.close()
        await until(lambda: sum(map(len, places)) == 0)


async def test_connections_that_come_one_by_one_are_spread_evenly(served: Any) -> None:
    async with workers(served, 3) as (port, places):
        clients = [await connect_to(port) for _ in range(9)]
        await until(lambda: [len(each) for each in places] == [3, 3, 3])
        for client in clients:
            client.close()
        await until(lambda: sum(map(len, places)) == 0)


async def test_a_worker_takes_the_connections_that_a_stuck_one_leaves(served: Any) -> None:
    async with workers(served, 1, stuck=1) as (port, places):
        clients = []
        for number in range(1, 6):
            clients.append(await connect_to(port))
            await until(lambda number=number: len(places[0]) == number)  # type: ignore[misc]
        for client in clients:
            client.close()


async def test_connections_wait_while_no_file_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted(socket.socket):
        refusals = 2

        def accept(self) -> tuple[socket.socket, Any]:
            if Exhausted.refusals:
                Exhausted.refusals -= 1
                raise OSError(24, "Too many open files")
            return super().accept()

    made: list[asyncio.Protocol] = []

    def create_protocol() -> asyncio.Protocol:
        made.append(asyncio.Protocol())
        return made[-1]

    fd = create_counts(1)
    with Exhausted() as bound, socket.socket() as client:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        acceptor = Acceptor(bound, create_protocol, SharedCounts(fd, 0), lambda: len(made))
        client.connect(bound.getsockname())
        await until(lambda: len(made) == 1)
        assert not Exhausted.refusals
        acceptor.close()
