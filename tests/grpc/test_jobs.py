"""Jobs over gRPC: SubmitJob, JobResults, CancelJob, RunResults."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from reward_gateway.grpc import run_results
from reward_gateway.grpc.job_messages import write_job_body
from reward_gateway.http.encode import encode_scored
from reward_gateway.intake.limits import InputLimits
from reward_gateway.jobs.runner import JobRunner
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.clock import until

from .asking import refusal, request

pytestmark = pytest.mark.anyio

SECONDS = 60.0


@asynccontextmanager
async def working(serve: Any, **overrides: Any) -> AsyncIterator[Any]:
    async with serve(**{"workers": 1, "state": StateStore.in_process(), **overrides}) as served:
        runner = JobRunner(served.gateway, served.settings, served.traffic.admission, encode_scored)
        runner.start()
        try:
            yield served
        finally:
            served.models.gate.open()
            await runner.close()


@pytest.fixture
async def served(serve: Any) -> AsyncIterator[Any]:
    async with working(serve) as running:
        yield running


def job_of(asked: pb.ScoreRequest, **more: Any) -> pb.SubmitJobRequest:
    """The same request as a job."""
    return pb.SubmitJobRequest(reward=asked.reward, samples=asked.samples, options=asked.options, **more)


async def submit(served: Any, *texts: str | None, metadata: Any = (), **more: Any) -> str:
    accepted = await served.stub.SubmitJob(job_of(request(*texts), **more), metadata=metadata)
    assert (accepted.status, accepted.samples, accepted.expires_s) == ("queued", len(texts), 3600)
    return str(accepted.job)


async def pages_of(served: Any, job: str, **asked: Any) -> list[pb.JobResultsResponse]:
    call = served.stub.JobResults(pb.JobResultsRequest(job=job, **asked), timeout=SECONDS)
    return [page async for page in call]


async def finish(served: Any, job: str) -> pb.JobResultsResponse:
    """The job at its end, with all its results in the order of the samples."""
    pages = await pages_of(served, job)
    last, rows = pages[-1], [row for page in pages for row in page.results]
    del last.results[:]
    last.results.extend(sorted(rows, key=lambda row: row.index))
    return last


async def test_a_job_answers_what_score_answers(served: Any) -> None:
    asked = request("abc", None, "", reward="mixed")
    asked.samples[0].id, asked.samples[0].group = "first", "g"
    asked.samples[0].features["b"].number = 2.0
    asked.samples[0].features["a"].vector.values.extend([1.0, 2.0])
    scored = await served.stub.Score(asked)
    job = await finish(served, (await served.stub.SubmitJob(job_of(asked))).job)
    assert [row.result for row in job.results] == list(scored.results)
    assert [row.index for row in job.results] == [0, 1, 2]
    assert (job.status, job.reward, job.recipe_version) == ("done", scored.reward, scored.recipe_version)
    assert job.usage.samples == scored.usage.samples
    assert not job.HasField("error")


async def test_images_and_numbers_of_a_group_arrive(served: Any) -> None:
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
    asked = request("a", reward="looks")
    asked.samples[0].images.add(data=png)
    scored = await served.stub.Score(asked)
    job = await finish(served, (await served.stub.SubmitJob(job_of(asked))).job)
    assert [row.result.reward for row in job.results] == [result.reward for result in scored.results] == [1.0]
    grouped = request("a", "abc", reward="in_groups")
    scored, job = (
        await served.stub.Score(grouped),
        await finish(served, (await served.stub.SubmitJob(job_of(grouped))).job),
    )
    assert [row.result for row in job.results] == list(scored.results)
    assert job.answer == scored.answer


async def test_a_page_comes_as_soon_as_anything_is_new_and_a_cursor_goes_on(served: Any) -> None:
    served.models.gate.shut()
    job = await submit(served, "a", "ab")
    (page,) = await pages_of(served, job, wait_s=0)
    assert (page.completed, len(page.results)) == (0, 0)
    waiting = asyncio.create_task(pages_of(served, job, wait_s=50))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    served.models.gate.open()
    (page,) = await waiting
    assert [row.result.reward for row in page.results] == [1.0, 2.0]
    (rest,) = await pages_of(served, job, after=page.cursor)
    assert (rest.status, len(rest.results)) == ("done", 0)


async def test_what_waits_holds_no_place_of_those_who_work(serve: Any) -> None:
    async with working(serve, max_in_flight=2, max_queued=0) as served:
        served.models.gate.shut()
        job = await submit(served, "a")
        waiting = [asyncio.create_task(pages_of(served, job)) for _ in range(5)]
        consumer = served.stub.RunResults(timeout=SECONDS)
        await consumer.write(pb.RunResultsRequest(run="r", max=1))
        await asyncio.sleep(0.1)
        assert served.traffic.admission.in_flight <= 1  # that of the piece
        served.models.gate.open()
        await asyncio.gather(*waiting)
        consumer.cancel()


async def test_a_cancelled_job_answers_so(served: Any) -> None:
    served.models.gate.shut()
    job = await submit(served, "a", "b")
    page = await served.stub.CancelJob(pb.CancelJobRequest(job=job))
    assert (page.status, page.completed) == ("cancelled", 2)
    assert {row.result.error.code for row in page.results} == {"cancelled"}


async def test_a_job_that_must_not_fail_says_why(served: Any) -> None:
    failing = pb.Options(on_invalid=pb.Options.ON_INVALID_FAIL)
    job = (await served.stub.SubmitJob(job_of(request(None, "a", options=failing)))).job
    end = await finish(served, job)
    assert (end.status, end.error.code) == ("failed", "unscorable_sample")


async def test_a_key_makes_a_repeat_the_same_job(served: Any) -> None:
    key = (("idempotency-key", "k"),)
    first = await submit(served, "a", metadata=key)
    assert await submit(served, "a", metadata=key) == first
    status, metadata, _ = await refusal(served.stub.SubmitJob(job_of(request("b")), metadata=key))
    assert (status, metadata["error-code"]) == ("ABORTED", "idempotency_conflict")


def test_the_same_message_is_the_same_body() -> None:
    names = [f"f{i}" for i in range(20)]
    bodies = set()
    for order in (names, names[::-1]):
        message = pb.SubmitJobRequest(samples=[pb.Sample(response="a")], reward="r", queue=False, expires_s=60)
        for name in order:
            message.samples[0].features[name].number = 1.5
        message.samples[0].metadata.update({"n": 3})
        bodies.add(write_job_body(InputLimits(Settings()), message.SerializeToString()))
    (body,) = bodies
    told = json.loads(body)
    assert told["options"] == {"queue": False, "expires_s": 60}
    assert told["samples"][0]["metadata"] == {"n": 3}


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        (job_of(request("a", reward="nobody")), "NOT_FOUND", "reward"),
        (job_of(request("a", reward="in_groups"), deliver="DELIVER_SAMPLE"), "INVALID_ARGUMENT", "options.deliver"),
        (job_of(request("a"), deliver=77), "INVALID_ARGUMENT", "options.deliver"),
        (job_of(request("a"), expires_s=5), "INVALID_ARGUMENT", "options.expires_s"),
    ],
)
async def test_a_submission_at_fault_is_refused_at_once(served: Any, asked: Any, status: str, param: str) -> None:
    refused, metadata, _ = await refusal(served.stub.SubmitJob(asked))
    assert (refused, metadata.get("error-param")) == (status, param)


async def test_a_reader_at_fault_is_refused(served: Any) -> None:
    job = await submit(served, "a")
    for asked, status, param in (
        ({"job": "j_none"}, "NOT_FOUND", "job"),
        ({"job": job, "after": "x"}, "INVALID_ARGUMENT", "after"),
        ({"job": job, "wait_s": 1e9}, "INVALID_ARGUMENT", "wait_s"),
        ({"job": job, "wait_s": float("nan")}, "INVALID_ARGUMENT", "wait_s"),
    ):
        refused, metadata, _ = await refusal(pages_of(served, **asked))
        assert (refused, metadata["error-param"]) == (status, param)
    assert (await refusal(served.stub.CancelJob(pb.CancelJobRequest(job="j_none"))))[0] == "NOT_FOUND"


async def test_jobs_are_their_callers(serve: Any, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys:\n- {name: one, key: first-key-of-the-test}\n- {name: two, key: second-key-of-the-test}\n")
    mine, other = ((("authorization", f"Bearer {key}-key-of-the-test"), ("x-run", "r")) for key in ("first", "second"))
    async with working(serve, api_keys_file=keys) as served:
        job = await submit(served, "a", metadata=mine)
        ask = pb.JobResultsRequest(job=job, wait_s=20)
        (page,) = [page async for page in served.stub.JobResults(ask, metadata=mine)]
        assert page.status == "done"
        call = served.stub.JobResults(ask, metadata=other)
        assert (await refusal(call.read()))[0] == "NOT_FOUND"
        assert (
            await refusal(
                served.stub.CancelJob(pb.CancelJobRequest(job=job)),
            )
        )[0] == "UNAUTHENTICATED"
        first = pb.RunResultsRequest(run="r", max=8, wait_s=0)
        assert [len(page.results) for page in await exchange(served, first, metadata=other)] == [0]
        assert [len(page.results) for page in await exchange(served, first, metadata=mine)] == [1]


async def exchange(served: Any, message: pb.RunResultsRequest, **how: Any) -> list[pb.RunResultsResponse]:
    """What a consumer is answered that sends one message."""
    call = served.channel.unary_stream(
        "/reward_gateway.v1.RewardService/RunResults",
        request_serializer=pb.RunResultsRequest.SerializeToString,
        response_deserializer=pb.RunResultsResponse.FromString,
    )
    return [page async for page in call(message, timeout=SECONDS, **how)]


RUN = (("x-run", "r"),)


async def test_results_of_a_run_are_sent_until_they_are_acknowledged(served: Any) -> None:
    asked = request("a", "ab")
    for sample, name in zip(asked.samples, ("x", "y"), strict=True):
        sample.metadata.update({"name": name, "n": 1})
        sample.group = name
    job = (await served.stub.SubmitJob(job_of(asked), metadata=RUN)).job
    await finish(served, job)
    (page,) = await exchange(served, pb.RunResultsRequest(run="r", max=8, wait_s=20, consumer="me"))
    assert [(row.job, row.index, row.group, row.result.reward) for row in page.results] == [
        (job, 0, "x", 1.0),
        (job, 1, "y", 2.0),
    ]
    assert [row.metadata["name"] for row in page.results] == ["x", "y"]
    (empty,) = await exchange(served, pb.RunResultsRequest(run="r", max=8, wait_s=0))
    assert len(empty.results) == 0
    (removed,) = await exchange(served, pb.RunResultsRequest(run="r", receipts=[page.results[0].receipt]))
    assert removed.removed == 1
    (removed,) = await exchange(served, pb.RunResultsRequest(run="r", empty=True))
    assert removed.removed == 1


async def test_a_consumer_has_so_many_results_under_way_and_no_more(served: Any) -> None:
    call = served.stub.RunResults(timeout=SECONDS)
    await call.write(pb.RunResultsRequest(run="r", max=2))
    await submit(served, *("x" * n for n in range(1, 6)), metadata=RUN)
    seen: list[pb.QueuedResult] = []
    while len(seen) < 2:
        seen += (await call.read()).results
    more = asyncio.create_task(call.read())
    await asyncio.sleep(0.2)
    assert not more.done()
    rows = {row.index for row in seen}
    for _ in range(3):
        await call.write(pb.RunResultsRequest(receipts=[seen.pop(0).receipt]))
        answers = [await more, await call.read()]
        more = asyncio.create_task(call.read())
        assert sorted(page.removed for page in answers if page.HasField("removed")) == [1]
        fresh = [row for page in answers for row in page.results]
        seen += fresh
        rows |= {row.index for row in fresh}
    assert rows == set(range(5))
    await call.done_writing()
    assert await more is grpc.aio.EOF  # type: ignore[attr-defined]
    assert (await call.code()) is grpc.StatusCode.OK


async def test_results_that_were_not_acknowledged_in_time_come_again(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_results, "ROOM_S", 0.05)
    await submit(served, "a", metadata=RUN)
    call = served.stub.RunResults(timeout=SECONDS)
    await call.write(pb.RunResultsRequest(run="r", max=1, visibility_s=1))
    first, again = await call.read(), await call.read()
    assert [row.receipt for row in first.results] == [row.receipt for row in again.results]
    call.cancel()


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (pb.RunResultsRequest(max=1), "run"),
        (pb.RunResultsRequest(run="in groups"), None),
        (pb.RunResultsRequest(run="r", max=0), "max"),
        (pb.RunResultsRequest(run="r", max=1, consumer="x" * 65), "consumer"),
        (pb.RunResultsRequest(run="r", max=1, visibility_s=0.5), "visibility_s"),
        (pb.RunResultsRequest(run="r", max=1, wait_s=1e9), "wait_s"),
        (pb.RunResultsRequest(run="r", receipts=["x"]), "receipts[0]"),
    ],
)
async def test_a_consumer_at_fault_is_refused(served: Any, asked: Any, param: str | None) -> None:
    status, metadata, _ = await refusal(exchange(served, asked))
    assert status == "INVALID_ARGUMENT"
    assert param in (None, metadata["error-param"])


async def test_a_consumer_that_sends_nothing_is_answered_nothing(served: Any) -> None:
    call = served.stub.RunResults(timeout=SECONDS)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF  # type: ignore[attr-defined]
    assert await call.code() is grpc.StatusCode.OK


async def test_what_waits_ends_with_the_gateway(served: Any) -> None:
    served.models.gate.shut()
    job = await submit(served, "a")
    calls = [served.stub.JobResults(pb.JobResultsRequest(job=job)), served.stub.RunResults(), served.stub.RunResults()]
    await calls[1].write(pb.RunResultsRequest(run="r", max=1))
    await calls[2].write(pb.RunResultsRequest(run="r", empty=True))
    assert (await calls[2].read()).removed == 0
    await until(lambda: served.traffic.drain.in_progress == 3)
    served.traffic.drain.begin()
    for call in calls:
        status, metadata, _ = await refusal(call.read())
        assert (status, metadata["error-code"]) == ("UNAVAILABLE", "draining")
    assert await served.traffic.drain.finish(SECONDS)


async def test_a_gateway_that_takes_no_jobs_says_so(serve: Any) -> None:
    async with working(serve, jobs=False) as served:
        for call in (
            served.stub.SubmitJob(job_of(request("a"))),
            pages_of(served, "j"),
            exchange(served, pb.RunResultsRequest(run="r", max=1, wait_s=0)),
        ):
            assert (await refusal(call))[1]["error-code"] == "not_set_up"
