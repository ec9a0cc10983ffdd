"""The upstreams of a file as one model server, while the file changes."""

import asyncio
from typing import Any

import pytest
from reward_gateway.errors import NotFound

from tests.clock import until

from .conftest import OpenUpstreams, StartServer, entry, raw_scores, soon, texts

pytestmark = pytest.mark.anyio

ONE = texts(("p", "r"))


async def test_models_are_named_by_the_file(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm", k=2)
    models = upstreams(a=entry(server, "vllm_classify", dimensions=["x", "y"], limits={"in_flight": 7}))
    (info,) = await models.models()
    assert (info.name, info.dimensions, info.ready) == ("a", ("x", "y"), True)
    assert (info.device.kind, info.device.instances) == ("upstream", 7)
    assert "a" in models
    assert "a@1" in models
    assert "b" not in models
    with pytest.raises(NotFound, match="no upstream 'b'"):
        await models.info("b")


async def test_a_changed_file_adds_changes_and_removes(start: StartServer, upstreams: OpenUpstreams) -> None:
    first, second = await start("vllm"), await start("vllm", weights=1)
    kept, changed = entry(first, "vllm_classify"), entry(first, "vllm_classify", input="response")
    models = upstreams(kept=kept, changed=changed, gone=kept)
    before = {info.name: info.version for info in await models.models()}
    new = entry(second, "vllm_classify", input="response")
    await models.replace({"kept": kept, "changed": new, "new": new})
    after = {info.name: info.version for info in await models.models()}
    assert list(after) == ["kept", "changed", "new"]
    assert after["kept"] == before["kept"]
    assert after["changed"] != before["changed"]
    answer = await models.score("changed", ONE, [0], soon())
    assert answer.values[0, 0] == pytest.approx(raw_scores("r", 1)[0])
    with pytest.raises(NotFound):
        await models.info("gone")


@pytest.mark.parametrize("stays", [True, False])
async def test_what_is_being_scored_is_answered_when_its_entry_goes(
    start: StartServer, upstreams: OpenUpstreams, stays: bool
) -> None:
    first, second = await start("vllm", holds="sample"), await start("vllm")
    models = upstreams(rm=entry([first], "vllm_classify"))
    await models.models()
    scoring: Any = asyncio.create_task(models.score("rm", texts(("p", "sample")), [0], soon()))
    await until(lambda: first.running)
    await models.replace({"rm": entry([second], "vllm_classify")} if stays else {})
    if stays:
        assert (await models.score("rm", ONE, [0], soon())).invalid == {}
    first.holds = ""
    assert (await scoring).invalid == {}


async def test_closing_ends_what_is_being_scored(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm", holds="sample")
    models = upstreams(rm=entry([server], "vllm_classify"))
    await models.models()
    scoring = asyncio.create_task(models.score("rm", texts(("p", "sample")), [0], soon()))
    await until(lambda: server.running)
    await models.close()
    assert (await scoring).invalid[0].code == "model_unavailable"
