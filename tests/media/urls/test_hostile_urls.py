"""Hostile addresses: none that is closed is ever dialled, each is a clear error of its sample, and none is slow."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from reward_gateway.intake.fetch.addresses import is_public

from tests.clock import Clock, until

pytestmark = pytest.mark.anyio

PATIENCE_S = 60.0
"""How long a fetch may take; it passes on a clock that the test moves."""

# Never dialled -------------------------------------------------------------------------------------------------------

LITERALS = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2001:db8::1]",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "127.0.0.1.",
    "１２７.０.０.１",
    "127。0。0。1",
    "localhost",
    "user@127.0.0.1",
    "images.example.org@127.0.0.1",
    "127.0.0.1\\@images.example.org",
    "images.example.org#@127.0.0.1",
]


@pytest.mark.parametrize("host", LITERALS)
async def test_a_closed_address_is_not_dialled_however_it_is_written(serve: Any, site: Any, host: str) -> None:
    async with serve(site.fetching(public=is_public), media_urls=True, media_url_ports=f"{site.port},443") as served:
        for url in (f"https://{host}:{site.port}/good.png", f"https://{host}/good.png"):
            (bad,) = await served.results([{"images": [url]}])
            assert bad["error"]["code"] == "invalid_media"
            assert bad["error"]["message"].startswith("images[0]: ")
            assert "127" not in bad["error"]["message"]
    assert site.connections == 0


NAMES = {
    "closed": [["127.0.0.1"]],
    "closed in version 6": [["::1"]],
    "mapped": [["::ffff:127.0.0.1"]],
    "metadata": [["169.254.169.254"]],
    "first public, then closed": [["93.184.216.34", "127.0.0.1"]],
    "first closed, then public": [["127.0.0.1", "93.184.216.34"]],
    "public, with a closed one of version 6": [["93.184.216.34", "fe80::1"]],
    "of a zone": [["fe80::1%lo"]],
    "without an address": [[]],
}


@pytest.mark.parametrize("case", NAMES)
async def test_a_name_is_refused_unless_all_its_addresses_are_public(serve: Any, site: Any, case: str) -> None:
    site.names["sneaky.example.org"] = NAMES[case]
    async with serve(site.fetching(public=is_public), media_urls=True, media_url_ports=f"{site.port}") as served:
        (bad,) = await served.results([{"images": [site.url("/good.png", "sneaky.example.org")]}])
        (unknown,) = await served.results([{"images": [site.url("/good.png", "unknown.example.org")]}])
    assert bad["error"] == unknown["error"]  # which of both it is, is not told
    assert bad["error"]["code"] == "invalid_media"
    assert site.connections == 0


async def test_a_name_that_changes_its_mind_is_asked_once_and_what_it_said_is_dialled(serve: Any, site: Any) -> None:
    site.names["images.example.org"] = [["127.0.0.1"], ["10.0.0.1"]]
    async with serve(site.fetching(), media_urls=True, media_url_ports=f"{site.port}") as served:
        (good,) = await served.results([{"images": [site.url("/good.png")]}])
        assert (good["reward"], site.lookups, site.connections) == (30, ["images.example.org"], 1)
        (bad,) = await served.results([{"images": [site.url("/moved")]}])
    assert not bad["valid"]
    assert (site.lookups, site.connections) == (["images.example.org"] * 2, 1)


REDIRECTS = (
    "/to-loopback",
    "/to-private",
    "/to-metadata",
    "/to-hidden",
    "/to-http",
    "/to-file",
    "/to-port",
    "/to-user",
    "/to-nonsense",
)


@pytest.mark.parametrize("path", REDIRECTS)
async def test_a_redirect_is_checked_as_the_first_address_was(serve: Any, site: Any, path: str) -> None:
    site.names["internal.example.org"] = [["10.1.2.3"]]
    async with serve(site.fetching(), media_urls=True, media_url_ports=f"{site.port},443,80") as served:
        (bad,) = await served.results([{"images": [site.url(path)]}])
    assert bad["error"]["code"] == "invalid_media"
    assert site.connections == 1


# Dialled, and of no use ----------------------------------------------------------------------------------------------

ANSWERS = {
    "/loop": ("invalid_media", "redirects"),
    "/moved-5": ("invalid_media", "redirects"),
    "/to-nothing": ("invalid_media", "status 302"),
    "/missing": ("invalid_media", "status 404"),
    "/failing": ("invalid_media", "status 500"),
    "/empty": ("invalid_media", "empty"),
    "/no-content": ("invalid_media", "status 204"),
    "/part": ("invalid_media", "status 206"),
    "/page": ("invalid_media", "known format"),
    "/gzip": ("invalid_media", "compression"),
    "/compressed": ("invalid_media", "compression"),
    "/declared-huge": ("too_large", "20000 bytes"),
    "/declared-short": ("invalid_media", ""),
    "/declared-long": ("invalid_media", "broke off"),
    "/declared-twice": ("invalid_media", "no HTTP"),
    "/endless": ("too_large", "20000 bytes"),
    "/endless-chunks": ("too_large", "20000 bytes"),
    "/slow-body": ("invalid_media", "within 60 s"),
    "/slow-head": ("invalid_media", "within 60 s"),
    "/silent": ("invalid_media", "within 60 s"),
    "/early": ("invalid_media", "within 60 s"),
    "/huge-header": ("invalid_media", "no HTTP"),
    "/many-headers": ("invalid_media", "no HTTP"),
    "/no-http": ("invalid_media", "no HTTP"),
    "/cut": ("invalid_media", "broke off"),
}


@pytest.mark.parametrize("path", ANSWERS)
async def test_a_hostile_answer_is_an_error_of_its_sample_alone(
    serve: Any, site: Any, clock: Clock, path: str, picture: Callable[..., bytes]
) -> None:
    good = base64.b64encode(picture(size=(20, 10))).decode()
    limits = {"media_url_timeout_s": PATIENCE_S, "media_url_connect_s": PATIENCE_S, "max_image_bytes": 20_000}
    async with serve(site.fetching(), media_urls=True, media_url_ports=f"{site.port}", **limits) as served:
        samples = [{"images": [good]}, {"images": [good, site.url(path)]}, {"images": [site.url("/good.png")]}]
        asking = asyncio.create_task(served.results(samples))
        code, says = ANSWERS[path]
        if "within" in says:
            await until(lambda: len(site.requests) == 2)
            while 'media_fetches_total{outcome="ok"} 1.0' not in (await served.client.get("/metrics")).text:
                await asyncio.sleep(0.01)
            await clock.advance(PATIENCE_S + 1)
        before, bad, after = await asking
    assert (before["reward"], after["reward"]) == (20, 30)
    assert (bad["valid"], bad["error"]["code"]) == (False, code)
    if says:
        assert says in bad["error"]["message"]
    assert "example" not in bad["error"]["message"]


async def test_a_certificate_must_be_of_the_host_and_of_a_trusted_authority(serve: Any, site: Any) -> None:
    ports = f"{site.port},{site.other_port}"
    wrong = f"https://images.example.org:{site.other_port}/good.png"
    async with serve(site.fetching(), media_urls=True, media_url_ports=ports) as served:
        (bad,) = await served.results([{"images": [wrong]}])
        assert "certificate" in bad["error"]["message"]
    async with serve(site.fetching(trust=None), media_urls=True, media_url_ports=ports) as served:
        (bad,) = await served.results([{"images": [site.url("/good.png")]}])
        assert "certificate" in bad["error"]["message"]
    assert site.requests == []


async def test_a_host_that_does_not_answer_is_given_up(serve: Any, site: Any, clock: Clock) -> None:
    called = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set()
        await asyncio.sleep(3600)

    async with await asyncio.start_server(deaf, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = {"media_urls": True, "media_url_ports": f"{port},9", "media_url_timeout_s": PATIENCE_S}
        async with serve(site.fetching(), **settings) as served:
            (nobody,) = await served.results([{"images": ["https://images.example.org:9/"]}])
            asking = asyncio.create_task(served.results([{"images": [f"https://images.example.org:{port}/"]}]))
            await called.wait()
            await clock.advance(PATIENCE_S + 1)
            (no_tls,) = await asking
    assert "within" in no_tls["error"]["message"]
    assert "cannot be reached" in nobody["error"]["message"]
