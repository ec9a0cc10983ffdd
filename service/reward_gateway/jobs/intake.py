"""The body of a job to what is scored: the checks of ``/v1/score``, with the limits of jobs."""

import asyncio
from functools import partial

from reward_gateway.gateway import Gateway
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.decoding_cost import SHORT, TYPED
from reward_gateway.intake.limits import InputLimits
from reward_gateway.intake.request import Options, ScoreRequest
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.scoring.readiness import refuse_unready
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings

from .pieces import split_body
from .request import JobRequest
from .service import Submission


class JobIntake:
    """Reads bodies of jobs, within the limits of the settings."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._intake = ScoreIntake(gateway, settings.for_jobs())
        self.batches = self._intake.batches
        self._read = partial(read_job, settings.max_nesting)

    @property
    def limits(self) -> InputLimits:
        """The limits of a job's samples."""
        return self._intake.limits

    async def read_submission(
        self,
        body: bytes,
        scope: RequestScope,
        arrived_at: float,
        *,
        address: str | None = None,
        chat_format: str | None = None,
    ) -> Submission:
        """A body, read and checked as if it were scored now.

        Args:
            arrived_at: when it arrived, on the running loop's clock.
            address, chat_format: the recipe and the format of chat text that the address names.

        Raises:
            GatewayError: what ``/v1/score`` would refuse.
        """
        takes_long = len(body) > SHORT and TYPED.exceeds_limit(body)
        prepared = await self._intake.read_and_prepare(
            self._read, body, scope, arrived_at, address=address, chat_format=chat_format, takes_long=takes_long
        )
        await refuse_unready(self._gateway.get_plan(prepared.reward), self._gateway.runtime)
        samples, options = await asyncio.to_thread(split_body, body) if takes_long else split_body(body)
        return Submission(body, samples, prepared.batch, prepared.reward, options, chat_format)


def read_job(max_nesting: int, body: bytes) -> ScoreRequest:
    """A job's body as that of a request, with the options that ``/v1/score`` knows."""
    job = decode_as(JobRequest, max_nesting, body)
    options = None
    if job.options is not None:
        options = Options(**{name: getattr(job.options, name) for name in Options.__struct_fields__})
    return ScoreRequest(job.samples, job.reward, job.model, options)
