"""How the server goes away, over real sockets, in each phase of a request."""

import asyncio
from typing import Any

import pytest

from tests.clock import Clock, until

from .listening import SCORE, connect, listening, post

pytestmark = pytest.mark.anyio


async def test_draining_it_answers_new_work_503_on_old_and_on_new_connections(served: Any) -> None:
    served.models.gate.shut()
    async with listening(served) as to:
        busy, kept = await connect(to), await connect(to)
        await kept.send(post(SCORE, path="/nothing"))
        assert (await kept.answer())[0] == 404
        await busy.send(post(SCORE))
        await until(lambda: served.models.running)
        to.server.leave()
        new = await connect(to)
        for client in (kept, new):
            await client.send(post(SCORE))
            status, headers, body = await client.answer()
            assert (status, body["error"]["code"], headers["connection"]) == (503, "draining", "close")
            assert int(headers["retry-after"]) >= 1
            assert await client.closed() == b""
        probe = await connect(to)
        await probe.send(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await probe.answer())[0] == 503
        served.models.gate.open()
        status, headers, _ = await busy.answer()
        assert (status, headers["connection"]) == (200, "close")
        await to.running
        with pytest.raises(ConnectionRefusedError):
            await connect(to)
        for client in (busy, kept, new, probe):
            client.close()


async def test_a_body_that_is_arriving_when_draining_begins_is_answered(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(post(SCORE)[:-1])
        await until(lambda: served.traffic.drain.in_progress)
        to.server.leave()
        await client.send(SCORE[-1:])
        assert (await client.answer())[0] == 200
        await to.running
        client.close()


async def test_headers_that_are_arriving_at_the_end_are_answered_503(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await client.send(post(SCORE)[:20])
        await until(lambda: any(vars(each)["_received"] for each in to.server.server_state.connections))
        to.server.leave()
        status, headers, body = await client.answer()
        assert (status, body["error"]["code"], headers["retry-after"]) == (503, "draining", "1")
        client.close()


async def test_a_connection_without_a_request_does_not_hold_up_the_end(served: Any) -> None:
    async with listening(served) as to:
        client = await connect(to)
        await until(lambda: to.server.server_state.connections)
        to.server.leave()
        assert await client.closed() == b""
        await to.running
        client.close()


async def test_what_is_not_finished_in_time_is_answered_503(serve: Any, clock: Clock) -> None:
    async with serve(drain_s=600, max_deadline_s=1e9) as served, listening(served) as to:
        served.models.gate.shut()
        clients = [await connect(to) for _ in range(3)]
        for client in clients[:2]:
            await client.send(post(SCORE, "x-request-deadline-ms: 599000000"))
        await clients[2].send(post(b"{", length=10))  # its body never comes
        await until(lambda: served.traffic.drain.in_progress == 3)
        to.server.leave()
        await asyncio.sleep(0.2)
        await clock.advance(9)
        assert not to.running.done()
        await clock.advance_until(to.running.done, 100)
        for client in clients:
            status, headers, body = await client.answer()
            assert status in (503, 408), body
            assert headers["connection"] == "close"
            client.close()
        assert served.traffic.admission.in_flight == 0


async def test_told_twice_it_stops_at_once(serve: Any) -> None:
    async with serve(drain_s=3600) as served, listening(served) as to:
        served.models.gate.shut()
        client = await connect(to)
        await client.send(post(SCORE))
        await until(lambda: served.models.running)
        to.server.leave()
        await until(lambda: served.traffic.drain.draining)
        to.server.leave()
        status, headers, body = await client.answer()
        assert (status, body["error"]["code"], headers["retry-after"]) == (503, "draining", "1")
        await to.running
        client.close()


async def test_while_balancers_take_notice_it_is_not_ready_and_answers(serve: Any, clock: Clock) -> None:
    async with serve(drain_delay_s=60, drain_s=3600) as served, listening(served) as to:
        kept = await connect(to)
        await kept.send(post(SCORE))
        assert (await kept.answer())[0] == 200
        to.server.leave()
        for client in (kept, new := await connect(to)):
            await client.send(post(SCORE))
            status, headers, _ = await client.answer()
            assert (status, headers["connection"]) == (200, "close")
        probe = await connect(to)
        await probe.send(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        status, _, body = await probe.answer()
        assert (status, body["error"]["code"]) == (503, "draining")
        assert not served.traffic.drain.draining
        await clock.advance_until(to.running.done, 100)
        for client in (kept, new, probe):
            client.close()


async def test_told_twice_it_does_not_wait_for_balancers(serve: Any) -> None:
    async with serve(drain_delay_s=3600) as served, listening(served) as to:
        to.server.leave()
        assert not served.traffic.drain.draining
        to.server.leave()
        await to.running
