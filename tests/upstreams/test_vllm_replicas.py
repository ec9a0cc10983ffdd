"""Two vLLM servers as one upstream: storms, a server that is killed, held and back, and new weights under a name."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.backends.upstreams.server import UpstreamServer

from tests.upstreams.scoring import CLOSE, NAME, ask, batch_of, conversation, score, upstream, wait_until_known
from tests.upstreams.servers import Server, ask_torch, make_checkpoint, start_vllm, vllm_command

pytestmark = pytest.mark.anyio

FEW = [("What is 2 + 2?", f"It is {n}.") for n in range(16)]
MANY = [("What is 2 + 2?", f"{n} is what 2 + 2 comes to, as {n % 7} friends told me.") for n in range(2000)]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two of the same form, with different weights."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {name: make_checkpoint(folder / name, "reward", seed) for name, seed in (("old", 1), ("new", 2))}


@pytest.fixture(scope="module")
def pair(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    folder = tmp_path_factory.mktemp("vllm")
    servers: list[Server] = []
    try:
        for name in ("one", "two"):  # one at a time: a start takes a core and 2 GB
            servers.append(start_vllm(checkpoints["old"], folder / f"{name}.log"))
            servers[-1].wait_until_ready()
        yield servers
    finally:
        for server in servers:
            server.kill()


@pytest.fixture(scope="module")
def torch_says(checkpoints: dict[str, Path]) -> dict[str, Any]:
    """[n, 1] logits of FEW by either checkpoint."""
    chats = {"messages": [conversation(*sample) for sample in FEW]}
    asked = [{"checkpoint": str(folder), **chats} for folder in checkpoints.values()]
    return dict(zip(checkpoints, ask_torch(asked), strict=True))


def entry(pair: list[Server], checkpoints: dict[str, Path]) -> dict[str, Any]:
    """Texts, so that a call holds several rows."""
    template = {"template": str(checkpoints["old"] / "chat_template.jinja"), "special_tokens": {"bos_token": "<|bos|>"}}
    urls = [server.url for server in pair]
    limits = {"timeout_s": 10, "in_flight": 8}
    return {"protocol": "vllm_classify", "urls": urls, "model": "rm", "input": "text", **template, "limits": limits}


async def post_one(server: UpstreamServer, sample: tuple[str, str], seconds: float = 300) -> ModelAnswer:
    deadline = asyncio.get_running_loop().time() + seconds
    return await server.score(NAME, batch_of([sample]), [0], deadline)


async def test_a_storm_of_single_samples_gives_what_one_batch_gives_in_few_calls(
    pair: list[Server], checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    async with upstream(tmp_path, **entry(pair, checkpoints)) as server:
        together = await ask(server, MANY, 600)
        assert together.invalid == {}
        before = [count_posts(one) for one in pair]
        answers = await asyncio.gather(*(post_one(server, sample, 600) for sample in MANY))
        assert all(answer.invalid == {} for answer in answers)
        alone = np.array([answer.values[0, 0] for answer in answers])
        assert np.abs(alone - together.values[:, 0]).max() < CLOSE
        calls = [count_posts(one) - was for one, was in zip(pair, before, strict=True)]
        assert all(calls), "both servers were asked"
        assert sum(calls) < len(MANY) / 10


def count_posts(server: Server) -> int:
    """Calls that the server says it answered."""
    return server.log.read_text(errors="replace").count("POST /classify")


async def keep_asking(server: UpstreamServer, until: asyncio.Event, found: list[tuple[float, ModelAnswer]]) -> None:
    while not until.is_set():
        for sample in FEW:
            found.append((time.monotonic(), await post_one(server, sample, 30)))


async def wait_for(condition: Any, seconds: float) -> float:
    """Seconds until a condition holds."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() < start + seconds
        await asyncio.sleep(0.02)
    return time.monotonic() - start


async def test_a_server_that_stands_still_costs_no_sample_and_is_used_again_when_it_goes_on(
    pair: list[Server], checkpoints: dict[str, Path], torch_says: dict[str, Any], tmp_path: Path
) -> None:
    async with upstream(tmp_path, **entry(pair, checkpoints) | {"limits": {"timeout_s": 3, "in_flight": 8}}) as server:
        await wait_until_known(server)
        pair[0].hold()
        try:
            answers = await asyncio.gather(*(post_one(server, sample, 60) for sample in FEW))
            assert all(answer.invalid == {} for answer in answers)
            values = [answer.values[0] for answer in answers]
            assert np.allclose(values, torch_says["old"], atol=CLOSE)
        finally:
            pair[0].let_go()
        await assert_used_again(server, pair[0])


async def assert_used_again(server: UpstreamServer, back: Server) -> None:
    """Within two seconds of its return, posts reach it again. The looks of the upstream have four texts, posts one."""
    back.wait_until_ready()
    done, found = asyncio.Event(), list[tuple[float, ModelAnswer]]()
    replica = server._upstreams[NAME]._replicas.all[back.url]
    asking = asyncio.create_task(keep_asking(server, done, found))
    try:
        assert await wait_for(lambda: replica.trusted, 10) < 2.0
    finally:
        done.set()
        await asking
    assert all(answer.invalid == {} for _, answer in found)


async def test_a_server_that_is_killed_costs_no_sample_and_is_used_again_when_it_is_back(
    pair: list[Server], checkpoints: dict[str, Path], torch_says: dict[str, Any], tmp_path: Path
) -> None:
    async with upstream(tmp_path, **entry(pair, checkpoints)) as server:
        await wait_until_known(server)
        done, found = asyncio.Event(), list[tuple[float, ModelAnswer]]()
        asking = [asyncio.create_task(keep_asking(server, done, found)) for _ in range(4)]
        await wait_for(lambda: len(found) > 32, 60)
        pair[0].kill()
        after = len(found)
        await wait_for(lambda: len(found) > after + 64, 120)
        done.set()
        await asyncio.gather(*asking)
        assert all(answer.invalid == {} for _, answer in found)
        assert {answer.version for _, answer in found} == {(await server.info(NAME)).version}
        pair[0].restart()
        await asyncio.to_thread(pair[0].wait_until_ready)
        await assert_used_again(server, pair[0])
        assert np.allclose(await score(server, FEW), torch_says["old"], atol=CLOSE)


async def test_new_weights_under_the_old_name_are_a_new_version_and_no_answer_mixes_them(
    pair: list[Server], checkpoints: dict[str, Path], torch_says: dict[str, Any], tmp_path: Path
) -> None:
    """One server comes back with other weights: the two differ, which is refused. Then the other one does as well."""
    async with upstream(tmp_path, **entry(pair, checkpoints)) as server:
        assert np.allclose(await score(server, FEW), torch_says["old"], atol=CLOSE)
        old = (await server.info(NAME)).version
        done, found = asyncio.Event(), list[tuple[float, ModelAnswer]]()
        asking = asyncio.create_task(keep_asking(server, done, found))
        for one in pair:
            one.restart(*vllm_command(checkpoints["new"], one.port))
            await asyncio.to_thread(one.wait_until_ready)

        def is_new() -> bool:
            info = server._upstreams[NAME].info
            return info.ready and info.version != old

        assert await wait_for(is_new, 30) < 5.0
        done.set()
        await asking
        new = (await server.info(NAME)).version
        assert np.allclose(await score(server, FEW), torch_says["new"], atol=CLOSE)
        for k, (_, answer) in enumerate(found):
            weights = {old: "old", new: "new"}.get(answer.version or "")
            if answer.invalid:
                assert answer.invalid[0].code in ("model_unavailable", "overloaded")
            elif weights is not None:
                assert np.allclose(answer.values, torch_says[weights][k % len(FEW)], atol=CLOSE)
