"""The gate over HTTP: overload is refused quickly and politely, probes pass, and every counter goes back to zero."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from reward_gateway.http.entry.entry import Entry
from reward_gateway.http.route_table import RouteTable
from reward_gateway.http.routing import RawRoute
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Message

from tests.clock import Clock, until

pytestmark = pytest.mark.anyio

ONE = {"samples": [{"response": "a"}]}


async def test_saturation_answers_everybody_with_a_score_or_a_polite_no(serve: Any) -> None:
    async with serve(max_in_flight=8, max_queued=8, queue_timeout_s=3600) as served:
        served.models.gate.shut()
        asking = [asyncio.create_task(served.score({"samples": [{"response": f"{i}"}]})) for i in range(200)]
        await until(lambda: sum(task.done() for task in asking) == 184)  # refused while nobody's work ends
        assert (served.traffic.admission.in_flight, served.traffic.admission.queued) == (8, 8)
        assert (await served.client.get("/livez")).status_code == 200
        served.models.gate.open()
        answers = await asyncio.gather(*asking)
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(200), statuses.count(503)) == (16, 184)
        for answer in answers:
            if answer.status_code == 503:
                assert served.refused(answer, 503)["code"] == "overloaded"
                assert int(answer.headers["retry-after"]) >= 1
        assert (served.traffic.admission.in_flight, served.traffic.admission.queued) == (0, 0)
        assert await served.metric("reward_gateway_requests_in_flight") == 0
        assert await served.metric("reward_gateway_requests_queued") == 0
        rejected = await served.metric('reward_gateway_admission_rejected_total{reason="queue_full"}')
        assert rejected == statuses.count(503)


async def test_a_queue_timeout_is_a_503_and_is_counted_as_one(serve: Any, clock: Clock) -> None:
    async with serve(max_in_flight=1, max_queued=4, queue_timeout_s=60) as served:
        served.models.gate.shut()
        asking = [asyncio.create_task(served.score(ONE)) for _ in range(2)]
        await until(lambda: served.models.running and served.traffic.admission.queued)
        await clock.advance(61)
        served.models.gate.open()
        answers = await asyncio.gather(*asking)
        assert sorted(answer.status_code for answer in answers) == [200, 503]
        assert await served.metric('reward_gateway_admission_rejected_total{reason="queue_timeout"}') == 1
        assert (served.traffic.admission.in_flight, served.traffic.admission.queued) == (0, 0)


async def test_a_deadline_that_passes_in_the_queue_is_a_504(serve: Any, clock: Clock) -> None:
    async with serve(max_in_flight=1, max_queued=4, queue_timeout_s=3600) as served:
        served.models.gate.shut()
        first = asyncio.create_task(served.score(ONE, headers={"X-Request-Deadline-Ms": "600000"}))
        await until(lambda: served.models.running)
        late = asyncio.create_task(served.score(ONE, headers={"X-Request-Deadline-Ms": "300000"}))
        await until(lambda: served.traffic.admission.queued)
        await clock.advance(301)
        assert served.refused(await late, 504)["code"] == "deadline_exceeded"
        served.models.gate.open()
        assert (await first).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/v2/health/live", "/v2/health/ready", "/metrics"])
async def test_probes_and_scrapes_pass_a_full_gate(serve: Any, path: str) -> None:
    async with serve(max_in_flight=1, max_queued=0) as served:
        await served.traffic.admission.acquire()
        assert (await served.client.get(path)).status_code == 200
        served.traffic.admission.release()


@pytest.mark.parametrize("path", ["/livez/", "/livezz", "/metrics/", "/health/x", "/v2/health", "/v1/rewards"])
async def test_lookalikes_of_the_open_paths_do_not(serve: Any, path: str) -> None:
    async with serve(max_in_flight=1, max_queued=0) as served:
        await served.traffic.admission.acquire()
        assert served.refused(await served.client.get(path), 503)["code"] == "overloaded"
        served.traffic.admission.release()


async def test_a_place_is_held_to_the_last_byte_of_the_answer(serve: Any) -> None:
    held: list[int] = []
    async with serve() as served:

        async def streaming(_: Request) -> StreamingResponse:
            async def pieces() -> AsyncIterator[bytes]:
                for _ in range(3):
                    held.append(served.traffic.admission.in_flight)
                    yield b"x"

            return StreamingResponse(pieces())

        routes = RouteTable([RawRoute("/stream", streaming, methods=["GET"])])
        entry = Entry(routes, served.app.state.dependencies.settings, served.telemetry, served.traffic)
        scope = {"type": "http", "method": "GET", "path": "/stream", "scheme": "http", "headers": []}

        messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Message:
            if (message := next(messages, None)) is None:
                await asyncio.Event().wait()
                raise AssertionError
            return message

        async def sink(_: Message) -> None:
            held.append(served.traffic.admission.in_flight)

        await entry(scope, receive, sink)
        assert len(held) > 3
        assert set(held) == {1}
        assert served.traffic.admission.in_flight == 0
