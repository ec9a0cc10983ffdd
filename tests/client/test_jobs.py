"""Jobs and runs' queues of both clients, against a running service."""

import asyncio
import math
import pickle
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.client import AsyncJob, AsyncRewardClient, Job, JobResult, RewardClient
from reward_gateway.errors import (
    DeadlineExceeded,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    Unscorable,
)
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch, Invalid

from tests.client.conftest import BROKEN, NoModels, Service, serving

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  brief:
    components:
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}
  slow:
    components: {length: {score: length}}
  grouped:
    components: {length: {score: length}}
    group: {normalize: mean, answer: combined}
  strict:
    components: {length: {score: length}}
    on_invalid: fail
default: brief
"""
TEXTS = ["one", "one two", "one two three"]


@dataclass
class Lengths(NoModels):
    """One model, the length of the response, which does not answer while it is held."""

    free: threading.Event = field(default_factory=threading.Event)

    async def info(self, name: str) -> ModelInfo:
        return ModelInfo("length", "1", True, ("response",), ("length",), 4096)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        clock = asyncio.get_running_loop().time
        while not self.free.is_set():
            if clock() >= deadline:
                late = Invalid("deadline_exceeded", "the deadline passed before the model answered")
                return ModelAnswer(np.full((len(rows), 1), np.nan), invalid=dict.fromkeys(range(len(rows)), late))
            await asyncio.sleep(0.01)
        return ModelAnswer(np.array([[float(len(str(batch.responses[i])))] for i in rows]), calls=1, version="1")


MODELS = Lengths()


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    MODELS.free.set()
    yield from serving(RECIPES, MODELS, known={"length": KnownModel(("response",))})


@pytest.fixture
def held(service: Service) -> Iterator[threading.Event]:
    """Until this event is set, no sample of the recipes ``slow`` and ``grouped`` is scored."""
    MODELS.free.clear()
    yield MODELS.free
    MODELS.free.set()


@pytest.fixture(params=["http", "grpc"])
def url(service: Service, request: pytest.FixtureRequest) -> str:
    return service.url if request.param == "http" else service.grpc_url


def test_a_job_answers_what_scoring_answers(url: str) -> None:
    with RewardClient(url) as client:
        job = client.submit("p", [*TEXTS, None], ids=["a", "b", "c", "d"])
        later, now = job.result(), client.score("p", [*TEXTS, None], ids=["a", "b", "c", "d"])
        assert (job.samples, job.durable) == (4, False)
    np.testing.assert_array_equal(later.rewards, now.rewards)
    assert (later.ids, later.errors, later.flags, later.usage) == (now.ids, now.errors, now.flags, now.usage)
    assert (later.reward, later.recipe_version) == (now.reward, now.recipe_version)
    np.testing.assert_array_equal(later.components["brevity"].value, now.components["brevity"].value)


async def test_an_awaited_job_likewise(url: str) -> None:
    async with AsyncRewardClient(url) as client:
        job = await client.submit("p", TEXTS)
        assert list((await job.result()).rewards) == [0.0, -0.5, -1.0]
        assert {result.index: result.reward async for result in job} == {0: 0.0, 1: -0.5, 2: -1.0}
        assert (await job.status()).finished


def test_results_come_with_their_places(url: str) -> None:
    with RewardClient(url) as client:
        job = client.submit_samples([{"id": text, "prompt": "p", "response": text} for text in TEXTS])
        results = {result.index: result for result in job}
        assert [results[i].reward for i in range(3)] == [0.0, -0.5, -1.0]
        assert [results[i].id for i in range(3)] == TEXTS
        assert results[1].components == {"brevity": -0.5}
        assert [result.index for result in job] == list(results), "a job can be read again"


def test_a_recipe_that_compares_gives_both_numbers(url: str) -> None:
    with RewardClient(url) as client:
        job = client.submit("p", ["a", "abc"], reward="grouped")
        scores = job.result()
        assert list(scores.rewards) == [-1.0, 1.0]
        assert scores.rewards_raw is not None
        assert list(scores.rewards_raw) == [1.0, 3.0]
        assert sorted(result.answered for result in job) == [1.0, 3.0]


def test_a_job_is_waited_for_as_long_as_is_said(url: str, held: threading.Event) -> None:
    with RewardClient(url) as client:
        job = client.submit("p", ["a"], reward="slow")
        with pytest.raises(DeadlineExceeded, match="goes on"):
            job.result(timeout=0.05)
        assert not job.status().finished
        held.set()
        assert list(job.result(timeout=60).rewards) == [1.0]
        assert job.status().completed == 1


async def test_a_job_that_is_waited_for_is_not_asked_about_all_the_time(
    service: Service, url: str, held: threading.Event
) -> None:
    async with AsyncRewardClient(url) as client:
        job = await client.submit("p", ["a"], reward="slow")
        waiting = asyncio.create_task(job.result())
        await asyncio.sleep(0.3)
        asked = sum(path.startswith("/v1/jobs/") for path, _ in service.requests)
        held.set()
        await waiting
    assert asked <= 1


def test_nothing_submitted_is_nothing_answered(url: str) -> None:
    with RewardClient(url) as client:
        job = client.submit([], [])
        assert len(job.result()) == 0
        assert list(job) == []


def test_a_cancelled_job_answers_so(url: str, held: threading.Event) -> None:
    with RewardClient(url) as client:
        job = client.submit("p", ["a", "b"], reward="slow")
        assert job.cancel().status == "cancelled"
        scores = job.result()
        assert [error.code for error in scores.errors if error] == ["cancelled"] * 2
        assert np.isnan(scores.rewards).all()
        assert all(math.isnan(result.reward) and not result.valid for result in job)


async def test_an_awaited_job_is_cancelled_likewise(url: str, held: threading.Event) -> None:
    async with AsyncRewardClient(url) as client:
        job = await client.submit("p", ["a"], reward="slow")
        assert (await job.cancel()).status == "cancelled"
        assert not (await job.result()).valid.any()


def test_what_cannot_be_scored_is_refused_at_once(url: str) -> None:
    with RewardClient(url) as client:
        with pytest.raises(NotFound):
            client.submit("p", ["a"], reward="nothing")
        with pytest.raises(InvalidRequest, match="deliver"):
            client.submit("p", ["a", "b"], reward="grouped", deliver="sample")
        with pytest.raises(InvalidRequest, match="callback"):
            client.submit("p", ["a"], callback="https://not.listed/")
        with pytest.raises(ValueError, match="2 values for 1"):
            client.submit("p", ["a"], ids=["a", "b"])
        with pytest.raises(TypeError, match="unknown"):
            client.submit("p", ["a"], wrong=1)  # type: ignore[call-arg]


def test_a_job_that_failed_says_why(url: str) -> None:
    with RewardClient(url) as client:
        job = client.submit("p", [None, "a"], reward="strict")
        with pytest.raises(Unscorable):
            job.result()
        with pytest.raises(Unscorable):
            list(job)
        status = job.status()
    assert (status.status, status.error and status.error.code) == ("failed", "unscorable_sample")


def test_a_job_that_is_not_there_is_not_found(url: str) -> None:
    with RewardClient(url) as client:
        for call in (client.job("j_none").result, client.job("j_none").status, client.job("j_none").cancel):
            with pytest.raises(NotFound):
                call()


def test_a_deadline_of_the_job_counts_from_its_submission(url: str, held: threading.Event) -> None:
    with RewardClient(url) as client:
        scores = client.submit("p", ["a"], reward="slow", deadline_s=0.05).result()
    assert [error.code for error in scores.errors if error] == ["deadline_exceeded"]


def test_a_key_of_the_callers_own_makes_a_repeat_the_same_job(url: str) -> None:
    with RewardClient(url) as client:
        first = client.submit("p", ["a"], idempotency_key=f"rollout 7 at {url}")
        assert client.submit("p", ["a"], idempotency_key=f"rollout 7 at {url}").id == first.id
        with pytest.raises(IdempotencyConflict):
            client.submit("p", ["b"], idempotency_key=f"rollout 7 at {url}")


def test_submitting_and_waiting_survive_a_gateway_that_comes_back(service: Service) -> None:
    with RewardClient(service.url, timeout_s=60.0) as client:
        service.refusals += [(503, {"retry-after": "0"}), (BROKEN, {})]
        job = client.submit("p", ["one two"])
        assert len(set(service.keys)) == 1
        service.refusals += [(BROKEN, {}), (502, {}), (503, {"retry-after": "0"})]
        assert list(job.result().rewards) == [-0.5]
        service.refusals += [(BROKEN, {})]
        assert [result.reward for result in job] == [-0.5]


def test_another_process_goes_on_with_a_job(url: str) -> None:
    with RewardClient(url, api_key="k", run="r", timeout_s=7.0) as client:
        job = client.submit("p", TEXTS)
        copy: Job = pickle.loads(pickle.dumps(job))
        assert (copy.id, copy.samples) == (job.id, 3)
        assert list(copy.result().rewards) == list(client.job(job.id).result().rewards)
        other = pickle.loads(pickle.dumps(client))
        assert (other.url, other.timeout_s, other.run().name) == (url, 7.0, "r")


async def test_another_process_goes_on_with_an_awaited_job(url: str) -> None:
    async with AsyncRewardClient(url) as client:
        job = await client.submit("p", TEXTS)
        copy = pickle.loads(pickle.dumps(job))
        assert list((await copy.result()).rewards) == [0.0, -0.5, -1.0]
        assert len(await client.job(job.id).result()) == 3


async def test_single_calls_of_one_moment_are_one_job_and_come_one_by_one(url: str, held: threading.Event) -> None:
    async with AsyncRewardClient(url) as client:
        quick = asyncio.create_task(client.score_one("p", "one two", job=True))
        slow = asyncio.create_task(client.score_one("p", "abc", reward="slow", job=True))
        late = asyncio.create_task(client.score_one("p", "abcd", reward="slow", job=True, timeout_s=0.05))
        assert (await quick).reward == -0.5
        with pytest.raises(DeadlineExceeded):
            await late
        held.set()
        assert (await slow).reward == 3.0


async def test_a_single_call_whose_job_is_lost_is_submitted_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = AsyncJob.results
    lost: list[str] = []

    async def lose_once(job: AsyncJob, timeout: float | None = None) -> AsyncIterator[JobResult]:
        if not lost:
            lost.append(job.id)
            raise NotFound("there is no such job")
        async for result in read(job, timeout):
            yield result

    monkeypatch.setattr(AsyncJob, "results", lose_once)
    async with AsyncRewardClient(service.url) as client:
        assert (await client.score_one("p", "one two", job=True)).reward == -0.5
    assert [path for path, _ in service.requests].count("/v1/jobs") == 2


async def test_a_single_call_whose_jobs_are_always_lost_fails(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(job: AsyncJob, timeout: float | None = None) -> AsyncIterator[JobResult]:
        raise NotFound("there is no such job")
        yield

    monkeypatch.setattr(AsyncJob, "results", lose)
    async with AsyncRewardClient(service.url) as client:
        with pytest.raises(NotFound):
            await client.score_one("p", "one two", job=True)
    assert [path for path, _ in service.requests].count("/v1/jobs") == 3


def test_results_of_a_run_come_until_they_are_acknowledged(url: str) -> None:
    with RewardClient(url, run="acknowledged") as client:
        samples = [{"prompt": "p", "response": text, "metadata": {"words": text}} for text in TEXTS]
        job = client.submit_samples(samples)
        job.result()
        queue = client.run()
        taken = queue.take(wait_s=20)
        assert {(r.job, r.index, r.reward) for r in taken} == {(job.id, 0, 0.0), (job.id, 1, -0.5), (job.id, 2, -1.0)}
        assert {result.index: result.metadata for result in taken} == {
            i: {"words": text} for i, text in enumerate(TEXTS)
        }
        assert queue.take() == []
        assert queue.ack(taken[:1]) == 1
        assert queue.ack([result.receipt for result in taken]) == 2
        assert queue.empty() == 0


def test_a_group_is_one_delivery(url: str) -> None:
    with RewardClient(url, run="in groups") as client, pytest.raises(InvalidRequest, match="run"):
        client.run().take()
    with RewardClient(url, run="in_groups") as client:
        client.submit("p", ["a", "ab"], reward="grouped", groups=["g", "g"]).result()
        taken = client.run("in_groups").take(wait_s=20)
        assert [result.group for result in taken] == ["g", "g"]
        assert [result.reward_raw for result in taken] == [1.0, 2.0]
        assert client.run().ack(taken) == 1


def test_results_that_a_consumer_acknowledged_are_missed_not_left_out(url: str) -> None:
    with RewardClient(url, run="taken") as client:
        client.run().empty()
        job = client.submit("p", TEXTS)
        job.result(20)
        taken = next(client.run().results(max=1, wait_s=0, acknowledge=False))
        client.run().ack([taken])
        with pytest.raises(NotFound, match="1 results of the job were acknowledged"):
            job.result(20)


def test_a_consumer_may_acknowledge_as_it_goes(url: str) -> None:
    with RewardClient(url, run="as_it_goes") as client:
        client.submit("p", TEXTS).result()
        queue = client.run()
        seen = [result.index for result in queue.results(max=2, wait_s=0, acknowledge=True)]
        assert sorted(seen) == [0, 1, 2]
        assert queue.empty() == 0
        client.submit("p", TEXTS).result()
        assert len(list(queue.results(wait_s=0))) == 3
        assert queue.empty() == 3


async def test_an_awaited_consumer_likewise(url: str, held: threading.Event) -> None:
    async with AsyncRewardClient(url, run="awaited") as client:
        await client.submit("p", ["a", "ab"], reward="slow")
        queue, seen = client.run(), []
        reading = queue.results(wait_s=60, consumer="one", acknowledge=True)
        first = asyncio.ensure_future(anext(reading))
        await asyncio.sleep(0.1)
        assert not first.done()
        held.set()
        seen = [await first, await anext(reading)]
        assert sorted(result.reward for result in seen) == [1.0, 2.0]
        assert await queue.ack(seen) == 2
        assert await queue.empty() == 0
        assert await queue.take() == []


def test_a_queue_needs_a_run(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REWARD_GATEWAY_RUN", raising=False)
    with RewardClient(service.url) as client, pytest.raises(ValueError, match="name the run"):
        client.run()
    with RewardClient(f"{service.url}/run/named") as client:
        client.submit("p", ["a"]).result()
        assert len(client.run().take(wait_s=20)) == 1
