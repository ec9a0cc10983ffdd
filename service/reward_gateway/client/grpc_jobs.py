"""The calls of jobs as gRPC has them: one message out, and the message that answers it.

A call of one message is the same to the service whether its method takes one or a stream of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from reward_gateway import extras

with extras.needed():
    from google.protobuf.json_format import MessageToDict

from reward_gateway.proto import reward_pb2 as pb

from .grpc_messages import fill_result, read_error, read_groups, read_usage, submit_request, with_recipe
from .job_calls import AcknowledgeResults, CancelJob, EmptyQueue, JobCall, ReadJob, Submit, TakeResults
from .wire import JobAccepted, JobPage, JobRow, QueuedRow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JobExchange(Generic[T]):
    """A method, the message that asks, the type of the one that answers, and how that is read."""

    method: str
    request: Any
    response: Any
    read: Callable[[Any], T]


def make_exchange(call: JobCall[T], recipe: str | None) -> JobExchange[T]:
    """A call as gRPC has it.

    Args:
        recipe: that of the address; None: it names none.

    Raises:
        InvalidRequest: the message cannot say it.
    """
    return cast("JobExchange[T]", _make(call, recipe))


def _make(call: Any, recipe: str | None) -> JobExchange[Any]:
    match call:
        case Submit(content):
            body = submit_request(with_recipe(content, recipe))
            return JobExchange("SubmitJob", body, pb.SubmitJobResponse, _read_accepted)
        case ReadJob(job, after, wait_s):
            asked = pb.JobResultsRequest(job=job, after=after, wait_s=wait_s)
            return JobExchange("JobResults", asked, pb.JobResultsResponse, _read_page)
        case CancelJob(job):
            return JobExchange("CancelJob", pb.CancelJobRequest(job=job), pb.JobResultsResponse, _read_page)
        case TakeResults(run, most, consumer, visibility_s, wait_s):
            message = pb.RunResultsRequest(
                run=run, max=most, consumer=consumer, visibility_s=visibility_s, wait_s=wait_s
            )
            return JobExchange("RunResults", message, pb.RunResultsResponse, _read_queued)
        case AcknowledgeResults(run, receipts):
            message = pb.RunResultsRequest(run=run, receipts=receipts)
            return JobExchange("RunResults", message, pb.RunResultsResponse, _read_removed)
        case EmptyQueue(run):
            return JobExchange(
                "RunResults", pb.RunResultsRequest(run=run, empty=True), pb.RunResultsResponse, _read_removed
            )
    raise TypeError(f"{type(call).__name__} is no call of jobs")


def _read_accepted(message: pb.SubmitJobResponse) -> JobAccepted:
    return JobAccepted(message.job, message.samples, message.durable, message.expires_s)


def _read_page(message: pb.JobResultsResponse) -> JobPage:
    rows = [
        fill_result(JobRow(row.result.id, row.result.valid, index=row.index), row.result) for row in message.results
    ]
    return JobPage(
        message.job,
        message.status,
        message.reward,
        message.recipe_version,
        message.samples,
        message.completed,
        rows,
        message.cursor,
        message.answer if message.HasField("answer") else None,
        read_usage(message.usage) if message.HasField("usage") else None,
        read_error(message.error) if message.HasField("error") else None,
        read_groups(message.groups),
    )


def _read_queued(message: pb.RunResultsResponse) -> list[QueuedRow]:
    return [_read_row(row) for row in message.results]


def _read_row(row: pb.QueuedResult) -> QueuedRow:
    made = QueuedRow(
        row.result.id,
        row.result.valid,
        index=row.index,
        job=row.job,
        receipt=row.receipt,
        group=row.group if row.HasField("group") else None,
        metadata=MessageToDict(row.metadata) if row.HasField("metadata") else None,
    )
    return fill_result(made, row.result)


def _read_removed(message: pb.RunResultsResponse) -> int:
    return message.removed
