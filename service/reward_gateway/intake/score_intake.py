"""From a body to what the gateway scores: one way for HTTP and gRPC, shared in parts by every dialect.

A body that takes long to decode is decoded in a worker process, and its batch is made there: the event loop copies its
bytes, and what comes back is unpickled in a thread (:mod:`reward_gateway.backends.workers.frames`).
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from reward_gateway.errors import GatewayError
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Batch
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings
from reward_gateway.traffic.deadlines import deadline_at

from .batch_builder import BatchBuilder
from .batch_reading import ReadScore, read_batch
from .chat_text import ReadSamples, TextReading, count_chars, read_batch_texts, read_samples
from .options import resolve_options
from .recipe_name import learn_models, resolve_recipe
from .request import Options, SampleItem, ScoreRequest

T = TypeVar("T")

LONG_TEXTS = 100_000
"""Characters of chat texts that are read in a thread: a few milliseconds."""


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

    async def read(self, read: Callable[[bytes], T], body: bytes, deadline: float, *, takes_long: bool) -> T:
        """Decode a body; in a worker process if that takes long.

        Args:
            read: decodes it; can be pickled, and so can what it returns.
            deadline: a time of the running loop's clock.

        Raises:
            GatewayError: what ``read`` raises.
            DeadlineExceeded, TooLarge, Unavailable: a worker did not end in time, needed too much memory, or was lost.
        """
        if not takes_long:
            return read(body)
        decoded: T = await self._gateway.runtime.compute(read, body, RequestContext(deadline))
        return decoded

    async def read_and_prepare(
        self,
        read: ReadScore,
        body: bytes,
        scope: RequestScope,
        arrived_at: float,
        *seconds: float | None,
        address: str | None = None,
        chat_format: str | None = None,
        takes_long: bool,
    ) -> PreparedRequest:
        """What the gateway scores, of a body: :meth:`read` and :meth:`prepare`. Raises as those."""
        if not takes_long:
            return await self.prepare(
                read(body), scope, arrived_at, *seconds, address=address, chat_format=chat_format, body_bytes=len(body)
            )
        deadline = deadline_at(arrived_at, self._settings, *seconds)
        work = partial(read_batch, read, self.batches)
        request, batch = await self.read(work, body, deadline, takes_long=True)
        options = resolve_options(request.options, scope, self._settings, arrived_at, *seconds)
        reward = request.reward if request.reward is not None else address
        if reward is None or reward not in self._gateway.book.plans:  # the usual name needs no looking up
            await self.learn_models(request.reward, address, request.model)
            reward = self.resolve_reward(request.reward, address, request.model)
        if isinstance(batch, GatewayError):
            raise batch
        chosen = _choose_format(request.options, chat_format)
        if chosen is not None:
            await self._read_rendered(batch, reward, chosen)
        return PreparedRequest(batch, reward, options)

    async def prepare(
        self,
        request: ScoreRequest,
        scope: RequestScope,
        arrived_at: float,
        *seconds: float | None,
        address: str | None = None,
        chat_format: str | None = None,
        body_bytes: int | None = None,
    ) -> PreparedRequest:
        """What the gateway scores.

        Args:
            scope: on whose behalf the request is answered.
            arrived_at: when it arrived, on the running loop's clock.
            seconds: deadlines from elsewhere than the options, counted from ``arrived_at``; the smallest holds.
            address: the recipe that the request's address names.
            chat_format: the format of chat text that the address names; the one of the options goes before it.
            body_bytes: size of the body it came from; no text in it can be longer. None: not known.

        Raises:
            InvalidRequest: options that make no sense, or a sample that is none.
            NotFound: there is no recipe, alias or served model of the name.
            TooLarge: a sample, text or list over its limit, with its path.
        """
        options = resolve_options(request.options, scope, self._settings, arrived_at, *seconds)
        reward = request.reward if request.reward is not None else address
        if reward is None or reward not in self._gateway.book.plans:  # the usual name needs no looking up
            await self.learn_models(request.reward, address, request.model)
            reward = self.resolve_reward(request.reward, address, request.model)
        batch = await self.batches.make(request.samples, body_bytes)
        chosen = _choose_format(request.options, chat_format)
        if chosen is not None:
            await self._read_rendered(batch, reward, chosen)
        return PreparedRequest(batch, reward, options)

    async def _read_rendered(self, batch: Batch, reward: str, chosen: str) -> None:
        """Read the texts of a batch, which a chat template rendered, back into messages."""
        reading = TextReading.of(self._gateway.get_plan(reward), self._settings, chosen)
        if count_chars(batch) > LONG_TEXTS:
            await asyncio.to_thread(read_batch_texts, batch, reading)
        else:
            read_batch_texts(batch, reading)

    async def read_chat_texts(
        self, samples: Sequence[SampleItem], plan: Plan, chosen: str | None, body_bytes: int
    ) -> ReadSamples:
        """Read the chat texts of samples back into messages, in place; what was noticed is for their batch.

        Args:
            chosen: the request's own choice of a format, if any.

        Raises:
            InvalidRequest: there is no such format.
            TooLarge: a text is longer than prompt and response together may be.
        """
        reading = TextReading.of(plan, self._settings, chosen)
        if body_bytes > LONG_TEXTS:
            return await asyncio.to_thread(read_samples, samples, reading)
        return read_samples(samples, reading)

    def resolve_reward(self, reward: str | None, address: str | None = None, model: str | None = None) -> str:
        """As :func:`.resolve_recipe`."""
        return resolve_recipe(self._gateway, reward, address, model)

    async def learn_models(self, reward: str | None, address: str | None = None, model: str | None = None) -> None:
        """As :func:`.learn_models`."""
        await learn_models(self._gateway, reward, address, model)


def _choose_format(options: Options | None, chat_format: str | None) -> str | None:
    """The format of chat text that a request names: in its options, else by its address."""
    return options.chat_format if options is not None and options.chat_format is not None else chat_format
