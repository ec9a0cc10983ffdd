"""From a parsed request to what the gateway scores: one way for HTTP and gRPC, shared in parts by every dialect."""

from typing import NamedTuple

from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.sample import Batch
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings

from .batch_builder import BatchBuilder
from .options import resolve_options
from .request import ScoreRequest


class PreparedRequest(NamedTuple):
    """What :meth:`reward_gateway.gateway.Gateway.score` takes."""

    batch: Batch
    reward: str
    options: ScoreOptions


class ScoreIntake:
    """Checks options, finds the recipe and makes the batch, within the limits of the settings.

    Attributes:
        batches: makes the batches.
        limits: of what a request may hold.
    """

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self.batches = BatchBuilder(settings)
        self.limits = self.batches.limits
        self._gateway = gateway
        self._settings = settings

    async def prepare(
        self,
        request: ScoreRequest,
        scope: RequestScope,
        arrived_at: float,
        *seconds: float | None,
        query: str | None = None,
        body_bytes: int | None = None,
    ) -> PreparedRequest:
        """What the gateway scores.

        Args:
            scope: on whose behalf the request is answered.
            arrived_at: when it arrived, on the running loop's clock.
            seconds: deadlines from elsewhere than the options, counted from ``arrived_at``; the smallest holds.
            query: the recipe that the request's address names.
            body_bytes: size of the body it came from; no text in it can be longer. None: not known.

        Raises:
            InvalidRequest: options that make no sense, or a sample that is none.
            NotFound: there is no recipe of the name.
            TooLarge: a sample, text or list over its limit, with its path.
        """
        options = resolve_options(request.options, scope, self._settings, arrived_at, *seconds)
        reward = self.resolve_reward(request.reward, query, request.model)
        return PreparedRequest(await self.batches.make(request.samples, body_bytes), reward, options)

    def resolve_reward(self, reward: str | None, query: str | None = None, model: str | None = None) -> str:
        """Which recipe answers: ``reward``, else ``query``, else ``model`` where it names a recipe, else the default.

        Raises:
            NotFound: the one that is named is not there.
        """
        named = model if model is not None and self._gateway.has_reward(model) else None
        return self._gateway.resolve_reward(reward, query, named)
