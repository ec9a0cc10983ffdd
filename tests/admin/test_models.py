"""Heads are replaced whole or not at all, one after another, and what recipes name stays served."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.admin.models import ModelAdmin
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import Conflict, GatewayError, InvalidRequest, NotFound, NotSetUp, PreconditionFailed
from reward_gateway.gateway import Gateway
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_models.repository import heads, versions
from reward_models.repository.files import hash_file

pytestmark = pytest.mark.anyio

RECIPES = "rewards: {r: {components: {a: {score: %s}}}}"


class Server:
    """Serves what the repository says, as Triton does when it is told to load; or refuses."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.control: Any = self
        self.serving: list[str] = []
        self.refuses: set[int] = set()
        self.deaf = False
        self.loads = 0

    async def load(self, name: str, timeout_s: float) -> None:
        self.loads += 1
        wanted = [version for version in versions.list_versions(self.repository, name) if version.served]
        if self.refuses & {version.number for version in wanted}:
            raise Conflict("the model server refused: load failed")
        if not self.deaf:
            self.serving = [f"{version.number}-{version.content_version}" for version in wanted]

    async def unload(self, name: str, timeout_s: float) -> None:
        self.serving = []

    async def models(self) -> list[ModelInfo]:
        return [await self.info("tiny")] if self.serving else []

    async def info(self, name: str) -> ModelInfo:
        if not self.serving:
            raise NotFound("there is no such model")
        return ModelInfo(name, self.serving[-1], True, ("response",), ("good",), 8, versions=tuple(self.serving))

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        raise AssertionError("nothing is scored here")

    async def ready(self) -> bool:
        return True

    async def close(self) -> None: ...


def head(value: float) -> bytes:
    body = io.BytesIO()
    np.savez(body, w0=np.full((2, 1), value, np.float32), b0=np.zeros(1, np.float32))
    return body.getvalue()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A repository with one model of one version, and a stack that serves it."""
    staging = tmp_path / "staging"
    staging.mkdir()
    (staging / heads.HEAD).write_bytes(head(1.0))
    (staging / "model.py").write_text("# the model\n")
    (staging / "config.pbtxt").write_text('name: "tiny"\nbackend: "python"\n')
    content = {"name": "tiny", "inputs": {"response": "it"}, "dimensions": {"good": "it"}, "flags": {}, "settings": {}}
    held = {heads.HEAD: {"sha256": hash_file(staging / heads.HEAD)}}
    (staging / "card.yaml").write_text(json.dumps(content | {"files": held}))
    (tmp_path / "repository").mkdir()
    versions.publish_version(tmp_path / "repository", "tiny", staging)
    made = Settings(model_repository=tmp_path / "repository", state_dir=tmp_path / "state", keep_versions=2)
    made.run_directory.mkdir(parents=True)
    (made.run_directory / "models.txt").write_text("tiny\n")
    return made


@pytest.fixture
async def server(settings: Settings) -> Server:
    made = Server(settings.model_repository)
    await made.load("tiny", 1.0)
    return made


def admin_of(server: Server, settings: Settings, model: str = "tiny", recipes: str = RECIPES) -> ModelAdmin:
    runtime = EffectsRuntime(CachedScorer(server, NullCache()))
    return ModelAdmin(Gateway(load_book(recipes % model), runtime), settings)


def on_disk(settings: Settings) -> dict[int, bool]:
    return {version.number: version.served for version in versions.list_versions(settings.model_repository, "tiny")}


async def test_a_head_becomes_the_next_version_and_is_served(server: Server, settings: Settings) -> None:
    before = server.serving[0]
    uploaded = await admin_of(server, settings).put_head("tiny", head(2.0), before)
    assert (uploaded.number, uploaded.replaced, uploaded.created) == (2, before, True)
    assert uploaded.info.version == server.serving[-1] != before


async def test_the_same_head_is_no_new_version_and_loads_nothing(server: Server, settings: Settings) -> None:
    loads = server.loads
    uploaded = await admin_of(server, settings).put_head("tiny", head(1.0))
    assert (uploaded.number, uploaded.created, server.loads) == (1, False, loads)


async def test_of_two_heads_trained_from_one_version_one_is_taken(server: Server, settings: Settings) -> None:
    lifecycles = [admin_of(server, settings) for _ in range(2)]  # as in two processes
    base = server.serving[0]
    heads_of_two = [model_admin.put_head("tiny", head(2.0 + k), base) for k, model_admin in enumerate(lifecycles)]
    results = await asyncio.gather(*heads_of_two, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["PreconditionFailed", "Uploaded"]
    assert on_disk(settings) == {1: True, 2: True}


async def test_a_version_that_cannot_be_loaded_leaves_everything_as_it_was(server: Server, settings: Settings) -> None:
    model_admin = admin_of(server, settings)
    for value in (2.0, 3.0):
        await model_admin.put_head("tiny", head(value))
    before, disk = list(server.serving), on_disk(settings)
    server.refuses = {4}
    with pytest.raises(Conflict, match="load failed"):
        await model_admin.put_head("tiny", head(4.0))
    assert (server.serving, on_disk(settings)) == (before, disk)
    server.refuses = set()
    assert (await model_admin.put_head("tiny", head(4.0))).number == 5, "a number is given once"


async def test_a_server_that_does_not_read_the_versions_is_found_out(server: Server, settings: Settings) -> None:
    server.deaf = True
    with pytest.raises(Conflict, match="--model-config-name=served"):
        await admin_of(server, settings).put_head("tiny", head(2.0))
    assert on_disk(settings) == {1: True}


async def test_the_newest_are_kept_and_those_that_recipes_name(server: Server, settings: Settings) -> None:
    model_admin = admin_of(server, settings, "tiny@2")
    for value in (2.0, 3.0, 4.0, 5.0):
        await model_admin.put_head("tiny", head(value))
    assert on_disk(settings) == {1: True, 2: True, 4: True, 5: True}
    with pytest.raises(Conflict, match="recipes use tiny@2"):
        await model_admin.unload("tiny@2")


@pytest.mark.parametrize("named", ["model: tiny@2", "model: tiny@1, text_model: tiny@2"])
async def test_a_version_that_an_operation_of_a_recipe_asks_is_kept(
    server: Server, settings: Settings, named: str
) -> None:
    recipes = "rewards: {r: {components: {a: {score: basereward, params: {%s}}}}}"
    model_admin = admin_of(server, settings, named, recipes)
    await model_admin.put_head("tiny", head(2.0))
    with pytest.raises(Conflict, match="recipes use tiny@2"):
        await model_admin.rollback("tiny")


async def test_a_rollback_ends_at_the_last_version(server: Server, settings: Settings) -> None:
    model_admin = admin_of(server, settings)
    await model_admin.put_head("tiny", head(2.0))
    assert (await model_admin.rollback("tiny")).version == server.serving[0]
    with pytest.raises(Conflict, match="only served version"):
        await model_admin.rollback("tiny")
    assert (await model_admin.load("tiny@2")).version.startswith("2-")


async def test_a_model_that_there_is_not_cannot_be_unloaded(server: Server, settings: Settings) -> None:
    with pytest.raises(NotFound, match="there is no model 'tinny'; did you mean 'tiny'"):
        await admin_of(server, settings).unload("tinny")


async def test_what_is_unloaded_stays_so_when_the_server_starts_again(server: Server, settings: Settings) -> None:
    model_admin, names = admin_of(server, settings), settings.run_directory / "models.txt"
    await model_admin.unload("tiny")
    assert names.read_text() == ""
    await model_admin.load("tiny")
    assert names.read_text() == "tiny\n"


async def test_a_gateway_without_the_repository_says_so(server: Server, settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"model_repository": settings.state_dir / "none"})
    with pytest.raises(NotSetUp, match="no model repository"):
        await admin_of(server, elsewhere).put_head("tiny", head(2.0))


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda it: it.put_head("tiny", b"garbage"), InvalidRequest),
        (lambda it: it.put_head("tiny", head(2.0), "7"), PreconditionFailed),
        (lambda it: it.put_head("none", head(2.0)), NotFound),
        (lambda it: it.load("tiny@x"), NotFound),
        (lambda it: it.load("tiny@7"), Conflict),
        (lambda it: it.unload("../tiny"), NotFound),
    ],
)
async def test_what_cannot_be_done_changes_nothing(
    server: Server, settings: Settings, call: Any, kind: type[GatewayError]
) -> None:
    before = list(server.serving)
    with pytest.raises(kind):
        await call(admin_of(server, settings))
    assert (server.serving, on_disk(settings)) == (before, {1: True})
