"""The calls of jobs and of runs' queues: each knows what it is over HTTP; :mod:`.grpc_jobs` what it is over gRPC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import quote, urlencode

from msgspec.json import Decoder

from .wire import JobAccepted, JobPage, QueuedRow, QueuedRows, Removed

T = TypeVar("T")

_accepted = Decoder(JobAccepted)
_page = Decoder(JobPage)
_queued = Decoder(QueuedRows)
_removed = Decoder(Removed)


class JobCall(Generic[T]):
    """One call."""

    method: ClassVar[str] = "GET"

    @property
    def path(self) -> str:
        """Path and query over HTTP."""
        raise NotImplementedError

    def within(self, left_s: float) -> Self:
        """The same call of one that has so many seconds left: what waits, waits less."""
        return self

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The JSON that is sent over HTTP."""
        return None

    def read(self, content: bytes) -> T:
        """The answer of HTTP."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Submit(JobCall[JobAccepted]):
    """Submit a body."""

    content: Mapping[str, Any]
    method: ClassVar[str] = "POST"

    @property
    def path(self) -> str:
        return "/v1/jobs"

    @property
    def body(self) -> Mapping[str, Any]:
        return self.content

    def read(self, content: bytes) -> JobAccepted:
        return _accepted.decode(content)


@dataclass(frozen=True, slots=True)
class ReadJob(JobCall[JobPage]):
    """Read what is new of a job since a cursor, as soon as anything is, or after ``wait_s``."""

    job: str
    after: str = ""
    wait_s: float = 0.0

    @property
    def path(self) -> str:
        given = {"wait_s": f"{self.wait_s:g}", **({"after": self.after} if self.after else {})}
        return f"{_job_path(self.job)}?{urlencode(given)}"

    def within(self, left_s: float) -> Self:
        return replace(self, wait_s=min(self.wait_s, left_s / 2))

    def read(self, content: bytes) -> JobPage:
        return _page.decode(content)


@dataclass(frozen=True, slots=True)
class CancelJob(JobCall[JobPage]):
    """Cancel a job."""

    job: str
    method: ClassVar[str] = "DELETE"

    @property
    def path(self) -> str:
        return _job_path(self.job)

    def read(self, content: bytes) -> JobPage:
        return _page.decode(content)


@dataclass(frozen=True, slots=True)
class TakeResults(JobCall[list[QueuedRow]]):
    """Take results of a run's queue, as soon as there are any, or none after ``wait_s``."""

    run: str
    most: int
    consumer: str
    visibility_s: float
    wait_s: float

    @property
    def path(self) -> str:
        given = {
            "max": self.most,
            "consumer": self.consumer,
            "visibility_s": f"{self.visibility_s:g}",
            "wait_s": f"{self.wait_s:g}",
        }
        return f"{_queue_path(self.run)}?{urlencode(given)}"

    def within(self, left_s: float) -> Self:
        return replace(self, wait_s=min(self.wait_s, left_s / 2))

    def read(self, content: bytes) -> list[QueuedRow]:
        return _queued.decode(content).results


@dataclass(frozen=True, slots=True)
class AcknowledgeResults(JobCall[int]):
    """Acknowledge results by their receipts; the answer says how many deliveries were still there."""

    run: str
    receipts: Sequence[str]
    method: ClassVar[str] = "POST"

    @property
    def path(self) -> str:
        return f"{_queue_path(self.run)}:ack"

    @property
    def body(self) -> Mapping[str, Any]:
        return {"receipts": list(self.receipts)}

    def read(self, content: bytes) -> int:
        return _removed.decode(content).removed


@dataclass(frozen=True, slots=True)
class EmptyQueue(JobCall[int]):
    """Remove all results from a run's queue; the answer says how many deliveries there were."""

    run: str
    method: ClassVar[str] = "DELETE"

    @property
    def path(self) -> str:
        return _queue_path(self.run)

    def read(self, content: bytes) -> int:
        return _removed.decode(content).removed


def _job_path(job: str) -> str:
    return f"/v1/jobs/{quote(job, safe='')}"


def _queue_path(run: str) -> str:
    return f"/v1/runs/{quote(run, safe='')}/results"
