"""What the connection of a WebSocket may do, over real sockets: frames, sizes, time, and what nobody reads."""

import asyncio
import json
import logging
import socket
from typing import Any

import pytest
from reward_gateway.http.websocket_connection import FREE_FRAMES, LEAST_FRAME, MAX_WAITING
from reward_gateway.settings import Settings
from reward_gateway.telemetry.logs import configure_logging

from tests.clock import Clock, little_work, until
from tests.websocket import RESET, STATE, STEP

from .listening import closed_for, connect, frame, handshake, listening, open_websocket

pytestmark = pytest.mark.anyio

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
STATE_TEXT = json.dumps(STATE).encode()


# Messages


async def test_a_message_may_come_in_pieces_with_pings_between_them(served: Any) -> None:
    async with listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.send(
            frame(TEXT, STATE_TEXT[:5], final=False) + frame(PING, b"?") + frame(CONTINUATION, b"", final=False)
        )
        for byte in STATE_TEXT[5:-1]:
            await ws.send(frame(CONTINUATION, bytes([byte]), final=False))
        await ws.send(frame(CONTINUATION, STATE_TEXT[-1:]))
        assert (await ws.next_message())["type"] == "state"
        ws.close()


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("pieces", [1, 3])
async def test_the_limit_of_a_message_is_exact(serve: Any, over: int, pieces: int) -> None:
    async with serve(max_message_bytes=10_000) as served, listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        text = STATE_TEXT + b" " * (10_000 - len(STATE_TEXT) + over)
        size = -(-len(text) // pieces)
        for i in range(pieces):
            final = i == pieces - 1
            await ws.send(frame(TEXT if i == 0 else CONTINUATION, text[i * size : (i + 1) * size], final=final))
        answer = await ws.next_message()
        assert answer == 1009 if over else answer["type"] == "state"
        assert await closed_for(served, "too_large") == over
        ws.close()


async def test_a_client_that_still_sends_a_message_over_the_limit_hears_so(serve: Any) -> None:
    async with serve(max_message_bytes=10_000) as served, listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        ws.writer.write(frame(TEXT, b"x" * 20_000_000))
        assert await ws.next_message() == 1009
        ws.close()
        await until(lambda: not to.server.server_state.connections)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(TEXT, b"{}", masked=False), 1002, id="unmasked"),
        pytest.param(frame(3, b"x"), 1002, id="unknown"),
        pytest.param(frame(PING, b"x", final=False), 1002, id="ping in pieces"),
        pytest.param(frame(CONTINUATION, b"x"), 1002, id="continues nothing"),
        pytest.param(frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002, id="two at once"),
        pytest.param(b"\xc1" + frame(TEXT, b"x")[1:], 1002, id="compressed, which was not agreed on"),
        pytest.param(frame(TEXT, b"\xff\xfe"), 1007, id="no UTF-8"),
        pytest.param(frame(BINARY, b"{}"), 1003, id="binary"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 1002, id="HTTP"),
    ],
)
async def test_what_is_no_message_closes_it_with_a_code(served: Any, data: bytes, code: int) -> None:
    async with listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.ask(STATE)
        await ws.send(data)
        assert await ws.next_message() == code
        ws.close()
        await until(lambda: not to.server.server_state.connections)
        await until(lambda: not served.traffic.websockets.held)


async def test_the_client_may_close_it(served: Any) -> None:
    async with listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.send(frame(CLOSE, (1000).to_bytes(2, "big")))
        assert await ws.next_message() == 1000
        await until(lambda: not served.traffic.websockets.held)
        ws.close()


async def test_messages_that_do_not_wait_for_their_answers_are_few(served: Any) -> None:
    served.models.gate.shut()
    async with listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.ask(RESET)
        await ws.send_message(STEP)
        await until(lambda: served.models.running)
        await ws.send(frame(TEXT, STATE_TEXT) * (MAX_WAITING // 2))
        served.models.gate.open()
        kinds = [(await ws.next_message())["type"] for _ in range(1 + MAX_WAITING // 2)]
        assert kinds == ["observation", *["state"] * (MAX_WAITING // 2)]
        with little_work(2.0):
            await ws.send(frame(TEXT, STATE_TEXT) * 50_000)
            while isinstance(code := await ws.next_message(), dict):
                pass
        assert code == 1008
        assert await closed_for(served, "overloaded") == 1
        ws.close()


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_pings_and_pongs_without_end_close_it(served: Any, opcode: int) -> None:
    async with listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.send(frame(opcode, b"x") * (FREE_FRAMES - 1))
        assert (await ws.ask(STATE))["type"] == "state"
        with little_work(2.0):
            await ws.send(frame(opcode, b"x") * (100 * FREE_FRAMES))
            assert await ws.next_message() == 1008
        assert await closed_for(served, "malformed_body") == 1
        ws.close()


async def test_a_message_of_tiny_frames_costs_no_more_than_its_bytes(served: Any) -> None:
    async with listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        padded = b" " * (2 * FREE_FRAMES * LEAST_FRAME) + STATE_TEXT
        pieces = [padded[start : start + LEAST_FRAME] for start in range(0, len(padded), LEAST_FRAME)]
        await ws.send(frame(TEXT, final=False) + b"".join(frame(CONTINUATION, piece, final=False) for piece in pieces))
        await ws.send(frame(CONTINUATION))
        assert (await ws.next_message())["type"] == "state"
        await ws.send(frame(TEXT, b" ", final=False) + frame(CONTINUATION, final=False) * (2 * FREE_FRAMES))
        assert await ws.next_message() == 1008
        ws.close()


async def test_the_bytes_of_a_message_that_arrives_count_among_those_of_bodies(serve: Any) -> None:
    async with serve(max_body_bytes=200_000, max_body_bytes_in_flight=200_000) as served, listening(served) as to:
        first, second = await open_websocket(to.port, "/ws"), await open_websocket(to.port, "/ws")
        await first.send(frame(TEXT, STATE_TEXT + b" " * 90_000, final=False))
        await until(lambda: served.traffic.bodies.held > 90_000)
        await second.send(frame(TEXT, b" " * 60_000, final=False))
        assert await second.next_message() == 1013
        await first.send(frame(CONTINUATION))
        assert (await first.next_message())["type"] == "state"
        assert served.traffic.bodies.held == 0
        await first.send(frame(TEXT, b" " * 90_000, final=False))
        await until(lambda: served.traffic.bodies.held == 90_000)
        first.close()
        await until(lambda: served.traffic.bodies.held == 0)
        second.close()


# Time


async def test_a_message_that_comes_too_slowly_closes_it(serve: Any, clock: Clock) -> None:
    async with serve(body_grace_s=600, min_body_rate=1, websocket_idle_s=36_000) as served, listening(served) as to:
        slow, other = await open_websocket(to.port, "/ws"), await open_websocket(to.port, "/ws")
        await slow.send(frame(TEXT, STATE_TEXT[:5], final=False))
        await other.ask(RESET)
        connections = to.server.server_state.connections
        await until(lambda: any(vars(each)["_message_began"] is not None for each in connections))
        await clock.advance(602)
        assert (await other.ask(STEP))["data"]["reward"] == 3.0
        await clock.advance(10)
        assert await slow.next_message() == 1008
        assert await closed_for(served, "request_timeout") == 1
        for client in (slow, other):
            client.close()


async def test_a_message_at_the_minimum_rate_arrives(serve: Any, clock: Clock) -> None:
    async with serve(body_grace_s=1, min_body_rate=100) as served, listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.send(frame(TEXT, STATE_TEXT, final=False))
        for _ in range(6):  # less than a ping waits for its answer
            await ws.send(frame(CONTINUATION, b" " * 500, final=False))
            await asyncio.sleep(0.02)
            await clock.advance(4)
        await ws.send(frame(CONTINUATION))
        assert (await ws.next_message())["type"] == "state"
        ws.close()


async def test_a_peer_that_answers_no_ping_is_closed(served: Any, clock: Clock) -> None:
    async with listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.ask(STATE)
        await clock.advance(21)
        await clock.advance(21)
        assert await ws.next_message() == 1011
        await until(lambda: not to.server.server_state.connections)
        await until(lambda: not served.traffic.websockets.held)
        ws.close()


async def test_one_without_messages_is_closed_with_a_code(serve: Any, clock: Clock) -> None:
    async with serve(websocket_idle_s=15) as served, listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.ask(STATE)
        await clock.advance(16)
        assert await ws.next_message() == 1001
        ws.close()


async def test_pongs_that_nobody_reads_are_not_kept(serve: Any, clock: Clock) -> None:
    """A client that sends without reading: it is not read either, and in the end cut off."""
    async with serve(idle_timeout_s=600) as served, listening(served, send_buffer=8192) as to:
        ws = await open_websocket(to.port, "/ws")
        ws.writer.transport.pause_reading()  # type: ignore[attr-defined]
        ws.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        (connection,) = to.server.server_state.connections
        ping = frame(PING, b"x" * 125)
        began = frame(TEXT, b" ", final=False) + frame(CONTINUATION, b" " * 4_000_000, final=False)
        ws.writer.write(began + ping * 60_000)  # of a long message, which allows many frames
        await until(lambda: vars(connection)["_unread_timer"] is not None)
        written = vars(connection)["_socket"].get_write_buffer_size()
        assert written < 400_000  # what one read holds, beside what may be written; 8 MB were sent
        assert not vars(connection)["_socket"].is_reading()
        await clock.advance(601)
        await until(lambda: not to.server.server_state.connections)
        assert await closed_for(served, "unread") == 1
        ws.close()


# Shutdown


async def test_told_to_leave_the_server_closes_them_with_a_code(served: Any) -> None:
    async with listening(served) as to:
        idle, busy = await open_websocket(to.port, "/ws"), await open_websocket(to.port, "/ws")
        await busy.ask(RESET)
        served.models.gate.shut()
        await busy.send_message(STEP)
        await until(lambda: served.models.running)
        to.server.leave()
        assert await idle.next_message() == 1012
        late = await connect(to)
        await late.send(handshake("/ws"))
        assert (await late.answer())[0] == 503
        served.models.gate.open()
        assert (await busy.next_message())["data"]["reward"] == 3.0
        assert await busy.next_message() == 1012
        for client in (idle, busy, late):
            client.close()
        await to.running


async def test_one_whose_client_reads_nothing_does_not_hold_up_the_end(served: Any) -> None:
    async with listening(served) as to:
        ws = await open_websocket(to.port, "/ws")
        await ws.ask(STATE)
        ws.writer.transport.pause_reading()  # type: ignore[attr-defined]
        to.server.leave()
        await to.running
        ws.close()


# Logs


async def test_no_text_and_no_address_stands_in_the_log(serve: Any, capfd: Any) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logging(Settings(log_level="debug"))
    try:
        async with serve(max_message_bytes=2000) as served, listening(served) as to:
            ws = await open_websocket(to.port, "/ws?x=secret-query")
            await ws.ask({"type": "reset", "data": {"task": {"prompt": "secret-prompt"}, "episode_id": "secret-id"}})
            await ws.ask({"type": "step", "data": {"answer": "secret-answer"}})
            for wrong in ("secret {", {"type": "secret-type"}, {"type": "step", "data": {"secret-key": 1}}):
                await ws.ask(wrong)
            assert await ws.ask("secret" * 1000) == 1009
            ws.close()
            refused = await connect(to)
            await refused.send(handshake("/r/secret-recipe/ws?secret"))
            assert (await refused.answer())[0] == 404
            refused.close()
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    written = capfd.readouterr().err
    assert "route=" in written or "/ws" in written, "there is a log"
    assert "secret" not in written
