"""Jobs: scoring that is not waited for. A job is its id: another process can go on with it, by :meth:`RewardClient.job`
or with the job itself, which can be pickled."""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from reward_gateway.errors import DeadlineExceeded

from .job_calls import CancelJob, JobCall, ReadJob
from .job_results import JobResult, JobStatus, Reading, make_results
from .retry import await_with_retries, call_with_retries
from .scores import Scores
from .transport import AsyncTransport, Transport
from .wire import JobAccepted, JobPage

POLL_S = 20.0
"""Seconds that one call waits for something new."""

GRACE_S = 5.0
"""Seconds that a call may take beyond what its caller waits for, so that it hears the answer."""

TRIES = 3
"""How often samples are submitted whose job is lost, as by a gateway that restarted and keeps none in Redis. Gateways
behind one address that share no store would lose every one."""

PAST_ALL = "999999999999999"
"""A cursor behind all results, for those who ask how far a job is and not for its results."""


class Caller(Protocol):
    """The client of a job."""

    timeout_s: float
    _transport: Transport


class AsyncCaller(Protocol):
    """The asyncio client of a job."""

    timeout_s: float
    _transport: AsyncTransport


class Patience:
    """How long results are waited for.

    Args:
        timeout: seconds in all; None: as long as it takes.
        timeout_s: those of one call, its repetitions included.
    """

    def __init__(self, timeout: float | None, timeout_s: float) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout
        self._timeout_s = timeout_s
        self._asked = False

    def next_call_s(self) -> float:
        """Seconds for the next call. Raises DeadlineExceeded once the time is up."""
        left_s = self._left_s()
        if left_s is None:
            return self._timeout_s
        if left_s <= 0 and self._asked:
            raise DeadlineExceeded("the job has not come to its end in time; it goes on, and can be asked again")
        self._asked = True
        return min(self._timeout_s, max(left_s, 0.0) + GRACE_S)

    def wait_s(self) -> float:
        """Seconds that the service may wait in that call."""
        left_s = self._left_s()
        return POLL_S if left_s is None else min(POLL_S, max(left_s, 0.0))

    def _left_s(self) -> float | None:
        return None if self._end is None else self._end - time.monotonic()


class Job:
    """A job of a :class:`RewardClient`: iterate over its results as they come, or wait for all.

    Attributes:
        id: names it, also in other processes.
        samples: how many it has; None: it was named, and not submitted here.
        durable: it outlives the end of every process of the gateway; None likewise.
    """

    def __init__(self, client: Caller, job: str, accepted: JobAccepted | None = None) -> None:
        self._client = client
        self.id = job
        self.samples = None if accepted is None else accepted.samples
        self.durable = None if accepted is None else accepted.durable

    def __repr__(self) -> str:
        return f"<Job {self.id}>"

    def result(self, timeout: float | None = None) -> Scores:
        """All rewards, in the order of the samples: what ``score`` answers.

        Args:
            timeout: seconds to wait; None: until the job's end. A gateway that is away is asked again for the client's
                ``timeout_s``.

        Raises:
            DeadlineExceeded: the job goes on after ``timeout``; ask again.
            NotFound: there is no such job any more.
            GatewayError: the job failed; the class says why.
        """
        reading, patience = Reading(), Patience(timeout, self._client.timeout_s)
        while not reading.finished:
            reading.keep(self._poll(reading.after, patience))
        return reading.answer()

    def __iter__(self) -> Iterator[JobResult]:
        return self.results()

    def results(self, timeout: float | None = None) -> Iterator[JobResult]:
        """The results as they come, each with its ``index``; from the first one, also of a job that was read before.
        The job itself can be iterated over, too.

        Args:
            timeout: seconds to wait for all; None: until the job's end.

        Raises:
            GatewayError: as :meth:`result`.
        """
        reading, patience = Reading(), Patience(timeout, self._client.timeout_s)
        while not reading.finished:
            page = self._poll(reading.after, patience)
            yield from make_results(reading.take(page), page.answer)

    def status(self) -> JobStatus:
        """How far it is. Raises NotFound, GatewayError."""
        return JobStatus.of(self._call(ReadJob(self.id, PAST_ALL), self._client.timeout_s))

    def cancel(self) -> JobStatus:
        """Cancel it: samples that are not scored answer ``cancelled``. Raises NotFound, GatewayError."""
        return JobStatus.of(self._call(CancelJob(self.id), self._client.timeout_s))

    def _poll(self, after: str, patience: Patience) -> JobPage:
        timeout_s = patience.next_call_s()
        return self._call(ReadJob(self.id, after, patience.wait_s()), timeout_s)

    def _call(self, call: JobCall[JobPage], timeout_s: float) -> JobPage:
        transport = self._client._transport
        return call_with_retries(lambda left_s: transport.call(call.within(left_s), left_s), timeout_s)


class AsyncJob:
    """A job of an :class:`AsyncRewardClient`: ``async for`` gives its results as they come.

    Attributes:
        id, samples, durable: as of :class:`Job`.
    """

    def __init__(self, client: AsyncCaller, job: str, accepted: JobAccepted | None = None) -> None:
        self._client = client
        self.id = job
        self.samples = None if accepted is None else accepted.samples
        self.durable = None if accepted is None else accepted.durable

    def __repr__(self) -> str:
        return f"<AsyncJob {self.id}>"

    async def result(self, timeout: float | None = None) -> Scores:  # noqa: ASYNC109 - as of a Job
        """As :meth:`Job.result`."""
        reading, patience = Reading(), Patience(timeout, self._client.timeout_s)
        while not reading.finished:
            reading.keep(await self._poll(reading.after, patience))
        return reading.answer()

    def __aiter__(self) -> AsyncIterator[JobResult]:
        return self.results()

    async def results(self, timeout: float | None = None) -> AsyncIterator[JobResult]:  # noqa: ASYNC109 - as of a Job
        """As :meth:`Job.results`."""
        reading, patience = Reading(), Patience(timeout, self._client.timeout_s)
        while not reading.finished:
            page = await self._poll(reading.after, patience)
            for result in make_results(reading.take(page), page.answer):
                yield result

    async def status(self) -> JobStatus:
        """As :meth:`Job.status`."""
        return JobStatus.of(await self._call(ReadJob(self.id, PAST_ALL), self._client.timeout_s))

    async def cancel(self) -> JobStatus:
        """As :meth:`Job.cancel`."""
        return JobStatus.of(await self._call(CancelJob(self.id), self._client.timeout_s))

    async def _poll(self, after: str, patience: Patience) -> JobPage:
        timeout_s = patience.next_call_s()
        return await self._call(ReadJob(self.id, after, patience.wait_s()), timeout_s)

    async def _call(self, call: JobCall[JobPage], timeout_s: float) -> JobPage:
        transport = self._client._transport
        return await await_with_retries(lambda left_s: transport.call(call.within(left_s), left_s), timeout_s)
