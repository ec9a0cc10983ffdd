"""Versions side by side on a real Triton: each is asked by NAME@VERSION, and the name alone is the highest's."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from reward_gateway.backends.triton.servers import TritonServers
from reward_gateway.cache.keys import SampleDigests
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.errors import NotFound
from reward_gateway.sample import Usage
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.request_context import RequestContext

from tests.backends.conftest import BARE, tensor, write_model
from tests.backends.triton.test_server import ask, batch_of, codes

if TYPE_CHECKING:
    from tests.backends.conftest import Triton

pytestmark = pytest.mark.anyio

INITIALIZE = """
class TritonPythonModel:
    def initialize(self, args):
        self.added = 100 * int(args["model_version"])
"""
VERSIONED = BARE.replace("class TritonPythonModel:\n", INITIALIZE).replace(
    "len(value) for", "len(value) + self.added for"
)


def write(repository: Path, *serving: int) -> None:
    """Versions 1 and 2, each answering the length and a hundred times its number; ``serving`` are served."""
    keys: dict[str, Any] = {"content_version": "a", "content_version.2": "b", "card": '{"n": 1}', "card.2": '{"n": 2}'}
    plain = [tensor("prompt"), tensor("response")]
    write_model(repository, "versioned", VERSIONED, plain, [tensor("score", "TYPE_FP32")], **keys)
    folder = repository / "versioned"
    if not (folder / "2").exists():
        shutil.copytree(folder / "1", folder / "2")
    named = ", ".join(map(str, serving))
    with (folder / "config.pbtxt").open("a") as config:
        config.write(f"version_policy {{ specific {{ versions: [{named}] }} }}\n")


@pytest.fixture
def versioned(triton_server: "Triton") -> "Iterator[Triton]":
    write(triton_server.repository, 1, 2)
    triton_server.load("versioned")
    yield triton_server
    triton_server.unload("versioned")
    shutil.rmtree(triton_server.repository / "versioned")


@pytest.mark.usefixtures("versioned")
class TestSideBySide:
    async def test_each_version_says_its_own_version_and_card(self, models: TritonServers) -> None:
        one, two = await models.info("versioned@1"), await models.info("versioned@2")
        assert (one.name, one.version, one.card) == ("versioned@1", "1-a", {"n": 1})
        assert (two.name, two.version, two.card) == ("versioned@2", "2-b", {"n": 2})

    async def test_each_version_gives_its_own_scores(self, models: TritonServers) -> None:
        for number in (1, 2):
            answer = await ask(models, f"versioned@{number}", batch_of(["four"]))
            assert answer.values.tolist() == [[100 * number + 4]]
            assert answer.version == f"{number}-{'_ab'[number]}"

    async def test_the_name_alone_is_the_highest(self, models: TritonServers) -> None:
        info = await models.info("versioned")
        assert (info.version, info.versions) == ("2-b", ("1-a", "2-b"))
        assert (await ask(models, "versioned", batch_of(["four"]))).values.tolist() == [[204]]

    async def test_a_model_is_listed_once(self, models: TritonServers) -> None:
        assert [info.name for info in await models.models()].count("versioned") == 1
        assert not [info for info in await models.models() if "@" in info.name]

    async def test_a_version_that_is_not_served_is_not_found(self, models: TritonServers) -> None:
        with pytest.raises(NotFound, match=r"no version 7 \(it serves: 1-a, 2-b\)"):
            await models.info("versioned@7")
        assert codes(await ask(models, "versioned@7", batch_of(["a"]))) == {0: "model_unavailable"}

    async def test_the_cache_knows_versions_apart_and_the_name_alone_as_the_one_that_answers(
        self, models: TritonServers
    ) -> None:
        digests = SampleDigests(batch_of(["four"]))
        keys = [digests.make_keys(await models.info(f"versioned{pin}"), [0])[0] for pin in ("@1", "@2", "")]
        assert keys[0] != keys[1]
        assert keys[1] == keys[2]

    async def test_versions_asked_together_do_not_mix(self, models: TritonServers) -> None:
        raw, usage = CachedScorer(models, MemoryCache(100, 60.0)), Usage()
        for hits in (0, 3):
            names = ["versioned@1", "versioned@2", "versioned"]
            usage = Usage()
            answers = await raw.fetch_scores(names, batch_of(["four"]), RequestContext(usage=usage))
            assert [answers[name][0].values.tolist() for name in names] == [[[104.0]], [[204.0]], [[204.0]]]
            assert [answers[name][0].version for name in names] == ["1-a", "2-b", "2-b"]
            assert usage.cache_hits == hits


async def test_a_version_that_goes_away_gives_the_name_back_to_the_one_before(
    models: TritonServers, versioned: "Triton"
) -> None:
    assert (await models.info("versioned")).version == "2-b"
    write(versioned.repository, 1)
    versioned.load("versioned")
    raw = CachedScorer(models, MemoryCache(100, 60.0))
    answers = await raw.fetch_scores(["versioned"], batch_of(["four"]), RequestContext())
    scores, _ = answers["versioned"]
    assert (scores.values.tolist(), scores.version) == ([[104.0]], "1-a")
    assert codes(await ask(models, "versioned@2", batch_of(["a"]))) == {0: "model_unavailable"}
