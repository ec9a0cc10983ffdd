"""How a WebSocket begins, over real sockets: which requests become one, and where there is a place for it."""

import asyncio
import contextlib
from typing import Any

import pytest

from tests.clock import until
from tests.websocket import RESET, STEP

from .listening import KEY, SCORE, closed_for, connect, handshake, listening, open_websocket, post

pytestmark = pytest.mark.anyio


async def test_an_episode_over_a_real_connection(served: Any) -> None:
    async with listening(served) as to:
        ws = await open_websocket(to.port, "/run/A/r/plain/ws?reward=nobody")
        assert (await ws.ask(RESET))["data"]["observation"]["prompt"] == "p"
        assert (await ws.ask(STEP))["data"]["reward"] == 3.0
        assert await ws.ask({"type": "close"}) == 1000
        ws.close()
    await until(lambda: not served.traffic.websockets.held)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/ws", ("origin: http://evil.example",), 403),
        ("/r/nobody/ws", (), 404),
        ("/nowhere", (), 404),
        ("/%2e/%ff", (), 404),
        ("/v1/score", (), 405),
    ],
)
async def test_a_handshake_is_refused_with_an_answer(
    served: Any, path: str, headers: tuple[str, ...], status: int
) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(handshake(path, *headers))
        assert (await client.answer())[0] == status
        assert await client.closed() == b""
        client.close()


@pytest.mark.parametrize("host", ["rebound.example", "xn--mnchen-3ya.example", "x" * 70, "a..b", "\xfc.example"])
async def test_the_host_of_a_handshake_is_checked_as_it_was_sent(serve: Any, host: str) -> None:
    async with serve() as served, listening(served) as to:
        client = await connect(to)
        await client.send(handshake("/ws", host=host).replace(host.encode(), host.encode("latin-1")))
        assert (await client.answer())[0] in (400, 403)
        client.close()


@pytest.mark.parametrize(
    ("left", "put"),
    [
        (KEY, "x-key: none"),
        (KEY, "sec-websocket-key: short"),
        (KEY, "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=\x01"),
        ("sec-websocket-version: 13", "sec-websocket-version: 8"),
        ("connection: upgrade", "connection: keep-alive"),
        ("upgrade: websocket", "upgrade: h2c"),
        ("HTTP/1.1", "HTTP/1.0"),
    ],
)
async def test_half_a_handshake_is_answered_as_http(served: Any, left: str, put: str) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(handshake("/ws").replace(left.encode(), put.encode()))
        status, headers, _ = await client.answer()
        assert status == (400 if "\x01" in put else 426)
        if status == 426 and "1.0" not in put:
            assert headers["upgrade"] == "websocket"
            await client.send(post(SCORE))
            assert (await client.answer())[0] == 200, "the connection goes on"
        client.close()


@pytest.mark.parametrize("body", ["content-length: 2", "transfer-encoding: chunked"])
async def test_a_handshake_with_a_body_is_no_handshake(served: Any, body: str) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(handshake("/ws", body) + (b"{}" if "length" in body else b"0\r\n\r\n"))
        assert (await client.answer())[0] == 426
        client.close()


async def test_a_post_that_asks_for_a_websocket_is_a_post(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(handshake("/ws", "content-length: 0", method="POST"))
        assert (await client.answer())[0] == 426
        client.close()


async def test_behind_a_request_there_is_no_websocket(served: Any) -> None:
    served.models.gate.shut()
    async with listening(served) as to:
        client = await connect(to)
        await client.send(post(SCORE))
        await until(lambda: served.models.running)
        await client.send(handshake("/ws"))
        await until(lambda: any(vars(each)["pipeline"] for each in to.server.server_state.connections))
        served.models.gate.open()
        assert [(await client.answer())[0] for _ in range(2)] == [200, 426]
        client.close()


async def test_a_connection_that_was_kept_open_may_become_one(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(post(SCORE))
        assert (await client.answer())[0] == 200
        await client.send(handshake("/ws"))
        assert b" 101 " in await client.reader.readline()
        client.close()


async def test_the_limits_on_headers_hold_for_a_handshake(serve: Any) -> None:
    async with serve(max_header_bytes=2000, max_headers=20) as served, listening(served) as to:
        for more in (("x: " + "v" * 3000,), tuple(f"x-{i}: {i}" for i in range(30))):
            client = await connect(to)
            await client.send(handshake("/ws", *more))
            assert (await client.answer())[0] == 431
            client.close()


async def test_what_comes_before_the_answer_to_the_handshake_ends_it(served: Any, monkeypatch: Any) -> None:
    held = asyncio.Event()

    async def wait(*_: Any) -> Any:
        await held.wait()

    monkeypatch.setattr(type(served.traffic), "identify_caller", wait)
    async with listening(served) as to:
        client = await connect(to)
        await client.send(handshake("/ws"))
        await until(lambda: served.traffic.drain.in_progress)
        await client.send(b"x" * 10_000)
        with contextlib.suppress(ConnectionError):
            assert await client.closed() == b""
        assert await closed_for(served, "malformed_body") == 1
        held.set()
        client.close()


async def test_frames_are_not_compressed(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(handshake("/ws", "sec-websocket-extensions: permessage-deflate"))
        assert b"permessage-deflate" not in await client.reader.readuntil(b"\r\n\r\n")
        client.close()


# Places


async def test_it_keeps_its_place_where_idle_connections_make_room(served: Any) -> None:
    async with listening(served, places=3) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.ask(RESET)
        others = [await connect(to) for _ in range(10)]
        for other in others[-2:]:
            await other.send(post(SCORE))
            assert (await other.answer())[0] == 200
        assert (await ws.ask(STEP))["data"]["reward"] == 3.0
        for client in (ws, *others):
            client.close()


async def test_its_place_is_free_once_it_is_gone(served: Any) -> None:
    async with listening(served, places=2) as to:
        for _ in range(5):
            clients = [await open_websocket(to.port, "/ws") for _ in range(2)]
            for client in clients:
                client.close()
            await until(lambda: not to.server.server_state.connections)
        assert await served.metric("reward_gateway_connections_open") == 0
        await until(lambda: not served.traffic.websockets.held)


async def test_where_all_places_are_at_work_there_is_none_for_a_websocket(served: Any) -> None:
    served.models.gate.shut()
    async with listening(served, places=1) as to:
        busy = await connect(to)
        await busy.send(post(SCORE))
        await until(lambda: served.models.running)
        late = await connect(to)
        await late.send(handshake("/ws"))
        assert (await late.answer())[0] == 503
        served.models.gate.open()
        assert (await busy.answer())[0] == 200
        for client in (busy, late):
            client.close()
