"""Streams of events: bounded, uncounted among requests, and over when the gateway drains."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
from reward_gateway.console import streams
from reward_gateway.console.page import Page, Visit
from reward_gateway.console.streams import Event, EventStreams
from reward_gateway.traffic.drain import Drain

from tests.clock import until
from tests.console.conftest import Pages, build, listening

pytestmark = pytest.mark.anyio


def make_page() -> tuple[Page, asyncio.Queue[Event | None], list[str]]:
    """A page whose stream sends what is put into the queue, and notes when it ended."""
    page, queue, ended = Page("probe", "Probe"), asyncio.Queue[Event | None](), list[str]()

    @page.stream("events")
    async def events(visit: Visit) -> AsyncGenerator[Event, None]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            ended.append(visit.page.name)

    return page, queue, ended


def with_page(page: Page) -> Pages:
    found = build()
    found.console.add(page)
    return found


def test_an_event_of_several_lines() -> None:
    assert Event("rewards", "<p>a\nb</p>").encode() == b"event: rewards\ndata: <p>a\ndata: b</p>\n\n"


async def test_a_stream_is_no_request_in_flight_and_ends_at_drain() -> None:
    page, queue, ended = make_page()
    pages = with_page(page)
    async with listening(pages) as address, httpx.AsyncClient(base_url=address) as client:
        async with client.stream("GET", "/console/probe/events") as answer:
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            lines = answer.aiter_lines()
            await queue.put(Event("n", "1"))
            assert [await anext(lines), await anext(lines)] == ["event: n", "data: 1"]
            assert pages.console.streams.open == 1
            assert pages.traffic.admission.in_flight == 0
            assert pages.traffic.drain.in_progress == 0
            pages.traffic.drain.begin()
            assert [line async for line in lines] == [""]
        assert ended == ["probe"]
        assert pages.console.streams.open == 0


async def test_a_browser_that_leaves_ends_its_stream() -> None:
    page, queue, ended = make_page()
    pages = with_page(page)
    async with listening(pages) as address, httpx.AsyncClient(base_url=address) as client:
        async with client.stream("GET", "/console/probe/events") as answer:
            await queue.put(Event("n", "1"))
            await anext(answer.aiter_lines())
        await until(lambda: ended == ["probe"])
        assert pages.console.streams.open == 0


async def test_a_stream_outlives_the_limit_on_idle_connections() -> None:
    page, queue, _ = make_page()
    pages = build(idle_timeout_s=0.1)
    pages.console.add(page)
    async with (
        listening(pages) as address,
        httpx.AsyncClient(base_url=address) as client,
        client.stream("GET", "/console/probe/events") as answer,
    ):
        await asyncio.sleep(0.5)
        await queue.put(Event("n", "1"))
        await queue.put(None)
        assert "data: 1" in [line async for line in answer.aiter_lines()]


async def test_there_are_at_most_64() -> None:
    assert EventStreams(Drain()).most == 64
    page, queue, _ = make_page()
    pages = with_page(page)
    pages.console.streams.most = 1
    async with listening(pages) as address, httpx.AsyncClient(base_url=address) as client:
        async with client.stream("GET", "/console/probe/events"):
            await until(lambda: pages.console.streams.open == 1)
            refused = await client.get("/console/probe/events")
            assert refused.status_code == 503
        await until(lambda: pages.console.streams.open == 0)
        await queue.put(None)
        assert (await client.get("/console/probe/events")).status_code == 200


async def test_a_silent_stream_is_kept_open_and_a_long_one_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "SILENCE_S", 0.01)
    monkeypatch.setattr(streams, "LONGEST_S", 0.2)
    page, _, _ = make_page()
    async with listening(with_page(page)) as address, httpx.AsyncClient(base_url=address) as client:
        answer = await client.get("/console/probe/events")
    assert set(answer.text.splitlines()) == {": ", ""}
