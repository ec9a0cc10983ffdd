"""Images by address: fetched once, in order, within limits, only where they are read, and gone through every check."""

import asyncio
import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest
from reward_gateway.cli.worker import build_gateway
from reward_gateway.intake.fetch.fetcher import SHARE
from reward_gateway.sample import Batch, Media
from reward_gateway.scoring.fetched_media import FetchedMedia
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry

from tests.clock import Clock, until

from .conftest import on

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/good.png", "/chunked.png", "/until-closed.png", "/moved", "/moved-twice"])
async def test_an_image_is_fetched(serve: Any, site: Any, path: str, picture: Callable[..., bytes]) -> None:
    async with serve(**on(site)) as served:
        (result,) = await served.results([{"images": [{"url": site.url(path)}]}])
        assert (result["reward"], served.models.seen) == (30, [[picture(size=(30, 10))]])


async def test_off_by_default(serve: Any, site: Any) -> None:
    async with serve() as served:
        (result,) = await served.results([{"images": [site.url("/good.png")]}])
    assert "fetches no addresses" in result["error"]["message"]
    assert (site.connections, site.lookups) == (0, [])


async def test_the_call_carries_nothing_but_what_it_needs(
    serve: Any, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serve(**on(site)) as served:
        for _ in range(2):
            (result,) = await served.results([{"images": [site.url("/good.png?x=%20y#z")]}])
            assert result["valid"]
    lines = site.requests[-1].decode().split("\r\n")
    assert lines[0] == "GET /good.png?x=%20y HTTP/1.1"
    names = [line.partition(":")[0].lower() for line in lines[1:] if line]
    assert names == ["host", "accept", "accept-encoding", "user-agent"]
    assert f"Host: images.example.org:{site.port}" in lines
    assert "Accept-Encoding: identity" in lines


async def test_equal_addresses_are_fetched_once_and_kept_by_what_they_hold(
    serve: Any, site: Any, picture: Callable[..., bytes]
) -> None:
    url, other = site.url("/good.png"), site.url("/chunked.png")
    async with serve(**on(site)) as served:
        results = await served.results([{"images": [url, url]}, {"images": [url], "frames": [url]}, {"images": [url]}])
        assert [result["reward"] for result in results] == [60, 60, 30]
        assert site.connections == 1
        sent = base64.b64encode(picture(size=(30, 10))).decode()
        again = await served.results([{"images": [other]}, {"images": [sent]}, {"images": [url]}])
        assert [result["components"]["sight"]["cached"] for result in again] == [True] * 3


async def test_images_of_messages_come_in_the_order_of_reading(
    serve: Any, site: Any, picture: Callable[..., bytes]
) -> None:
    def part(url: str) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": url}}

    def data(width: int) -> str:
        return "data:image/png;base64," + base64.b64encode(picture(size=(width, 10))).decode()

    prompt = [
        {"role": "user", "content": [part(data(1)), {"type": "text", "text": "or"}, part(site.url("/good.png"))]},
        {"role": "assistant", "content": "neither"},
        {"role": "user", "content": [part(data(2))]},
    ]
    sample = {"prompt": prompt, "images": [data(3), site.url("/moved")]}
    async with serve(**on(site, max_images=5)) as served:
        (result,) = await served.results([sample])
        assert result["reward"] == 1 + 30 + 2 + 3 + 30
        assert served.models.seen[-1] == [picture(size=(width, 10)) for width in (1, 30, 2, 3, 30)]
        prompt[0]["content"][2] = part(site.url("/missing"))  # type: ignore[index]
        (broken,) = await served.results([sample])
        assert broken["error"]["message"].startswith("prompt[0].content[2].image_url: ")
        refusal = await served.client.post("/v1/score", json={"samples": [{**sample, "images": sample["images"] * 2}]})
        assert (refusal.status_code, refusal.json()["error"]["param"]) == (413, "samples[0].images")


async def test_the_path_of_a_failed_address_names_its_sample_where_it_fails_the_request(serve: Any, site: Any) -> None:
    good, missing = site.url("/good.png"), site.url("/missing")
    body: dict[str, Any] = {"samples": [{"images": [good]}, {"images": [good, missing]}]}
    async with serve(**on(site)) as served:
        answer = await served.client.post("/v1/score", json={**body, "options": {"on_invalid": "fail"}})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "samples[1].images[1]"


async def test_what_no_model_of_the_recipe_reads_is_not_fetched(serve: Any, site: Any) -> None:
    async with serve(**on(site)) as served:
        (result,) = await served.results([{"response": "two words", "images": [site.url("/good.png")]}], reward="words")
    assert result["valid"]
    assert site.connections == 0


async def test_a_request_names_so_many_addresses_and_no_more(serve: Any, site: Any) -> None:
    urls = [site.url(f"/{k}.png") for k in range(4)]
    site.answers |= {f"/{k}.png": site.answers["/good.png"] for k in range(4)}
    async with serve(**on(site, max_media_urls=3)) as served:
        results = await served.results([{"images": [url]} for url in urls])
    assert [result["valid"] for result in results] == [True, True, True, False]
    assert results[3]["error"]["code"] == "too_large"
    assert "3 different addresses" in results[3]["error"]["message"]


async def test_what_is_fetched_for_a_request_counts_as_its_body(
    serve: Any, site: Any, picture: Callable[..., bytes]
) -> None:
    size = len(picture(size=(30, 10)))
    site.answers |= {f"/{k}.png": site.answers["/good.png"] for k in range(4)}
    limits = {"max_body_bytes": 3 * size, "media_url_concurrency": 1}
    async with serve(**on(site, **limits)) as served:
        results = await served.results([{"images": [site.url(f"/{k}.png")]} for k in range(4)])
    assert [result["valid"] for result in results] == [True, True, True, False]
    assert results[3]["error"]["code"] == "too_large"


async def test_only_so_many_are_fetched_at_once(serve: Any, site: Any) -> None:
    running = most = 0
    good = site.answers["/good.png"]

    async def counted(writer: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        while most < 3:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.05)  # long enough for one too many to show
        running -= 1
        await good(writer)

    site.answers |= {f"/{k}.png": counted for k in range(7)}
    async with serve(**on(site, media_url_concurrency=3)) as served:
        results = await served.results([{"images": [site.url(f"/{k}.png")]} for k in range(7)])
    assert all(result["valid"] for result in results)
    assert most == 3


async def test_fetching_leaves_time_to_score_before_the_deadline(
    serve: Any, site: Any, clock: Clock, picture: Callable[..., bytes]
) -> None:
    good = base64.b64encode(picture()).decode()

    async def ask(served: Any, *images: str) -> Any:
        """The answer when the share of the deadline that fetching may take has passed."""
        body = {"samples": [{"images": [image]} for image in images], "options": {"deadline_ms": 500_000}}
        asked = len(site.requests)
        asking = asyncio.create_task(served.client.post("/v1/score", json=body))
        await until(lambda: len(site.requests) > asked)
        await clock.advance(SHARE * 500 + 1)
        return await asking

    async with serve(**on(site, media_url_timeout_s=500)) as served:
        late, scored = (await ask(served, site.url("/silent"), good)).json()["results"]
        assert (late["error"]["code"], scored["reward"]) == ("deadline_exceeded", 64)
        assert (await ask(served, site.url("/silent"))).status_code == 504


async def test_what_was_fetched_is_counted_and_no_address_is_written_anywhere(
    serve: Any, site: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "reward_gateway")
    paths = ("/good.png", "/missing", "/to-private", "/page", "/good.png")
    async with serve(**on(site, media_url_ports=f"{site.port},443")) as served:
        await served.results([{"images": [site.url(f"{path}?token=secret")]} for path in paths])
        page = (await served.client.get("/metrics")).text
    counted = [line for line in page.splitlines() if line.startswith("reward_gateway_media_fetches_total{")]
    assert sorted(counted) == [
        'reward_gateway_media_fetches_total{outcome="invalid"} 1.0',
        'reward_gateway_media_fetches_total{outcome="ok"} 1.0',
        'reward_gateway_media_fetches_total{outcome="status"} 1.0',
        'reward_gateway_media_fetches_total{outcome="unresolved"} 1.0',
    ]
    assert "secret" not in page
    out, err = capfd.readouterr()
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("reward_gateway"))
    assert not [word for word in ("good.png", "secret", "example.org") if word in out + err + ours]


async def test_a_client_that_leaves_leaves_nothing_open(serve: Any, site: Any) -> None:
    async with serve(**on(site)) as served:
        task = asyncio.create_task(served.results([{"images": [site.url("/silent")]}]))
        await until(lambda: site.requests)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        (result,) = await served.results([{"images": [site.url("/good.png")]}])
    assert result["valid"]


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_worker_fetches_where_its_settings_say_so(site: Any, allowed: bool) -> None:
    """As ``serve`` joins the parts: the true resolver and the true rule of what is public."""
    settings = Settings(media_urls=allowed, media_url_ports=f"{site.port}", triton_url="127.0.0.1:9")
    gateway = await build_gateway(settings, Telemetry())
    unread = Batch(["0"], ["p"], ["r"], images=[[Media(data=b"<svg/>")]])
    named = Batch(["0"], ["p"], ["r"], images=[[Media(url=f"https://127.0.0.1:{site.port}/", param="images[0]")]])
    try:
        assert gateway.runtime.media is not None
        for one in (unread, named):
            await gateway.runtime.media.fill(one, ["images"], None, FetchedMedia())
    finally:
        await gateway.close()
    assert "known format" in unread.invalid[0].message
    assert ("public" in named.invalid[0].message) if allowed else not named.invalid
    assert site.connections == 0


def test_an_address_is_equal_to_itself_wherever_it_stood() -> None:
    assert Media(url="https://a.example", param="images[0]") == Media(url="https://a.example", param="frames[1]")
