"""Jobs over gRPC: submitted, followed and cancelled; what waits holds no place of those who work."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, NamedTuple, Self

import grpc

from reward_gateway.gateway import Gateway
from reward_gateway.intake.decoding_cost import is_long_message
from reward_gateway.jobs.checks import check_cursor, check_number
from reward_gateway.jobs.intake import JobIntake
from reward_gateway.jobs.service import LONGEST_WAIT_S, JobService
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.settings import Settings
from reward_gateway.state.jobs import FINAL
from reward_gateway.traffic.guard import Traffic

from .calls import Call, Calls, parse
from .job_messages import make_page, write_job_body
from .run_results import RunResults

LARGE_PAGE = 64
"""Results of a page that is made in a thread."""


class JobParts(NamedTuple):
    """Jobs of one process, and what reads their bodies."""

    service: JobService
    intake: JobIntake

    @classmethod
    def of(cls, gateway: Gateway, settings: Settings) -> Self:
        """The parts of a server of its own."""
        return cls(JobService(gateway, settings), JobIntake(gateway, settings))


class JobCalls:
    """The methods of jobs."""

    def __init__(self, parts: JobParts, traffic: Traffic) -> None:
        self._jobs, self._intake = parts
        self._traffic = traffic
        self._write_body = partial(write_job_body, self._intake.limits)

    def handlers(self, calls: Calls) -> "dict[str, grpc.RpcMethodHandler[bytes, bytes]]":
        """A handler for each method."""
        return {
            "SubmitJob": calls.unary("SubmitJob", self.submit, waits=True),
            "CancelJob": calls.unary("CancelJob", self.cancel),
            "JobResults": calls.server_stream("JobResults", self.follow),
            "RunResults": calls.stream("RunResults", self.answer_consumer, waits=False),
        }

    async def submit(self, raw: bytes, call: Call) -> pb.SubmitJobResponse:
        self._jobs.check_open()
        async with self._traffic.admission.enter(call.deadline):
            body = await asyncio.to_thread(self._write_body, raw) if is_long_message(raw) else self._write_body(raw)
            submission = await self._intake.read_submission(body, call.scope, call.arrived_at)
            accepted = await self._jobs.submit(submission, call.scope, call.key.share, caller=call.key)
        return pb.SubmitJobResponse(**accepted)

    async def cancel(self, raw: bytes, call: Call) -> pb.JobResultsResponse:
        return await _make_page(await self._jobs.cancel(call.scope, parse(pb.CancelJobRequest, raw).job))

    async def follow(self, raw: bytes, call: Call) -> None:
        request = parse(pb.JobResultsRequest, raw)
        after, once = check_cursor(request.after), request.HasField("wait_s")
        wait_s = check_number("wait_s", request.wait_s, 0.0, LONGEST_WAIT_S) if once else LONGEST_WAIT_S
        while True:
            page = await self._traffic.drain.unless_begun(self._jobs.read(call.scope, request.job, after, wait_s))
            message = await _make_page(page)
            ended = message.status in FINAL and not message.results
            if once or ended or message.results:
                await call.context.write(message.SerializeToString())
            if once or ended:
                return
            after = message.cursor

    async def answer_consumer(self, _requests: AsyncIterator[bytes], call: Call) -> None:
        await RunResults(self._jobs, self._traffic.drain, call).answer()


async def _make_page(page: dict[str, Any]) -> pb.JobResultsResponse:
    return await asyncio.to_thread(make_page, page) if page["completed"] > LARGE_PAGE else make_page(page)
