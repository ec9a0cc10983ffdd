"""The guide over HTTP and as files: addresses, policy, caching, the index of the search."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.guide.site import PREFIX
from reward_gateway.guide.write import write_site
from reward_gateway.recipes.book import load_book

from tests.http.conftest import RECIPES, Serve

from .snippets import CONTENTS

pytestmark = pytest.mark.anyio

CONCEPTS = f"{PREFIX}start/concepts"


def read_index(script: str) -> list[tuple[str, str, str, str]]:
    """The entries of the search."""
    entries: list[tuple[str, str, str, str]] = json.loads(script[script.index("[") : script.rindex("]") + 1])
    return entries


async def test_every_page_is_answered_under_the_policy(served: Any) -> None:
    for page in CONTENTS:
        answer = await served.client.get(PREFIX + page.path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; ")
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", answer.text)
        assert not re.search(r'(src|srcset|href)="(https?:)?//', re.sub(r"<a [^>]*>", "", answer.text))


async def test_what_pages_load_is_kept_for_good(served: Any) -> None:
    html = (await served.client.get(CONCEPTS)).text
    loaded = re.findall(r'(?:src|href|srcset)="(/docs/guide/static/[^"]+)"', html)
    assert {path.rsplit("/", 1)[1] for path in loaded} >= {"guide.css", "guide.js", "search.js", "icon.svg"}
    for path in loaded:
        answer = await served.client.get(path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["cache-control"]


async def test_a_page_that_did_not_change_is_not_sent_again(served: Any) -> None:
    first = await served.client.get(CONCEPTS)
    again = await served.client.get(CONCEPTS, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_first_page_ends_in_a_slash(served: Any) -> None:
    answer = await served.client.get("/docs/guide")
    assert (answer.status_code, answer.headers["location"]) == (308, PREFIX)
    found = await served.client.get("/docs/guide?q=drift")
    assert found.headers["location"] == f"{PREFIX}?q=drift"


@pytest.mark.parametrize("path", [CONCEPTS, PREFIX])
async def test_the_head_of_a_page_can_be_asked_for(served: Any, path: str) -> None:
    whole, head = await served.client.get(path), await served.client.head(path)
    assert (head.status_code, head.headers["etag"]) == (200, whole.headers["etag"])


async def test_an_address_without_a_page_offers_the_search(served: Any) -> None:
    answer = await served.client.get(f"{PREFIX}start/nothing")
    assert answer.status_code == 404
    assert "There is no page at this address" in answer.text
    assert 'id="search"' in answer.text
    assert (await served.client.get(f"{PREFIX}static/0/none.css")).status_code == 404


async def test_behind_a_proxy_every_link_has_its_path(serve: Serve) -> None:
    async with serve(root_path="/rewards") as served:
        html = (await served.client.get(CONCEPTS)).text
    links = [link for link in re.findall(r'(?:src|href)="([^"#]+)', html) if "://" not in link]
    assert links
    assert all(link.startswith("/rewards/") for link in links)


async def test_the_search_finds_headings_operations_and_recipes(served: Any) -> None:
    index = read_index((await served.client.get(f"{PREFIX}search-index.js")).text)
    links = {link for _, _, link, _ in index}
    assert "/docs/guide/start/concepts" in links
    assert any(link.startswith("/docs/guide/start/concepts#") for link in links)
    assert {"/pages/operations/transform/par", "/pages/rewards/plain"} <= links


async def test_the_files_link_to_files_that_exist(tmp_path: Path) -> None:
    written = [file async for file in write_site(tmp_path, load_book(RECIPES))]
    assert tmp_path / "index.html" in written
    assert tmp_path / "pages" / "rewards" / "plain.html" in written
    for page in CONTENTS:
        file = tmp_path / f"{page.path or 'index'}.html"
        for link in re.findall(r'(?:src|srcset|href|data-index|data-engine)="([^"#]+)', file.read_text("utf-8")):
            if "://" not in link and not link.startswith("mailto:"):
                assert (file.parent / link).exists(), f"{page.path}: {link}"
    index = read_index((tmp_path / "search-index.js").read_text("utf-8"))
    assert all((tmp_path / link.partition("#")[0]).is_file() for _, _, link, _ in index)
