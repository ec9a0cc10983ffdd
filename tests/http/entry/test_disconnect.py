"""Clients that go away, and a gateway that goes away, over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from tests.clock import Clock, turns, until

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def listening(served: Any) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    """The application on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        config = uvicorn.Config(
            served.app, log_config=None, access_log=False, http="httptools", timeout_graceful_shutdown=5
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([bound]))
        await until(lambda: server.started)
        try:
            yield bound.getsockname()[1], server
        finally:
            server.should_exit = True
            await running


async def ask(port: int, body: bytes, *, complete: bool = True) -> asyncio.StreamWriter:
    """Send a request and leave its connection open; ``complete=False`` leaves the last byte out."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /v1/score HTTP/1.1\r\nhost: ::1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + (body if complete else body[:-1]))
    await writer.drain()
    return writer


BODY = json.dumps({"samples": [{"response": "a"}]}).encode()


async def test_work_for_a_client_that_left_is_dropped(served: Any) -> None:
    served.models.gate.shut()
    async with listening(served) as (port, _):
        writer = await ask(port, BODY)
        await until(lambda: served.models.running == 1)
        writer.close()
        await until(lambda: served.traffic.admission.in_flight == 0)
        assert await served.metric('reward_gateway_requests_total{protocol="http",route="/v1/score",status="499"}') == 1


async def test_a_client_that_left_the_queue_leaves_it_for_good(serve: Any) -> None:
    async with serve(max_in_flight=1, max_queued=5) as served:
        await served.traffic.admission.acquire()
        async with listening(served) as (port, _):
            writer = await ask(port, BODY)
            await until(lambda: served.traffic.admission.queued == 1)
            writer.close()
            await until(lambda: served.traffic.admission.queued == 0)
            served.traffic.admission.release()
            assert served.traffic.admission.in_flight == 0


async def test_a_client_that_leaves_halfway_through_its_body_holds_no_place(served: Any) -> None:
    async with listening(served) as (port, _):
        writer = await ask(port, BODY, complete=False)
        await until(lambda: served.traffic.drain.in_progress == 1)
        writer.close()
        await until(lambda: served.traffic.drain.in_progress == 0)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_body_that_never_ends_is_refused_at_the_deadline(serve: Any, clock: Clock, encoding: str) -> None:
    async with serve(default_deadline_s=300, body_grace_s=3600) as served, listening(served) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /v1/score HTTP/1.1\r\nhost: ::1\r\ncontent-encoding: {encoding}\r\ncontent-length: 100\r\n\r\n{{"
        writer.write(head.encode())
        await until(lambda: served.traffic.drain.in_progress == 1)
        await clock.advance(301)
        assert b" 504 " in await reader.readuntil(b"\r\n")
        await until(lambda: served.traffic.drain.in_progress == 0)
        writer.close()


async def test_a_body_that_comes_slowly_is_read_whole(served: Any) -> None:
    body = json.dumps({"samples": [{"response": "x" * 150_000}]}).encode()
    async with listening(served) as (port, _), httpx.AsyncClient(timeout=None) as client:

        async def slowly() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 20_000):
                yield body[start : start + 20_000]
                await turns()

        answer = await client.post(f"http://127.0.0.1:{port}/v1/score", content=slowly())
        assert answer.json()["results"][0]["reward"] == 150_000.0


async def test_a_request_that_waits_long_in_the_queue_still_has_its_body(serve: Any, clock: Clock) -> None:
    async with serve(max_in_flight=1, max_queued=5, queue_timeout_s=60) as served:
        await served.traffic.admission.acquire()
        async with listening(served) as (port, _), httpx.AsyncClient(timeout=None) as client:
            asking = asyncio.create_task(client.post(f"http://127.0.0.1:{port}/v1/score", content=BODY))
            await until(lambda: served.traffic.admission.queued == 1)
            await clock.advance(10)  # what uvicorn gives a client that keeps its connection open, twice
            served.traffic.admission.release()
            assert (await asking).json()["results"][0]["reward"] == 1.0


async def test_requests_under_way_finish_when_the_server_stops(served: Any) -> None:
    served.models.gate.shut()
    async with listening(served) as (port, server), httpx.AsyncClient(timeout=None) as client:
        asking = [asyncio.create_task(client.post(f"http://127.0.0.1:{port}/v1/score", content=BODY)) for _ in range(5)]
        await until(lambda: served.traffic.admission.in_flight == 5)
        served.traffic.drain.begin()
        ready = await client.get(f"http://127.0.0.1:{port}/readyz")
        refused = await client.post(f"http://127.0.0.1:{port}/v1/score", content=BODY)
        server.should_exit = True
        await until(lambda: not server.servers[0].sockets)  # it has stopped listening
        served.models.gate.open()
        answers = await asyncio.gather(*asking)
    assert (ready.status_code, refused.status_code) == (503, 503)
    assert [answer.status_code for answer in answers] == [200] * 5


async def test_a_body_over_its_limit_is_refused_before_it_is_read(serve: Any) -> None:
    async with serve(max_body_bytes=1000) as served, listening(served) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/score HTTP/1.1\r\nhost: ::1\r\ncontent-length: 1000000000\r\n\r\n")
        head = await reader.readuntil(b"\r\n")
        assert b" 413 " in head
        writer.close()
