"""Jobs of dialects whose clients enqueue a batch and ask for its scores later, from whichever worker."""

import hashlib
from collections.abc import Sequence

import msgspec

from reward_gateway.errors import NotFound
from reward_gateway.intake.request import SampleItem
from reward_gateway.jobs.service import FinishedJob, Submission

from ..call import call_of
from ..dependencies import dependencies_of
from .request import DialectRequest

_encode = msgspec.json.Encoder().encode


def name_job(token: str, reward: str) -> str:
    """The job of a batch under one recipe, of the token that its client was given."""
    return f"j_{hashlib.sha256(f'{token}:{reward}'.encode()).hexdigest()[:32]}"


async def submit_job(request: DialectRequest, samples: Sequence[SampleItem], reward: str, job: str) -> None:
    """Have samples scored later, under the dialect's policy. Raises what refuses a job."""
    deps, call = dependencies_of(request.http_request), call_of(request.http_request.scope)
    plan = request.plan(reward)
    options = request.make_job_options(plan)
    encoded = [_encode(sample) for sample in samples]
    batch = await deps.job_intake.batches.make(samples, takes_long=True)
    await deps.jobs.submit(Submission(b"", encoded, batch, plan.name, options), call.scope, call.key.share, job)


async def read_job(request: DialectRequest, job: str) -> FinishedJob | None:
    """A job that has come to its end; None: not yet, or there is no such job."""
    try:
        return await dependencies_of(request.http_request).jobs.collect(call_of(request.http_request.scope).scope, job)
    except NotFound:
        return None
