"""Recipes: what is loaded, and an editor that checks as the API does, scores as the API does, and overwrites nobody."""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.cli.reloading import watch
from reward_gateway.recipes.book import load_book

from tests.console.conftest import Pages, Serve, build, serving
from tests.console.test_console import BROWSER, token_in
from tests.console.test_login import log_in
from tests.http.conftest import KNOWN

pytestmark = pytest.mark.anyio

FILE = """\
# The recipes of a team.
default: short

rewards:
  # Short answers; ask the team before you change it.
  short:
    description: Short answers.
    components:
      quality: {score: letters}
      brevity: {score: length_penalty, params: {free_words: 2, per_word: 0.25}}
    combine: {weighted_sum: {weights: {quality: 1.0, brevity: 2.0}}}

  exact:
    components:
      match: {score: exact_match}

# What it is called elsewhere.
model_aliases: {gpt: short}
"""

SAMPLES = [
    {"prompt": "Why?", "response": "Because it is so.", "reference": "so"},
    {"prompt": "Why?", "response": "So.", "reference": "so"},
    {"prompt": "Why?", "response": None},
]
NEW = FILE[FILE.index("rewards:") : FILE.index("  exact:")].replace("per_word: 0.25", "per_word: 0.5")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rewards.yaml"
    path.write_text(FILE)
    path.chmod(0o640)
    return path


@asynccontextmanager
async def watched(file: Path, **options: Any) -> AsyncIterator[Pages]:
    """The console over a recipe file that is read again when it changes."""
    async with serving(recipes=file.read_text(), rewards_file=file, **options) as pages:
        watching = asyncio.create_task(watch(pages.gateway, pages.settings, pages.telemetry))
        yield pages
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


class Editor:
    """What the browser does with the page of a recipe."""

    def __init__(self, client: httpx.AsyncClient, page: str) -> None:
        self.client = client
        self.page = page
        self.token = token_in(page)
        self.fields = dict(re.findall(r'<input type="hidden" name="(name|edited|digest)" value="([^"]*)">', page))

    @classmethod
    async def open(cls, client: httpx.AsyncClient, query: str) -> "Editor":
        answer = await client.get(f"/console/recipes?{query}", headers=BROWSER)
        assert answer.status_code == 200, answer.text
        return cls(client, answer.text)

    async def send(self, part: str, **fields: str) -> httpx.Response:
        headers = {"x-csrf-token": self.token, "hx-request": "true"}
        return await self.client.post(f"/console/recipes/{part}", data={**self.fields, **fields}, headers=headers)


def numbers_of(page: str) -> list[list[float]]:
    """By sample: old, new, difference, and what the components gave."""
    rows = page.split("<tr>")[2:]
    return [[float(value) for value in re.findall(r'<data value="([^"]*)">', row)] for row in rows]


async def test_the_list_has_every_recipe_with_its_state_and_finds_words(pages: Pages) -> None:
    pages.models.lost.add("pictures")
    async with pages.client() as client:
        page = (await client.get("/console/recipes", headers=BROWSER)).text
        rows = dict(re.findall(r'<tr><th scope="row"><a href="/console/recipes\?name=(\w+)">(.*?)</tr>', page))
        assert list(rows) == list(pages.gateway.book.plans)
        assert "not ready" in rows["looks"]
        assert "there is no such model" in rows["looks"]
        assert "default" in rows["plain"]
        assert "not ready" not in rows["mixed"]
        assert "grouped" in rows["compared"]
        for plan in pages.gateway.book:
            assert plan.version in rows[plan.name]
        found = (await client.get("/console/recipes/rows?q=brevity+group", headers=BROWSER)).text
        assert re.findall(r"\?name=(\w+)", found) == ["compared"]
        assert "No recipe has these words" in (await client.get("/console/recipes/rows?q=zzz", headers=BROWSER)).text


FAULTY = (
    NEW.replace("free_words", "free_word"),
    NEW.replace("letters", "lettres"),
    NEW.replace("weights:", "wieghts:").replace("score: length", "scoer: length"),
    "rewards:\n  short: {components",
    "",
)


async def test_a_recipe_of_its_own_names_the_window(pages: Pages) -> None:
    async with pages.client() as client:
        page = (await client.get("/console/recipes?name=mixed", headers=BROWSER)).text
    assert "<title>mixed · Recipes · reward-gateway</title>" in page


async def test_faults_are_those_of_the_api_at_their_lines(pages: Pages) -> None:
    async with pages.client() as client:
        editor = await Editor.open(client, "name=plain")
        for text in (NEW, *FAULTY):
            shown = (await editor.send("check", text=text.replace("\n", "\r\n"))).text
            headers = {"content-type": "application/yaml"}
            expected = (await client.post("/v1/rewards:validate", content=text, headers=headers)).json()
            places = [fault["place"] for fault in expected["faults"]]
            assert re.findall(r'<button type="button" class="place"[^>]*>(line \d+(?:, column \d+)?)<', shown) == [
                place if "column" in place else f"{place}, column 1" for place in places
            ]
            assert expected["valid"] is (text not in FAULTY)
            for fault in expected["faults"]:
                assert fault["message"] in unescape(re.sub("<[^>]*>", "", shown))
            assert ("no faults" in shown) is expected["valid"]
            assert ('id="picture"' in shown) is expected["valid"]


async def test_old_and_new_rewards_are_those_of_the_api(file: Path) -> None:
    async with watched(file) as pages, pages.client() as client:
        editor = await Editor.open(client, "name=short")
        lines = "\n".join(httpx.Request("POST", "http://x", json=sample).content.decode() for sample in SAMPLES)
        shown = (await editor.send("compare", text=NEW, against="short", samples=lines)).text
        body = {"reward": "short", "samples": SAMPLES}
        old = (await client.post("/v1/score", json=body)).json()
        pages.gateway.book = load_book(NEW, KNOWN)
        new = (await client.post("/v1/score", json=body)).json()
    for row, was, now in zip(numbers_of(shown), old["results"][:2], new["results"][:2], strict=False):
        assert row[:2] == [was["reward"], now["reward"]]
        assert row[2] == now["reward"] - was["reward"]
        values = [result["components"][name]["value"] for name in ("quality", "brevity") for result in (was, now)]
        assert row[3:] == values
    assert [row[0] != row[1] for row in numbers_of(shown)[:2]] == [True, False]
    assert "1 of 2 rewards differ; old: 1 without a reward; new: 1 without a reward" in shown
    assert shown.count(new["results"][2]["error"]["message"]) == 2, "the sample says what is wrong, on both sides"


async def test_a_trial_leaves_nothing_behind(pages: Pages) -> None:
    def counted() -> list[str]:
        return [line for line in pages.telemetry.metrics.render().decode().splitlines() if 'reward="' in line]

    async with pages.client() as client:
        editor = await Editor.open(client, "name=mixed")
        before = counted()
        tried = await editor.send("compare", text=NEW, against="mixed", samples='[{"prompt": "q", "response": "abc"}]')
        assert numbers_of(tried.text)[0][:2] == [2.5, 3.0]
        assert counted() == before
        assert (await client.get("/v1/runs")).json()["runs"] == []


async def test_what_cannot_be_tried_says_why(pages: Pages) -> None:
    refusals: list[tuple[dict[str, str], int, str]] = [
        ({"samples": '{"prompt": "q", "response": "r"}\n{"prompt": }'}, 422, "line 2, column 12 of the samples"),
        ({"samples": "[\n 1,\n]"}, 422, "of the samples is not JSON"),
        ({"samples": ""}, 422, "line 1, column 1 of the samples"),
        ({"samples": '[{"prompt": "q", "respnose": "r"}]'}, 422, "respnose"),
        ({"samples": "[]"}, 422, "write the samples"),
        ({"against": "gone"}, 404, "no recipe of this name"),
        ({"text": FAULTY[0]}, 422, "did you mean 'free_words'?"),
        ({"text": "x" * 300_000}, 413, "at most 262144 characters"),
    ]
    good = {"text": NEW, "against": "plain", "samples": '[{"prompt": "q", "response": "r"}]'}
    async with pages.client() as client:
        editor = await Editor.open(client, "name=plain")
        for fields, status, says in refusals:
            refused = await editor.send("compare", **{**good, **fields})
            assert (refused.status_code, says in unescape(refused.text)) == (status, True), refused.text


async def test_what_is_saved_is_loaded_and_leaves_the_rest_of_the_file(file: Path) -> None:
    async with watched(file) as pages, pages.client() as client:
        editor = await Editor.open(client, "name=short")
        assert "ask the team" in editor.page, "the text is the file's, with its comments"
        saved = await editor.send("save", text=NEW)
        assert saved.status_code == 200, saved.text
        assert file.read_text() == FILE.replace("per_word: 0.25", "per_word: 0.5")
        assert file.stat().st_mode & 0o777 == 0o640
        assert [path.name for path in file.parent.iterdir()] == ["rewards.yaml"]
        assert "It is in use" in saved.text
        assert pages.gateway.book.plans["short"].version in saved.text
        digest = re.findall(r'name="digest" value="(\w+)"', saved.text)[0]
        again = await editor.send("save", text=NEW.replace("0.5", "0.75"), digest=digest)
        assert again.status_code == 200, "the page goes on with what it has saved"
        assert "per_word: 0.75" in file.read_text()


async def test_a_copy_becomes_a_recipe_of_its_own(file: Path) -> None:
    async with watched(file) as pages, pages.client() as client:
        editor = await Editor.open(client, "copy=short")
        assert editor.fields["name"] == "short_copy"
        text = "rewards:\n  short_copy:\n    components:\n      quality: {score: letters}\n"
        saved = await editor.send("save", text=text)
        assert saved.headers["hx-replace-url"] == "/console/recipes?name=short_copy"
        assert "/console/try?recipe=short_copy" in saved.text
        assert (
            await client.post("/v1/score", json={"reward": "short_copy", "samples": SAMPLES[:1]})
        ).status_code == 200
        assert file.read_text().startswith(FILE[: FILE.index("\n# What it is called")])


async def test_nobody_overwrites_what_another_has_changed(file: Path) -> None:
    async with watched(file) as pages, pages.client() as client:
        first, second, copy = [await Editor.open(client, query) for query in ("name=short", "name=short", "copy=exact")]
        assert (await first.send("save", text=NEW)).status_code == 200
        held = file.read_text()
        refused = await second.send("save", text=NEW.replace("0.5", "9"))
        assert refused.status_code == 412
        assert "somebody has changed short since you opened it" in refused.text
        taken = await copy.send("save", text="rewards:\n  short:\n    components:\n      m: {score: exact_match}\n")
        assert taken.status_code == 409
        assert "there is a recipe short already" in taken.text
        assert file.read_text() == held
        other = await Editor.open(client, "name=exact")
        changed = other.page[other.page.index("rewards:\n") : other.page.index("</textarea>")].replace("match:", "m:")
        assert (await other.send("save", text=changed)).status_code == 200, "another recipe of the file is no conflict"


async def test_faults_are_not_saved(file: Path) -> None:
    refusals = [
        (FAULTY[0], "Nothing was saved. line 7"),
        (NEW + "\ndefault: short\n", "write default in the file itself"),
        (NEW + "  more:\n    components:\n      m: {score: exact_match}\n", "keep one recipe here"),
        ("rewards: {short: {components: {m: {score: exact_match}}}}", "lines of their own"),
        (NEW.replace("  short:", "  gpt:"), "rewards.yaml, with this recipe in it: line"),
    ]
    async with watched(file) as pages, pages.client() as client:
        editor = await Editor.open(client, "name=short")
        for text, says in refusals:
            refused = await editor.send("save", text=text)
            assert (refused.status_code, says in refused.text) == (422, True), refused.text
            assert file.read_text() == FILE


async def test_with_the_right_score_everything_works_but_saving(file: Path, keys_file: Path) -> None:
    async with watched(file, api_keys_file=keys_file) as pages, pages.client() as client:
        await log_in(client, "key-of-researcher")
        editor = await Editor.open(client, "name=short")
        assert "ask the team" not in editor.page, "comments are the operator's"
        assert ">Save<" not in editor.page
        assert "Saving needs a key with the right admin" in editor.page
        assert "no faults" in (await editor.send("check", text=NEW)).text
        samples = '[{"prompt": "q", "response": "r"}]'
        assert "data value" in (await editor.send("compare", text=NEW, against="short", samples=samples)).text
        refused = await editor.send("save", text=NEW)
        assert refused.status_code == 403
        assert file.read_text() == FILE
    async with watched(file, api_keys_file=keys_file) as pages, pages.client() as client:
        await log_in(client, "key-of-operator")
        editor = await Editor.open(client, "name=short")
        editor.token = "x"
        assert (await editor.send("save", text=NEW)).status_code == 403, "another site's page has no token"
        assert file.read_text() == FILE


async def test_the_recipes_that_ship_and_links_are_not_changed(pages: Pages, file: Path, serve: Serve) -> None:
    link = file.with_name("link.yaml")
    link.symlink_to(file)
    async with pages.client() as client:
        editor = await Editor.open(client, "name=plain")
        refused = await editor.send("save", text=NEW)
        for said in (editor.page, refused.text):
            assert "the recipes that ship, which are not changed" in said
            assert "--rewards-file" in said
        assert refused.status_code == 409
    async with serve(rewards_file=link) as others, others.client() as client:
        refused = await (await Editor.open(client, "name=plain")).send("save", text=NEW)
        assert (refused.status_code, "mounted ConfigMap" in refused.text) == (409, True)
    assert link.is_symlink()
    assert file.read_text() == FILE


async def test_a_file_that_may_not_be_written_says_so(file: Path, serve: Serve) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write every file")
    file.chmod(0o440)
    async with serve(rewards_file=file) as pages, pages.client() as client:
        refused = await (await Editor.open(client, "name=plain")).send("save", text=NEW)
        assert (refused.status_code, "cannot be written" in refused.text) == (409, True)


async def test_the_text_is_downloaded_as_it_is_written(pages: Pages) -> None:
    async with pages.client() as client:
        editor = await Editor.open(client, "name=plain")
        answer = await editor.send("download", text="rewards:\r\n  not: yet [a recipe\r\n", name='a"b/../c')
    assert answer.text == "rewards:\n  not: yet [a recipe\n"
    assert answer.headers["content-disposition"] == 'attachment; filename="a_b_.._c.yaml"'


async def test_what_is_not_loaded_is_not_shown() -> None:
    pages = build()
    async with pages.client() as client:
        for query in ("name=nothing", "copy=nothing"):
            assert (await client.get(f"/console/recipes?{query}", headers=BROWSER)).status_code == 404
    await pages.gateway.close()
