"""The history of a run as both clients read it, and the step that they send."""

import asyncio

import pytest
from reward_gateway.client import AsyncRewardClient, RewardClient
from reward_gateway.errors import InvalidRequest, NotFound

from .conftest import Service


def test_the_step_reaches_the_history_over_both_transports(service: Service) -> None:
    for step, url in enumerate((service.url, service.grpc_url)):
        with RewardClient(url, run="both") as client:
            client.score("p", ["one two", "one"], step=step)
            client.score_samples([{"prompt": "p", "response": "one two three"}], step=step)
    with RewardClient(service.url, run="both") as client:
        told = client.get_run(bucket="step")
        rows = told["rewards"]["brief"]["series"]
        assert [(row["step"], row["n"], row["mean"]) for row in rows] == [(step, 3, -0.5) for step in (0, 1)]
        assert [row["step"] for row in client.get_run("both", "step", after=0)["rewards"]["brief"]["series"]] == [1]
        assert "both" in [run["run"] for run in client.list_runs()]
        with pytest.raises(NotFound):
            client.get_run("nothing")
        with pytest.raises(InvalidRequest), RewardClient(service.grpc_url) as other:
            other.list_runs()


@pytest.mark.anyio
async def test_the_asynchronous_client_sends_the_step_of_single_samples_and_jobs(service: Service) -> None:
    async with AsyncRewardClient(service.url, run="soon") as client:
        calls = [
            client.score_one("p", "one two", step=step, job=job) for step in (1, 2) for job in (False, True, False)
        ]
        await asyncio.gather(*calls)
        job = await client.submit("p", ["one two"], step=3)
        await job.result()
        told = await client.get_run(bucket="step")
        rows = told["rewards"]["brief"]["series"]
        assert [(row["step"], row["n"]) for row in rows] == [(1, 3), (2, 3), (3, 1)]
        assert "soon" in [run["run"] for run in await client.list_runs()]


def test_a_client_without_a_run_reads_that_of_requests_without_one(service: Service) -> None:
    with RewardClient(service.url) as client:
        client.score("p", ["one"])
        assert client.get_run()["run"] == ""


@pytest.mark.anyio
async def test_the_asynchronous_client_lists_kept_samples(service: Service) -> None:
    async with AsyncRewardClient(service.url) as client:
        await client.score("p", ["kept soon"])
        kept = await client.list_samples(run="", recipe="brief", kind="reservoir", most=1)
        assert [row["response"] for row in kept] == ["kept soon"]
