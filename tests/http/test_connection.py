"""What one connection may do, over real sockets: headers, time, bodies, answers that nobody reads."""

import asyncio
import json
import socket
from typing import Any

import pytest
from reward_gateway.http.connection import FREE_CHUNKS, LEAST_CHUNK

from tests.clock import Clock, turns, until

from .listening import SCORE, closed_for, closing_code, connect, listening, post

pytestmark = pytest.mark.anyio


# Headers


@pytest.mark.parametrize("over", [0, 1])
async def test_the_limit_of_header_bytes_is_exact(serve: Any, over: int) -> None:
    async with serve(max_header_bytes=2000) as served, listening(served) as to:
        client = await connect(to)
        parts = [("host", "localhost"), ("content-length", str(len(SCORE)))]
        spent = len("/v1/score") + sum(len(name) + len(value) + 4 for name, value in parts)
        parts.append(("x-pad", "p" * (2000 + over - spent - len("x-pad") - 4)))
        head = "POST /v1/score HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in parts) + "\r\n"
        await client.send(head.encode() + SCORE)
        status, _, body = await client.answer()
        assert status == (431 if over else 200), body
        client.close()


async def test_a_request_that_comes_in_one_piece_is_not_taken_for_headers(served: Any) -> None:
    """A body over the limit of headers, read together with them, leaves the connection open."""
    body = json.dumps({"samples": [{"prompt": "p", "response": "x" * 100_000}]}).encode()
    async with listening(served) as to:
        client = await connect(to)
        for _ in range(2):
            await client.send(post(body))
            status, headers, _ = await client.answer()
            assert (status, headers.get("connection")) == (200, None)
        client.close()
    assert await closed_for(served, "headers_too_large") == 0


@pytest.mark.parametrize("over", [0, 1])
async def test_the_limit_of_headers_is_exact(serve: Any, over: int) -> None:
    async with serve(max_headers=20) as served, listening(served) as to:
        client = await connect(to)
        await client.send(post(SCORE, *(f"x-{i}: {i}" for i in range(17 + over))))
        status, _, body = await client.answer()
        assert status == (431 if over else 200), body
        client.close()


@pytest.mark.parametrize(
    "piece", [b"x: " + b"v" * 60_000, b"a: b\r\n" * 10_000, b"n" * 60_000], ids=["value", "many", "name"]
)
async def test_headers_without_end_are_refused_and_the_connection_ends(served: Any, piece: bytes) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\n")
        await client.send(piece)
        assert closing_code(await client.answer()) == (431, "headers_too_large")
        assert await client.closed() == b""
        client.close()
        assert await closed_for(served, "headers_too_large") == 1


async def test_a_client_that_still_sends_headers_gets_its_answer(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        client.writer.write(b"POST /v1/score HTTP/1.1\r\n" + b"x-a: b\r\n" * 500_000)
        assert closing_code(await client.answer()) == (431, "headers_too_large")
        client.close()


async def test_a_long_url_counts_too(serve: Any) -> None:
    async with serve(max_header_bytes=1024) as served, listening(served) as to:
        client = await connect(to)
        await client.send(b"GET /" + b"a" * 1100 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert closing_code(await client.answer()) == (431, "headers_too_large")
        client.close()


async def test_bytes_that_are_no_request_are_answered_in_our_format(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        assert closing_code(await client.answer()) == (400, "malformed_body")
        assert await client.closed() == b""
        client.close()


# Time


async def test_two_hosts_are_no_request(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(post(SCORE, "host: elsewhere.example"))
        assert closing_code(await client.answer()) == (400, "malformed_body")
        client.close()


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize(
    "codings",
    [
        *("chunked", "Chunked ", "gzip, chunked", "gzip", "identity", "chunked, chunked", "xchunked"),
        "gzip\r\ntransfer-encoding: chunked",
        "chunked\r\ntransfer-encoding: chunked",
    ],
)
async def test_no_transfer_coding_but_chunked_is_taken_and_none_over_the_old_version(
    served: Any, codings: str, version: bytes
) -> None:
    async with listening(served) as to:
        client = await connect(to)
        head = _CHUNKED_HEAD.replace(b"chunked", codings.encode()).replace(b"HTTP/1.1", b"HTTP/" + version)
        await client.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(SCORE), SCORE))
        answer = await client.answer()
        if codings.strip().lower() == "chunked" and version == b"1.1":
            assert answer[0] == 200
        else:
            assert closing_code(answer) == (400, "malformed_body")
            assert not served.models.seen
        client.close()


async def test_headers_that_come_too_slowly_are_refused(serve: Any, clock: Clock) -> None:
    async with serve(header_timeout_s=600, idle_timeout_s=7200) as served, listening(served) as to:
        slow, other = await connect(to), await connect(to)
        await slow.send(b"POST /v1/score HTTP/1.1\r\nhost: ")
        await other.send(post(SCORE))
        assert (await other.answer())[0] == 200
        await clock.advance(601)
        assert closing_code(await slow.answer()) == (408, "request_timeout")
        assert await slow.closed() == b""
        await other.send(post(SCORE))
        assert (await other.answer())[0] == 200
        for client in (slow, other):
            client.close()


async def test_headers_that_trickle_have_no_more_time(serve: Any, clock: Clock) -> None:
    async with serve(header_timeout_s=600, idle_timeout_s=7200) as served, listening(served) as to:
        client = await connect(to)
        for byte in b"POST /v1":
            await client.send(bytes([byte]))
            await clock.advance(80)
        assert closing_code(await client.answer()) == (408, "request_timeout")
        client.close()


@pytest.mark.parametrize("first", [b"", b"\r\n" * 100, post(SCORE)], ids=["new", "empty lines", "kept open"])
async def test_an_idle_connection_is_closed(serve: Any, clock: Clock, first: bytes) -> None:
    async with serve(header_timeout_s=600, idle_timeout_s=900) as served, listening(served) as to:
        client = await connect(to)
        await client.send(first)
        if first == post(SCORE):
            assert (await client.answer())[0] == 200
        else:
            await until(lambda: to.server.server_state.connections)
            await turns()
        closing = asyncio.create_task(client.closed())
        await clock.advance_until(closing.done)
        assert (await closing).partition(b"\r\n")[0] in (b"", b"HTTP/1.1 408 Request Timeout")
        client.close()


async def test_a_connection_with_a_request_is_not_idle(serve: Any, clock: Clock) -> None:
    async with serve(header_timeout_s=60, idle_timeout_s=60, default_deadline_s=3600) as served:
        served.models.gate.shut()
        async with listening(served) as to:
            client = await connect(to)
            await client.send(post(SCORE, "x-request-deadline-ms: 590000"))
            await until(lambda: served.models.running)
            await clock.advance(300)
            served.models.gate.open()
            assert (await client.answer())[0] == 200
            client.close()


# Bodies


async def test_slow_bodies_keep_nobody_waiting_and_end(serve: Any, clock: Clock) -> None:
    limits = {"body_grace_s": 600, "idle_timeout_s": 7200, "default_deadline_s": 7200, "max_deadline_s": 7200}
    async with serve(max_in_flight=1, max_queued=1, **limits) as served, listening(served) as to:
        slow = [await connect(to) for _ in range(20)]
        for client in slow:
            await client.send(post(b"{", length=1000))
        await until(lambda: served.traffic.drain.in_progress == 20)
        assert (served.traffic.admission.in_flight, served.traffic.admission.queued) == (0, 0)
        fast = await connect(to)
        await fast.send(post(SCORE))
        assert (await fast.answer())[0] == 200
        await clock.advance(602)
        for client in slow:
            assert closing_code(await client.answer()) == (408, "request_timeout")
            client.close()
        fast.close()


async def test_a_body_at_the_minimum_rate_arrives(serve: Any, clock: Clock) -> None:
    body = json.dumps({"samples": [{"response": "x" * 5000}]}).encode()
    limits = {"default_deadline_s": 100_000, "max_deadline_s": 100_000}
    async with serve(body_grace_s=10, min_body_rate=1, **limits) as served, listening(served) as to:
        client = await connect(to)
        await client.send(post(b"", length=len(body)))
        await until(lambda: served.traffic.drain.in_progress)
        for start in range(0, len(body), 500):
            await client.send(body[start : start + 500])
            await asyncio.sleep(0.02)
            await clock.advance(400)
        assert (await client.answer())[0] == 200
        client.close()


async def test_a_body_for_which_there_is_no_room_is_refused_at_its_headers(serve: Any) -> None:
    limits = {"max_body_bytes": 1_000_000, "max_body_bytes_in_flight": 1_500_000}
    async with serve(**limits) as served, listening(served) as to:
        first, second = await connect(to), await connect(to)
        await first.send(post(b"{", length=700_000))
        await until(lambda: served.traffic.bodies.held == 700_000)
        await second.send(post(b"{", length=800_000))
        answer = await second.answer()
        assert closing_code(answer) == (503, "overloaded")
        assert int(answer[1]["retry-after"]) >= 1
        small = await connect(to)
        await small.send(post(SCORE))
        assert (await small.answer())[0] == 200
        first.close()
        await until(lambda: not served.traffic.bodies.held)
        third = await connect(to)
        await third.send(post(b"{", length=800_000))
        await until(lambda: served.traffic.bodies.held == 800_000)
        for client in (second, small, third):
            client.close()


async def test_a_full_queue_refuses_at_the_headers(serve: Any) -> None:
    async with serve(max_in_flight=1, max_queued=0) as served, listening(served) as to:
        await served.traffic.admission.acquire()
        client = await connect(to)
        await client.send(post(length=50_000_000))
        answer = await client.answer()
        assert closing_code(answer) == (503, "overloaded")
        assert int(answer[1]["retry-after"]) >= 1
        client.close()
        served.traffic.admission.release()


@pytest.mark.parametrize("size", [10_000_000, 60_000_000])
async def test_a_client_that_sends_all_before_it_reads_gets_its_refusal(serve: Any, size: int) -> None:
    async with serve(max_body_bytes=1000) as served, listening(served) as to:

        def send_then_read() -> bytes:
            with socket.create_connection(("127.0.0.1", to.port)) as client:
                client.sendall(post(length=size) + bytes(size))
                return client.recv(100)

        assert b" 413 " in await asyncio.to_thread(send_then_read)


async def test_a_refusal_whose_body_has_arrived_keeps_the_connection(serve: Any) -> None:
    async with serve(max_in_flight=1, max_queued=0) as served, listening(served) as to:
        client = await connect(to)
        await served.traffic.admission.acquire()
        await client.send(post(SCORE))
        status, headers, _ = await client.answer()
        assert (status, headers.get("connection")) == (503, None)
        served.traffic.admission.release()
        await client.send(post(SCORE))
        assert (await client.answer())[0] == 200
        client.close()


async def test_a_probe_with_a_body_is_answered_and_its_body_is_not_read(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(b"GET /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\n{")
        status, headers, _ = await client.answer()
        assert (status, headers["connection"]) == (200, "close")
        client.close()


@pytest.mark.parametrize(
    ("chunks", "status"),
    [(FREE_CHUNKS - 2, 200), (FREE_CHUNKS + 500, 400)],
    ids=["as many as are free", "many"],
)
async def test_a_body_of_tiny_chunks_costs_no_more_than_its_bytes(served: Any, chunks: int, status: int) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(_CHUNKED_HEAD + b"1\r\n \r\n" * chunks + b"%x\r\n%s\r\n0\r\n\r\n" % (len(SCORE), SCORE))
        answer = await client.answer()
        assert answer[0] == status
        if status == 400:
            assert closing_code(answer) == (400, "malformed_body")
            assert "chunks" in answer[2]["error"]["message"]
        client.close()


async def test_chunks_of_the_least_size_may_be_any_number(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        piece = b"40\r\n%s\r\n" % (b" " * LEAST_CHUNK)
        await client.send(_CHUNKED_HEAD + piece * (3 * FREE_CHUNKS) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(SCORE), SCORE))
        assert (await client.answer())[0] == 200
        client.close()


_CHUNKED_HEAD = post().replace(b"content-length: 0", b"transfer-encoding: chunked")


# Requests that do not wait for their answers


async def test_pipelined_requests_are_answered_in_order(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(post(SCORE) + b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n" + post(b"{"))
        assert [(await client.answer())[0] for _ in range(3)] == [200, 200, 400]
        client.close()


@pytest.mark.parametrize(
    "more",
    [b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n" * 5000, b"\x00" * 100, b"x" * 100_000],
    ids=["requests", "nothing", "headers"],
)
async def test_what_follows_a_request_does_not_spoil_its_answer(served: Any, more: bytes) -> None:
    served.models.gate.shut()
    async with listening(served) as to:
        client = await connect(to)
        await client.send(post(SCORE))
        await until(lambda: served.models.running)
        client.writer.write(more)
        await until(lambda: any(vars(each)["_closing"] for each in to.server.server_state.connections))
        served.models.gate.open()
        assert (await client.answer())[0] == 200
        assert await client.closed() == b""
        client.close()


@pytest.mark.parametrize("requests", [1, 20], ids=["the last one", "more wait"])
async def test_an_answer_that_nobody_reads_is_thrown_away(serve: Any, clock: Clock, requests: int) -> None:
    limits = {"idle_timeout_s": 600, "header_timeout_s": 600}
    async with serve(**limits) as served, listening(served, send_buffer=8192) as to:
        client = await connect(to)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sock = client.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = json.dumps({"samples": [{"response": "a", "id": "i" * 250}] * 4096}).encode()
        client.writer.write(post(body) * requests)
        connections = to.server.server_state.connections
        await until(lambda: connections)
        await until(lambda: any(each.transport.get_write_buffer_size() for each in connections))
        await clock.advance_until(lambda: not connections, 100)
        assert await closed_for(served, "unread") == 1
        assert served.traffic.admission.in_flight == 0
        client.close()
