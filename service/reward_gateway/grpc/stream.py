"""A stream of samples: samples that wait at the same time are scored as one batch.

Everything is bounded: the waiting samples and their bytes, the batches in progress, and the responses (written one at a
time, as fast as the caller reads). A caller that sends faster than it is answered is slowed down by the transport's
flow control and blocks only its own stream.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import get_args

import grpc

from reward_gateway.errors import DeadlineExceeded, Draining, GatewayError, InvalidRequest
from reward_gateway.gateway import Gateway
from reward_gateway.intake.idempotency import part_of
from reward_gateway.intake.options import read_deadline
from reward_gateway.intake.request import Options, ScoreRequest
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.sample import InvalidCode
from reward_gateway.settings import Settings
from reward_gateway.traffic.body_budget import Reservation
from reward_gateway.traffic.deadlines import deadline_at
from reward_gateway.traffic.guard import Traffic

from . import encode
from .calls import Call, parse
from .decode import decode_options, decode_samples

WAITING = 1024
"""Samples of one stream that may wait; also the most that are scored together."""

MOMENTS = 4
"""Moments of one stream that are scored at once."""

GATHER_S = 0.005
"""Seconds for which samples gather behind a moment, unless it is answered before. The transport hands samples over one
at a time: without this most moments would be of one, which costs as much as of ten."""

_SAMPLE_CODES = frozenset(get_args(InvalidCode)) - {"too_large"}
"""Failures of a moment that are its samples' own; every other ends the stream."""

_DRAINING = "this gateway is shutting down; send the samples without a result to another one"

_MORE = object()


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """What a sample is scored by, and how."""

    reward: str
    options: Options


@dataclass(slots=True)
class _WaitingSample:
    """A sample, its place in the stream, the bytes of its message, its terms, and when it is too late for it."""

    place: int
    size: int
    sample: pb.Sample
    terms: _Terms
    deadline: float


class ScoreStream:
    """One call of ``ScoreStream``."""

    def __init__(self, gateway: Gateway, intake: ScoreIntake, traffic: Traffic, settings: Settings, call: Call) -> None:
        self._gateway = gateway
        self._intake = intake
        self._traffic = traffic
        self._settings = settings
        self._call = call
        self._queue: asyncio.Queue[_WaitingSample | GatewayError | None] = asyncio.Queue(WAITING)
        self._places = asyncio.Semaphore(MOMENTS)
        self._writing = asyncio.Lock()
        self._last: object = _MORE
        self._receiving = self._over = False

    async def answer_samples(self, requests: AsyncIterator[bytes]) -> None:
        """Answer until the caller has sent all and has all answers.

        Raises:
            GatewayError: the stream as a whole cannot go on: an unknown reward, a sample that breaks the
                schema or a limit, a sample without a score under ``on_invalid: fail``, a gateway going away.
        """
        with self._traffic.bodies.reserve(self._call.sender) as held:
            await self._answer_within(held, requests)

    async def _answer_within(self, held: Reservation, requests: AsyncIterator[bytes]) -> None:
        reader = asyncio.create_task(self._read_samples(requests, held))
        drain = asyncio.create_task(self._queue_drain())
        try:
            async with asyncio.TaskGroup() as tasks:
                while samples := await self._next_samples():
                    answering: set[asyncio.Task[None]] = set()
                    for batch in self._split_by_terms(samples):
                        await self._places.acquire()
                        if self._traffic.drain.draining:
                            await self._end_stream(MOMENTS - 1)
                        answering.add(tasks.create_task(self._answer_batch(batch, held)))
                    if self._call.scope.idempotency_key is None:  # else each sample is scored alone
                        await asyncio.wait(answering, timeout=GATHER_S)
        except ExceptionGroup as group:
            raise _find_cause(group) from None
        finally:
            self._over = True
            drain.cancel()
            if not self._receiving:
                reader.cancel()

    async def _read_samples(self, requests: AsyncIterator[bytes], held: Reservation) -> None:
        """Queue the samples as they come, then None or what was wrong.

        A receive that is under way is never broken off: the transport would write into memory that is gone. It
        ends by itself when the call does.
        """
        terms, place = _Terms("", Options()), 0
        try:
            while not self._over:
                self._receiving = True
                raw = await anext(requests, None)
                self._receiving = False
                if raw is None or self._over:
                    break
                held.grow(held.size + len(raw))
                message = parse(pb.ScoreStreamRequest, raw)
                if message.reward:
                    await self._intake.learn_models(message.reward)
                terms = self._update_terms(terms, message, first=not place)
                await self._queue.put(self._make_waiting(message, terms, place, len(raw)))
                place += 1
            await self._queue.put(None)
        except GatewayError as error:
            await self._queue.put(error)
        except grpc.aio.BaseError:
            return  # the call is over

    def _update_terms(self, terms: "_Terms", message: pb.ScoreStreamRequest, *, first: bool) -> "_Terms":
        """The terms that hold from this message on."""
        options = decode_options(message.options) if message.HasField("options") else terms.options
        if message.reward or first:
            return _Terms(self._resolve_reward(message.reward or None), options)
        return terms if options is terms.options else _Terms(terms.reward, options)

    def _make_waiting(self, message: pb.ScoreStreamRequest, terms: "_Terms", place: int, size: int) -> "_WaitingSample":
        if not message.HasField("sample"):
            raise InvalidRequest("sample: missing field", param="sample")
        if not message.sample.HasField("id"):
            message.sample.id = str(place)
        now = asyncio.get_running_loop().time()
        option_s, call_s = read_deadline(terms.options), self._call.time_remaining()
        return _WaitingSample(place, size, message.sample, terms, deadline_at(now, self._settings, option_s, call_s))

    def _resolve_reward(self, name: str | None) -> str:
        reward = self._gateway.resolve_reward(name)
        if self._gateway.describe_reward(reward)["grouped"]:
            raise InvalidRequest("this reward compares the samples of a group: send them with Score", param="reward")
        return reward

    async def _next_samples(self) -> list["_WaitingSample"]:
        """The samples that wait now, at least one; none once the caller has sent all.

        Raises:
            GatewayError: what was wrong with the message after those that were returned before.
        """
        samples: list[_WaitingSample] = []
        while self._last is _MORE:
            if samples and self._queue.empty():
                return samples
            item = await self._queue.get()
            if isinstance(item, _WaitingSample):
                samples.append(item)
            else:
                self._last = item
        if isinstance(self._last, GatewayError) and not samples:
            if isinstance(self._last, Draining):
                await self._end_stream(MOMENTS)
            raise self._last
        return samples

    def _split_by_terms(self, samples: Sequence[_WaitingSample]) -> list[list[_WaitingSample]]:
        """The samples of a moment that are scored in one batch: those of the same terms.

        With an idempotency key each sample alone: a repeat of the stream may gather them otherwise.
        """
        if self._call.scope.idempotency_key is not None:
            return [[waiting] for waiting in samples]
        return _group_by_terms(samples)

    async def _queue_drain(self) -> None:
        """End the stream, also one on which nothing is sent, when the gateway begins to shut down."""
        await self._traffic.drain.wait_begun()
        await self._queue.put(Draining(_DRAINING))

    async def _end_stream(self, places: int) -> None:
        """End the stream of a gateway that goes away, once those places are free: everything under way is answered."""
        for _ in range(places):
            await self._places.acquire()
        raise Draining(_DRAINING)

    async def _answer_batch(self, batch: Sequence[_WaitingSample], held: Reservation) -> None:
        try:
            responses = await self._score_batch(batch)
            await self._write_answers(responses)
        finally:
            held.shrink(sum(waiting.size for waiting in batch))
            self._places.release()

    async def _write_answers(self, messages: Sequence[bytes]) -> None:
        """Send answers, and the one under way to its end where the stream ends: half of one would spoil the status."""
        async with self._writing:
            sending = asyncio.create_task(self._send(messages))
            sending.add_done_callback(_look_at_failure)
            try:
                await asyncio.shield(sending)
            except asyncio.CancelledError:
                self._over = True
                await asyncio.wait([sending])
                raise

    async def _send(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            if self._over:
                return
            await self._call.context.write(message)

    async def _score_batch(self, waiting_samples: Sequence[_WaitingSample]) -> list[bytes]:
        now = asyncio.get_running_loop().time()
        late = [waiting for waiting in waiting_samples if waiting.deadline <= now]
        waiting_samples = [waiting for waiting in waiting_samples if waiting.deadline > now]
        responses = _fail_samples(late, DeadlineExceeded("the deadline passed while the sample waited"))
        if not waiting_samples:
            return responses
        deadline, terms = min(waiting.deadline for waiting in waiting_samples), waiting_samples[0].terms
        scope = part_of(self._call.scope, waiting_samples[0].sample.id)
        try:
            async with self._traffic.admission.enter(deadline):
                samples = decode_samples([waiting.sample for waiting in waiting_samples], self._intake.limits)
                request = ScoreRequest(samples, terms.reward, None, terms.options)
                scored_batch, reward, options = await self._intake.prepare(request, scope, now, deadline - now)
                scored = await self._gateway.score(scored_batch, reward, options)
        except GatewayError as error:
            if error.code not in _SAMPLE_CODES:
                raise _renumber_error(error, waiting_samples) from None
            return [*responses, *_fail_samples(waiting_samples, error)]
        head = encode.head(scored.recipe, scored.version)
        results = encode.write_results(scored_batch.ids, scored, options.explain)
        return [*responses, *(head + result for result in results)]


def _look_at_failure(sending: "asyncio.Task[None]") -> None:
    """What fails after its call was cancelled is no news: it is not reported as never retrieved."""
    if not sending.cancelled():
        sending.exception()


def _group_by_terms(samples: Sequence[_WaitingSample]) -> list[list[_WaitingSample]]:
    """The samples of a moment by their terms."""
    by_terms: dict[_Terms, list[_WaitingSample]] = {}
    for waiting in samples:
        by_terms.setdefault(waiting.terms, []).append(waiting)
    return list(by_terms.values())


def _fail_samples(waiting: Sequence[_WaitingSample], error: GatewayError) -> list[bytes]:
    """A failure of the server's, which may pass: each sample's own, and the stream goes on."""
    reason = pb.Error(code=error.code, message=error.message)
    return [
        pb.ScoreStreamResponse(
            reward=sample.terms.reward, result=pb.Result(id=sample.sample.id, valid=False, error=reason)
        ).SerializeToString()
        for sample in waiting
    ]


def _renumber_error(error: GatewayError, batch: Sequence[_WaitingSample]) -> GatewayError:
    """The error with the sample's place in the stream for its place in the moment."""

    def stream_place(match: re.Match[str]) -> str:
        return f"samples[{batch[int(match[1])].place}]"

    if error.param is not None:
        error.param = re.sub(r"^samples\[(\d+)\]", stream_place, error.param)
    error.message = re.sub(r"^samples\[(\d+)\]", stream_place, error.message)
    return error


def _find_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that ended the stream: one that the caller may see, if there is one."""
    error: BaseException = group.subgroup(GatewayError) or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
