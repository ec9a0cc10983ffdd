"""AsyncRewardClient: the same calls awaited, and single calls that travel together."""

import asyncio
from typing import Any

import httpx
import numpy as np
import pytest
from reward_gateway.client import AsyncRewardClient, coalescer
from reward_gateway.errors import NotFound, TooLarge

pytestmark = pytest.mark.anyio


async def test_every_call_has_its_awaited_twin(url: str) -> None:
    async with AsyncRewardClient(url) as client:
        scores = await client.score("p", ["one two", None], reward="shaped")
        same = await client.score_samples([{"prompt": "p", "response": "one two"}], reward="shaped")
        results = await client.apply("score", "length_penalty", [{"response": "one"}])

        assert scores.rewards[0] == same.rewards[0] == 0.5
        assert np.isnan(scores.rewards[1])
        assert results[0]["error"] is None
        assert [row["name"] for row in await client.rewards()] == ["brief", "shaped"]
        assert len(await client.catalog()) > 1
        assert await client.ready()


async def test_models_are_listed(service: Any) -> None:
    async with AsyncRewardClient(service.url) as client:
        assert await client.models() == []


async def test_single_calls_of_one_moment_travel_together_and_keep_their_order(service: Any) -> None:
    async with AsyncRewardClient(service.url) as client:
        ones = await asyncio.gather(*(client.score_one("p", "w " * (i % 50)) for i in range(2000)))

    assert [one.reward for one in ones] == [-0.5 * max(i % 50 - 1, 0) for i in range(2000)]
    assert len(service.requests) == -(-2000 // coalescer.LARGEST)


async def test_calls_on_other_terms_travel_apart(service: Any) -> None:
    async with AsyncRewardClient(service.url) as client:
        brief, shaped = await asyncio.gather(
            client.score_one("p", "one two", reward="brief"), client.score_one("p", "one two", reward="shaped")
        )

    assert (brief.reward, shaped.reward) == (-0.5, 0.5)
    assert len(service.requests) == 2


async def test_a_call_that_cannot_be_scored_is_nan_with_a_reason(service: Any) -> None:
    async with AsyncRewardClient(service.url) as client:
        good, bad = await asyncio.gather(client.score_one("p", "one"), client.score_one("p", None))

    assert good.valid
    assert not bad.valid
    assert np.isnan(bad.reward)
    assert bad.error is not None
    assert bad.error.code == "missing_field"


async def test_a_neighbours_fault_is_the_neighbours(service: Any) -> None:
    async with AsyncRewardClient(service.url) as client:
        texts = ["one", "x" * 1001, "one two", "y" * 1001]
        answers = await asyncio.gather(*(client.score_one("p", text) for text in texts), return_exceptions=True)

    assert [getattr(answer, "reward", None) for answer in answers] == [0.0, None, -0.5, None]
    for failed in (answers[1], answers[3]):
        assert isinstance(failed, TooLarge)
        assert failed.param == "samples[0].response"
    assert answers[1] is not answers[3]


async def test_what_refuses_all_is_every_callers_own_exception(service: Any) -> None:
    async with AsyncRewardClient(service.url) as client:
        calls = [client.score_one("p", "one", reward="nothing") for _ in range(3)]
        answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(answer) for answer in answers] == [NotFound] * 3
    assert len({id(answer) for answer in answers}) == 3
    assert len(service.requests) == 1


async def test_a_caller_who_gives_up_does_not_disturb_the_others(service: Any) -> None:
    async with AsyncRewardClient(service.url) as client:
        first, second = (asyncio.ensure_future(client.score_one("p", text)) for text in ("one", "one two"))
        await asyncio.sleep(0)
        first.cancel()

        assert (await second).reward == -0.5
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_the_run_is_that_of_the_client(url: str, service: Any) -> None:
    stream = f"aio-{url[:4]}"
    async with AsyncRewardClient(url, run="mine") as client:
        await client.apply("transform", "running_normalise", [{"reward": 1.0}], {"stream": stream})
    answer = httpx.get(f"{service.url}/v1/state/moments/{stream}", headers={"x-run": "mine"}, timeout=60)
    assert answer.json()["value"]["count"] == 1.0
