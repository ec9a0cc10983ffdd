"""Where a recipe has conditions, an image is fetched when something is asked about it, and not before."""

import asyncio
import base64
from typing import Any

import pytest

from tests.clock import until

from .conftest import on, plain

pytestmark = pytest.mark.anyio


def sample(url: str, right: float, **more: Any) -> dict[str, Any]:
    return {"images": [url], "features": {"right": right}, "response": "a", **more}


async def test_the_images_of_skipped_samples_are_not_fetched_and_fail_nothing(serve: Any, site: Any) -> None:
    async with serve(**on(site)) as served:
        results = await served.results(
            [
                sample(site.url("/good.png"), 1),
                sample(site.url("/silent"), 0),
                sample(site.url("/missing"), 0),
                sample(site.url("/missing"), 1),
            ],
            reward="chosen",
        )
    assert [result["reward"] for result in results] == [31, -1, -1, None]
    assert [result["components"]["sight"]["skipped"] for result in results[:3]] == [None, "right", "right"]
    error = results[3]["error"]
    assert (error["code"], error["component"]) == ("invalid_media", "sight")
    assert error["message"].startswith("images[0]: ")
    assert len(site.requests) == 2


async def test_an_operation_has_the_images_of_the_samples_that_it_scores(serve: Any, site: Any) -> None:
    good, silent, missing = site.url("/good.png"), site.url("/silent"), site.url("/missing")
    samples = [
        {"prompt": "go", "frames": [good, good], "features": {"right": 1}, "response": "a"},
        {"prompt": "go", "frames": [silent], "features": {"right": 0}, "response": "a"},
        {"prompt": "go", "frames": [missing], "features": {"right": 1}, "response": "a"},
    ]
    async with serve(**on(site)) as served:
        results = await served.results(samples, reward="episode")
    assert [result["reward"] for result in results] == [61, -1, None]
    assert (results[2]["error"]["code"], results[2]["error"]["component"]) == ("invalid_media", "steps")


async def test_an_address_that_two_components_read_at_the_same_time_is_fetched_once(serve: Any, site: Any) -> None:
    async with serve(**on(site)) as served:
        results = await served.results(
            [sample(site.url("/good.png"), 1), sample(site.url("/missing"), 1)], reward="twice"
        )
    assert [result["reward"] for result in results] == [60, None]
    assert len(site.requests) == 2


async def test_the_limits_of_a_request_hold_for_all_its_components_together(serve: Any, site: Any) -> None:
    site.answers |= {f"/{k}.png": site.answers["/good.png"] for k in range(4)}
    samples = [sample(site.url(f"/{k}.png"), k % 2) for k in range(4)]
    async with serve(**on(site, max_media_urls=2)) as served:
        chosen = await served.results(samples, reward="chosen")
        everything = await served.results(samples, reward="twice")
    assert [result["reward"] for result in chosen] == [-1, 31, -1, 31]
    assert [result["valid"] for result in everything] == [True, True, False, False]
    assert "2 different addresses" in everything[2]["error"]["message"]


async def test_a_slow_image_holds_back_no_component_that_does_not_read_it(serve: Any, site: Any) -> None:
    gate = asyncio.Event()
    good = site.answers["/good.png"]

    async def wait(writer: Any) -> None:
        await gate.wait()
        await good(writer)

    site.answers["/slow.png"] = wait
    samples = [
        {"images": [site.url("/slow.png")], "features": {"right": 1}, "response": "a"},
        {"images": [site.url("/good.png")], "features": {"left": 1}, "response": "a"},
    ]
    async with serve(**on(site)) as served:
        asking = asyncio.create_task(served.results(samples, reward="apart"))
        await until(lambda: len(served.models.seen) == 1)
        gate.set()
        assert [result["reward"] for result in await asking] == [30, 30]


async def test_a_share_is_that_of_what_the_images_hold(serve: Any, site: Any, picture: Any) -> None:
    widths = range(1, 25)
    pictures = {width: picture(size=(width, 3)) for width in widths}
    for width, data in pictures.items():
        site.answers[f"/{width}.png"] = plain("200 OK", data)
    by_address = [{"images": [site.url(f"/{width}.png")]} for width in widths]
    sent = [{"images": [base64.b64encode(pictures[width]).decode()]} for width in widths]
    async with serve(**on(site)) as served:
        chosen = [
            [result["components"]["sight"]["skipped"] for result in await served.results(samples, reward="share")]
            for samples in (by_address, sent)
        ]
    assert chosen[0] == chosen[1]
    assert set(chosen[0]) == {None, "sample"}
