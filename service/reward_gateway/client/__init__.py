"""The typed client and the adapters that trainers import by dotted name.

    from reward_gateway.client import RewardClient

    with RewardClient("http://127.0.0.1:8080") as client:
        scores = client.score(prompts, responses, reward="helpful_harmless")
        scores.rewards, scores.valid
        job = client.submit(prompts, responses, reward="slow_judge")
        scores = job.result()

It needs httpx, msgspec, numpy and stamina; addresses with ``grpc://`` also the extra ``grpc``. Failures are
the classes of :mod:`reward_gateway.errors`, the same on both sides of the wire.
"""

from .aio import AsyncRewardClient
from .failures import Unreachable, Untrusted
from .job_results import JobResult, JobStatus, RunResult
from .jobs import AsyncJob, Job
from .listings import flatten_row
from .runs import AsyncRunQueue, RunQueue
from .scores import Component, SampleScore, Scores
from .sync import RewardClient
from .wire import GroupStats, SampleError

__all__ = [
    "AsyncJob",
    "AsyncRewardClient",
    "AsyncRunQueue",
    "Component",
    "GroupStats",
    "Job",
    "JobResult",
    "JobStatus",
    "RewardClient",
    "RunQueue",
    "RunResult",
    "SampleError",
    "SampleScore",
    "Scores",
    "Unreachable",
    "Untrusted",
    "flatten_row",
]
