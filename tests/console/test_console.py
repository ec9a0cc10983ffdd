"""The console's frame: what answers where, under which policy, and what a change has to carry."""

import re

import httpx
import pytest
from reward_gateway import __version__
from reward_gateway.console.console import find_pages, prefers_html
from reward_gateway.console.layout import CONTENT_SECURITY_POLICY

from tests.console.conftest import Pages, Serve

pytestmark = pytest.mark.anyio

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def token_in(page: str) -> str:
    """What a page's forms and htmx send with each change."""
    found = re.search(r"x-csrf-token&quot;:&quot;([0-9a-f]{64})", page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (BROWSER["accept"], True),
        ("text/html", True),
        ("text/html;q=0.5, application/json", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
        ("text/html;q=much", False),
    ],
)
def test_html_is_for_those_who_prefer_it(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html


async def test_home_is_a_page_for_browsers_and_json_for_programs(pages: Pages) -> None:
    async with pages.client() as client:
        page = await client.get("/", headers=BROWSER)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        answer = (await client.get("/")).json()
        assert (answer["name"], answer["version"], answer["ready"]) == ("reward-gateway", __version__, True)
        assert answer["links"]["console"] == "/"
        for path in answer["links"].values():
            assert (await client.get(path, headers=BROWSER)).status_code not in (404, 500), path
        pages.models.lost.add("letters")
        assert (await client.get("/")).json()["ready"] is False


async def test_post_to_home_stays_the_dialects(pages: Pages) -> None:
    async with pages.client() as client:
        answer = await client.post("/", content=b"x", headers=BROWSER)
        assert "pickles are not accepted" in answer.text


async def test_no_console_serves_no_page(serve: Serve) -> None:
    async with serve(console=False) as pages, pages.client() as client:
        assert (await client.get("/", headers=BROWSER)).json()["name"] == "reward-gateway"
        assert "console" not in (await client.get("/")).json()["links"]
        for page in find_pages():
            if page.path != "/":
                assert (await client.get(page.path, headers=BROWSER)).status_code == 404
        guide = await client.get("/docs/guide/", headers=BROWSER)
        assert guide.status_code == 200
        assert ">Console</a>" not in guide.text


async def test_every_page_has_the_policy_and_loads_only_what_is_here(pages: Pages) -> None:
    async with pages.client() as client:
        for page in find_pages():
            answer = await client.get(page.path, headers=BROWSER)
            assert answer.status_code == 200, page.path
            assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            assert answer.headers["cache-control"] == "no-store"
            assert not re.search(r"<style|<script(?![^>]* src=)| style=| on[a-z]+=", answer.text)
            for path in re.findall(r'(?:src|href)="([^"#]+)"', answer.text):
                assert path.startswith("/"), path
                loaded = await client.get(path, headers=BROWSER)
                assert loaded.status_code in (200, 303), path


async def test_files_are_kept_for_good_at_an_address_that_names_their_content(pages: Pages) -> None:
    async with pages.client() as client:
        (path,) = re.findall(
            r'src="(/console/static/[^"]*/htmx.min.js)"', (await client.get("/", headers=BROWSER)).text
        )
        file = await client.get(path)
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert file.headers["content-type"].startswith("text/javascript")
        other = await client.get(re.sub("[0-9a-f]{16}", "0" * 16, path))
        assert (other.content, other.headers["cache-control"]) == (file.content, "no-store")
        assert (await client.get("/console/static/x/../../settings.py")).status_code == 404
        assert (await client.get(path.replace("htmx.min.js", "assets.yaml"))).status_code == 404


async def test_behind_a_proxy_every_link_begins_with_its_path(serve: Serve) -> None:
    async with serve(root_path="/rewards/") as pages, pages.client() as client:
        for prefix in ("", "/rewards"):  # a proxy that takes the path away, and one that does not
            answer = await client.get(f"{prefix}/", headers=BROWSER)
            links = re.findall(r'(?:src|href|action)="(/[^"]*)"', answer.text)
            assert links
            assert all(link.startswith("/rewards/") for link in links)
            assert (await client.get(f"{prefix}/readyz")).status_code == 200
        assert "Path=/rewards" in answer.headers.get("set-cookie", "") or client.cookies
        assert (await client.get("/")).json()["links"]["docs"] == "/rewards/docs"
        listed = (await client.get("/rewards/pages")).text
        assert re.findall(r'href="(/rewards/pages/[^"]+)"', listed)
        assert not re.findall(r'href="/pages', listed)
        page = (await client.get("/openapi.json")).json()
        assert page["servers"] == [{"url": "/rewards"}]


async def test_a_change_needs_the_token_of_the_same_browser(pages: Pages) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    async with pages.client() as client, pages.client() as other:
        token = token_in((await client.get("/", headers=BROWSER)).text)
        foreign = token_in((await other.get("/", headers=BROWSER)).text)
        for wrong in ({}, {"x-csrf-token": "x"}, {"x-csrf-token": foreign}, {"x-reward-gateway": "1"}):
            refused = await client.post("/console/logout", headers={**form, **wrong})
            assert refused.status_code == 403
            assert "another session" in refused.text
        assert (await client.post("/console/logout", content=f"csrf={foreign}", headers=form)).status_code == 403
        assert (await client.post("/console/logout", headers={"x-csrf-token": token})).status_code == 303
        token = token_in((await client.get("/", headers=BROWSER)).text)
        assert (await client.post("/console/logout", content=f"csrf={token}", headers=form)).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"host": "rebound.example"},
    ],
)
async def test_another_site_reaches_nothing_even_with_a_token(pages: Pages, headers: dict[str, str]) -> None:
    async with pages.client() as client:
        token = token_in((await client.get("/", headers=BROWSER)).text)
        for method, path in (("POST", "/console/logout"), ("GET", "/"), ("GET", "/console/keys")):
            answer = await client.request(method, path, headers={**BROWSER, **headers, "x-csrf-token": token})
            assert answer.status_code == 403, path


async def test_what_is_not_there_is_said_on_a_page(pages: Pages) -> None:
    async with pages.client() as client:
        missing = await client.get("/console/nothing", headers=BROWSER)
        assert missing.status_code == 404
        assert "<h1>Not found</h1>" in missing.text
        wrong: httpx.Response = await client.get("/console/logout", headers=BROWSER)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        part = await client.get("/console/nothing", headers={"hx-request": "true"})
        assert part.text.startswith('<p class="notice error" role="alert">')
        assert (await client.get("/console")).headers["location"] == "/"


async def test_pages_are_answered_while_all_places_are_taken(serve: Serve) -> None:
    async with serve(max_in_flight=1, max_queued=0) as pages, pages.client() as client:
        with pages.traffic.admission.occupy():
            await pages.traffic.admission.acquire(None)
            assert (await client.get("/", headers=BROWSER)).status_code == 200
            assert (await client.get("/v1/rewards")).status_code == 503


async def test_a_gateway_that_shuts_down_says_so_on_a_page_with_its_style(pages: Pages) -> None:
    pages.traffic.drain.begin()
    async with pages.client() as client:
        answer = await client.get("/console/try", headers=BROWSER)
        assert answer.status_code == 503
        assert "<h1>Draining</h1>" in answer.text
        assert "Load this page again in a moment" in answer.text
        files = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', answer.text)
        assert any(path.endswith("/console.css") for path in files)
        for path in files:
            assert (await client.get(path)).status_code == 200
        assert (await client.get("/v1/rewards")).status_code == 503
