"""A stream of samples: samples that wait at the same time are scored as one batch.

Everything is bounded: the waiting samples and their bytes, the batches in progress, and the responses (written one at a
time, as fast as the caller reads). A caller that sends faster than it is answered is slowed down by the transport's
flow control and blocks only its own stream.
"""

import asyncio
import re
from collections.abc import Sequence
from itertools import groupby
from typing import get_args

import grpc

from reward_gateway.errors import DeadlineExceeded, Draining, GatewayError, InvalidRequest, MalformedBody
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
from .stream_samples import Line, Terms, WaitingSample, find_sample, parse_samples

WAITING = 1024
"""Samples of one stream that may wait; also the most that are scored together."""

MOMENTS = 4
"""Moments of one stream that are scored at once."""

GATHER_S = 0.005
"""Seconds for which samples gather behind a moment that is not scored yet; behind one whose answers are being sent they
gather until it is done. The transport hands samples over one at a time: without this most moments would be of one,
which costs as much as of ten."""

_SAMPLE_CODES = frozenset(get_args(InvalidCode)) - {"too_large"}
"""Failures of a moment that are its samples' own; every other ends the stream."""

_DRAINING = "this gateway is shutting down; send the samples without a result to another one"


class ScoreStream:
    """One call of ``ScoreStream``."""

    def __init__(self, gateway: Gateway, intake: ScoreIntake, traffic: Traffic, settings: Settings, call: Call) -> None:
        self._gateway = gateway
        self._intake = intake
        self._traffic = traffic
        self._settings = settings
        self._call = call
        self._left_at = None if call.left_s is None else call.arrived_at + call.left_s
        self._line: Line[WaitingSample] = Line(WAITING)
        self._places = asyncio.Semaphore(MOMENTS)
        self._writing = asyncio.Lock()
        self._scoring = 0
        self._receiving = self._over = False

    async def answer_samples(self) -> None:
        """Answer until the caller has sent all and has all answers.

        Raises:
            GatewayError: the stream as a whole cannot go on: an unknown reward, a sample that breaks the
                schema or a limit, a sample without a score under ``on_invalid: fail``, a gateway going away.
        """
        with self._traffic.bodies.reserve(self._call.sender) as held:
            await self._answer_within(held)

    async def _answer_within(self, held: Reservation) -> None:
        reader = asyncio.create_task(self._read_samples(held))
        drain = asyncio.create_task(self._end_when_draining())
        try:
            async with asyncio.TaskGroup() as tasks:
                while samples := await self._take_samples():
                    answering: set[asyncio.Task[None]] = set()
                    for batch in self._split_by_terms(samples):
                        await self._places.acquire()
                        if self._traffic.drain.draining:
                            await self._end_stream(MOMENTS - 1)
                        self._scoring += 1
                        answering.add(tasks.create_task(self._answer_batch(batch, held)))
                    if self._call.scope.idempotency_key is None:  # else each sample is scored alone
                        await self._gather_behind(answering)
        except ExceptionGroup as group:
            raise _find_cause(group) from None
        finally:
            self._over = True
            drain.cancel()
            if not self._receiving:
                reader.cancel()

    async def _gather_behind(self, answering: "set[asyncio.Task[None]]") -> None:
        """Let samples gather while a moment is answered; one whose scores take long is not waited for."""
        _, left = await asyncio.wait(answering, timeout=GATHER_S)
        if left and not self._scoring:  # what is scored now could only wait until these answers are sent
            await asyncio.wait(left)

    async def _read_samples(self, held: Reservation) -> None:
        """Add the samples to the line as they come, and at its end what was wrong.

        A receive that is under way is never broken off: the transport would write into memory that is gone. It
        ends by itself when the call does.
        """
        receive, clock, line, left_at = (
            self._call.context.read,
            asyncio.get_running_loop().time,
            self._line,
            self._left_at,
        )
        terms: Terms | None = None
        place = 0
        try:
            while not self._over:
                self._receiving = True
                raw = await receive()
                self._receiving = False
                if not isinstance(raw, bytes) or self._over:  # grpc.aio.EOF
                    break
                held.add(len(raw))
                content: pb.Sample | bytes = raw
                start = 0 if terms is None else find_sample(raw)
                if terms is None or not start:
                    terms, content = await self._read_terms(raw, terms)
                deadline = clock() + terms.allowed_s
                if left_at is not None and left_at < deadline:
                    deadline = left_at
                place += 1
                if not line.add(WaitingSample(place - 1, len(raw), content, start, terms, deadline)):
                    await line.wait_for_room()
            line.end()
        except GatewayError as error:
            line.end(error)
        except grpc.aio.BaseError:
            return  # the call is over

    async def _read_terms(self, raw: bytes, terms: Terms | None) -> tuple[Terms, pb.Sample]:
        """The terms that hold from a message on, and its sample.

        Args:
            terms: those before; None: it is the first message.
        """
        message = parse(pb.ScoreStreamRequest, raw)
        if message.reward:
            await self._intake.learn_models(message.reward)
        options = Options() if terms is None else terms.options
        if message.HasField("options"):
            options = decode_options(message.options)
        if message.reward or terms is None:
            terms = self._make_terms(self._resolve_reward(message.reward or None), options)
        elif options is not terms.options:
            terms = self._make_terms(terms.reward, options)
        if not message.HasField("sample"):
            raise InvalidRequest("sample: missing field", param="sample")
        return terms, message.sample

    def _make_terms(self, reward: str, options: Options) -> Terms:
        seconds = read_deadline(options)
        if seconds is None and self._left_at is not None:
            return Terms(reward, options, self._settings.max_deadline_s)
        return Terms(reward, options, deadline_at(0.0, self._settings, seconds))

    def _resolve_reward(self, name: str | None) -> str:
        reward = self._gateway.resolve_reward(name)
        if self._gateway.describe_reward(reward)["grouped"]:
            raise InvalidRequest("this reward compares the samples of a group: send them with Score", param="reward")
        return reward

    async def _take_samples(self) -> list[WaitingSample]:
        """The samples that wait now, at least one; none once the caller has sent all.

        Raises:
            GatewayError: what was wrong with the message after those that were returned before.
        """
        try:
            return await self._line.take()
        except Draining:
            await self._end_stream(MOMENTS)
            raise

    def _split_by_terms(self, samples: Sequence[WaitingSample]) -> list[list[WaitingSample]]:
        """The samples of a moment that are scored in one batch: those of the same terms.

        With an idempotency key each sample alone: a repeat of the stream may gather them otherwise.
        """
        if self._call.scope.idempotency_key is not None:
            return [[waiting] for waiting in samples]
        if samples[0].terms is samples[-1].terms:  # terms never come back
            return [list(samples)]
        return [list(batch) for _, batch in groupby(samples, lambda waiting: waiting.terms)]

    async def _end_when_draining(self) -> None:
        """End the stream, also one on which nothing is sent, when the gateway begins to shut down."""
        await self._traffic.drain.wait_begun()
        self._line.end(Draining(_DRAINING))

    async def _end_stream(self, places: int) -> None:
        """End the stream of a gateway that goes away, once those places are free: everything under way is answered."""
        for _ in range(places):
            await self._places.acquire()
        raise Draining(_DRAINING)

    async def _answer_batch(self, batch: Sequence[WaitingSample], held: Reservation) -> None:
        try:
            try:
                responses, fault = await self._score_batch(batch)
            finally:
                self._scoring -= 1
            await self._write_answers(responses)
            if fault is not None:
                raise fault
        finally:
            held.shrink(sum([waiting.size for waiting in batch]))
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
        write = self._call.context.write
        for message in messages:
            if self._over:
                return
            await write(message)

    async def _score_batch(self, waiting: Sequence[WaitingSample]) -> tuple[list[bytes], MalformedBody | None]:
        """The answers of the samples before the first message that is none, and what is wrong with that one."""
        now = asyncio.get_running_loop().time()
        responses: list[bytes] = []
        if waiting[0].deadline <= now:  # no sample after it has an earlier one
            late, fault = parse_samples([sample for sample in waiting if sample.deadline <= now])
            responses = _fail_samples(late, waiting, DeadlineExceeded("the deadline passed while the sample waited"))
            waiting = waiting[len(late) :]
            if fault is not None or not waiting:
                return responses, fault
        deadline, terms = waiting[0].deadline, waiting[0].terms
        samples: list[pb.Sample] = []
        fault = None
        try:
            async with self._traffic.admission.enter(deadline):
                samples, fault = parse_samples(waiting)
                if not samples:
                    return responses, fault
                scope = part_of(self._call.scope, samples[0].id)
                request = ScoreRequest(decode_samples(samples, self._intake.limits), terms.reward, None, terms.options)
                scored_batch, reward, options = await self._intake.prepare(request, scope, now, deadline - now)
                scored = await self._gateway.score(scored_batch, reward, options)
        except GatewayError as error:
            if error.code not in _SAMPLE_CODES:
                raise _renumber_error(error, waiting) from None
            if not samples:  # they were not let in
                samples, fault = parse_samples(waiting)
            return [*responses, *_fail_samples(samples, waiting, error)], fault
        head = encode.head(scored.recipe, scored.version)
        results = encode.write_results(scored_batch.ids, scored, options.explain)
        return [*responses, *(head + result for result in results)], fault


def _look_at_failure(sending: "asyncio.Task[None]") -> None:
    """What fails after its call was cancelled is no news: it is not reported as never retrieved."""
    if not sending.cancelled():
        sending.exception()


def _fail_samples(samples: Sequence[pb.Sample], waiting: Sequence[WaitingSample], error: GatewayError) -> list[bytes]:
    """A failure of the server's, which may pass: each sample's own, and the stream goes on."""
    reward, reason = waiting[0].terms.reward, pb.Error(code=error.code, message=error.message)
    return [
        pb.ScoreStreamResponse(
            reward=reward, result=pb.Result(id=sample.id, valid=False, error=reason)
        ).SerializeToString()
        for sample in samples
    ]


def _renumber_error(error: GatewayError, batch: Sequence[WaitingSample]) -> GatewayError:
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
