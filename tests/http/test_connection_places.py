"""Connections beyond those that there is room for: who waits makes room, and probes have places of their own."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from reward_gateway.http import connection_places

from tests.clock import turns, until

from .listening import SCORE, Client, Listening, closing_code, connect, listening, post

pytestmark = pytest.mark.anyio


async def fill(to: Listening, count: int, data: bytes) -> list[Client]:
    clients = [await connect(to) for _ in range(count)]
    for client in clients:
        await client.send(data)
    return clients


@pytest.mark.parametrize("data", [b"", b"POST /v1/score HTTP/1.1\r\nhost: "], ids=["silent", "halfway"])
async def test_connections_that_only_wait_make_room(serve: Any, data: bytes) -> None:
    async with serve(header_timeout_s=3600) as served, listening(served, places=5) as to:
        waiting = await fill(to, 30, data)
        client = await connect(to)
        await client.send(post(SCORE))
        assert (await client.answer())[0] == 200
        await until(lambda: len(to.server.server_state.connections) <= 6)
        for one in (*waiting, client):
            one.close()


def shake_hands(to: Listening) -> ssl.SSLSocket:
    """A connection over TLS, on which nothing is sent and nothing is read."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", to.port)))


async def test_clients_that_do_not_end_tls_make_room_all_the_same(serve: Any, tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    files = {"tls_certificate": tmp_path / "server.pem", "tls_key": tmp_path / "server.pem"}
    async with serve(header_timeout_s=3600, **files) as served, listening(served, places=5) as to:
        waiting = [await asyncio.to_thread(shake_hands, to) for _ in range(30)]
        await turns()
        assert len(to.server.server_state.connections) == 5
        for one in waiting:
            one.close()


async def test_probes_are_answered_while_every_place_is_taken(serve: Any) -> None:
    async with serve() as served, listening(served, places=5) as to:
        served.models.gate.shut()
        busy = await fill(to, 5, post(SCORE))
        await until(lambda: served.traffic.admission.in_flight == 5)
        for _ in range(40):  # more than there are places in reserve
            probe = await connect(to)
            await probe.send(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert (await probe.answer())[0] == 200
            work = await connect(to)
            await work.send(post(SCORE))
            answer = await work.answer()
            assert closing_code(answer) == (503, "overloaded")
            assert answer[1]["retry-after"]
            probe.close()
            work.close()
        served.models.gate.open()
        assert [(await client.answer())[0] for client in busy] == [200] * 5
        await until(lambda: len(to.server.server_state.connections) == 5)
        again = await connect(to)
        await again.send(post(SCORE))
        assert (await again.answer())[0] == 200
        for client in (*busy, again):
            client.close()


async def test_the_bytes_of_incomplete_headers_are_bounded_in_all(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_places, "HEAD_BYTES", 50_000)
    async with serve(header_timeout_s=3600, max_header_bytes=20_000) as served, listening(served) as to:
        head = b"POST /v1/score HTTP/1.1\r\nx: " + b"v" * 10_000
        clients = await fill(to, 20, head)
        for client in clients[:10]:
            assert closing_code(await client.answer()) == (503, "overloaded")
        await until(lambda: len(to.server.server_state.connections) <= 5)
        for client in clients:
            client.close()
