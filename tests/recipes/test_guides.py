"""The guides to verifiable rewards: commands give their answers, columns of data sets make references that are read."""

import json
import re
import shlex
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import yaml
from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.sandbox.databases import DatabaseFolder
from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.operations.verdicts import VERDICTS
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.conftest import ROOT
from tests.contract import HttpContract
from tests.documents import Block, agrees, pair_commands, read_blocks, read_code, read_table

from .published_rows import ROWS

FOLDER = ROOT / "service/reward_gateway/recipes/guides"
INDEX = (FOLDER / "README.md").read_text("utf-8")
GUIDES = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.md")) if path.stem != "README"}
COMMANDS = [
    pytest.param(block, answer, id=f"{name}:{block.line}")
    for name, text in GUIDES.items()
    for block, answer in pair_commands(read_blocks(text))
]
DATA_SETS = {
    name.replace("`", ""): (read_code(recipe), read_code(reference))
    for text in GUIDES.values()
    for name, recipe, reference in read_table(text, "data set", "recipe", "reference")
}
RECIPES = read_table(INDEX, "recipe", "what earns 1", "reference", "a response that earns it", "guide")
SETTINGS = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}


class NoModels:
    """A model server without models."""

    async def models(self) -> list[ModelInfo]:
        return []

    async def close(self) -> None: ...


def every_recipe() -> str:
    """The recipes that ship, and those of the guides."""
    book = yaml.safe_load(Settings().rewards_file.read_text("utf-8"))
    for text in GUIDES.values():
        for block in read_blocks(text):
            if block.mark == "recipe":
                book["rewards"] |= yaml.safe_load(block.text)["rewards"]
    return json.dumps(book)


@pytest.fixture(scope="module")
async def http(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway whose operator allows code, and has a database as Spider lays it out."""
    sandbox = Sandbox(processes=2)
    try:
        await sandbox.start()
    except SandboxUnavailable:
        pytest.skip("this machine cannot isolate a program")
    databases = tmp_path_factory.mktemp("databases")
    (databases / "concert_singer").mkdir()
    with sqlite3.connect(databases / "concert_singer" / "concert_singer.sqlite") as database:
        database.execute("CREATE TABLE singer(name TEXT, age INTEGER)")
        database.executemany("INSERT INTO singer VALUES (?, ?)", [("Ann", 30), ("Bo", 25)])
    database.close()
    runtime = EffectsRuntime(
        CachedScorer(NoModels(), NullCache()),  # type: ignore[arg-type]
        StateStore.in_process(),
        sandbox=sandbox,
        databases=DatabaseFolder(databases),
    )
    app = create_app(Gateway(load_book(every_recipe()), runtime), Settings())
    async with HttpContract(app).client(timeout=120) as client:
        yield client
    await runtime.close()


async def score(http: httpx.AsyncClient, recipe: str, reference: Any, *responses: Any) -> list[dict[str, Any]]:
    samples = [{"prompt": "p", "response": response, "reference": reference} for response in responses]
    answer = await http.post("/v1/score", json={"reward": recipe, "samples": samples})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@pytest.mark.anyio
@pytest.mark.parametrize(("block", "answer"), COMMANDS)
async def test_a_command_gives_its_answer(http: httpx.AsyncClient, block: Block, answer: Block | None) -> None:
    words = shlex.split(block.text)
    assert words[:2] == ["curl", "-s"]
    address, header, body = words[2], words[words.index("-H") + 1], words[words.index("-d") + 1]
    assert address.startswith("http://127.0.0.1:8080/")
    got = await http.post(
        address.removeprefix("http://127.0.0.1:8080"), content=body, headers=dict([header.split(": ")])
    )
    assert answer is not None
    assert agrees(json.loads(answer.text), got.json()), got.text


@pytest.mark.anyio
@pytest.mark.parametrize("name", DATA_SETS)
async def test_the_columns_of_a_data_set_make_a_reference_that_tells_right_from_wrong(
    http: httpx.AsyncClient, name: str
) -> None:
    (recipe, expression), published = DATA_SETS[name], ROWS[name]
    reference = eval(expression, {"json": json, "row": published.row})
    results = await score(http, recipe, reference, published.right, published.wrong)
    assert [(result["reward"], result["error"]) for result in results] == [(1.0, None), (0.0, None)]


def test_every_published_row_is_one_of_a_guide() -> None:
    assert set(ROWS) == set(DATA_SETS)


@pytest.mark.anyio
@pytest.mark.parametrize("row", RECIPES, ids=lambda row: row[0])
async def test_the_table_of_the_index_is_true(http: httpx.AsyncClient, row: list[str]) -> None:
    recipe, _, reference, response, _ = row
    given = read_code(response)
    (result,) = await score(
        http,
        read_code(recipe),
        json.loads(read_code(reference)) if reference else None,
        json.loads(given) if given.startswith('"') else given,
    )
    assert (result["reward"], result["error"]) == (1.0, None)


def test_the_index_leads_to_every_guide() -> None:
    for name in GUIDES:
        assert f"({name}.md)" in INDEX


@pytest.mark.parametrize("name", ["README", *GUIDES])
def test_a_guide_names_what_is_there(name: str) -> None:
    text = INDEX if name == "README" else GUIDES[name]
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (FOLDER / link).exists(), link
    flags = set(re.findall(r"--[a-z][a-z-]+", text)) - {"--data", "--reward", "--reference-column"}
    assert flags <= SETTINGS
    if name != "README":
        assert read_table(text, "what", "how one sees it", "what to do")
        assert {block.mark for block in read_blocks(text)} <= {"run", "answer", "recipe"}


def test_the_index_explains_every_verdict() -> None:
    explained = [
        name for row in read_table(INDEX, "verdict", "what it says") for name in re.findall(r"`(\w+)`", row[0])
    ]
    assert sorted(explained) == sorted(VERDICTS)


NOT_READ = {
    "tools": ("Tools whose names have spaces", "tool_calls", '[Market Trends API(country="us")]'),
}
"""What the guides say is not read: the words, the recipe, the reference."""


@pytest.mark.anyio
@pytest.mark.parametrize("name", NOT_READ)
async def test_what_is_said_not_to_be_read_is_an_error_of_its_samples(http: httpx.AsyncClient, name: str) -> None:
    words, recipe, reference = NOT_READ[name]
    assert words in " ".join(GUIDES[name].split())
    (result,) = await score(http, recipe, reference, "a")
    assert (result["error"]["code"], result["error"]["param"]) == ("invalid_field", "reference")
