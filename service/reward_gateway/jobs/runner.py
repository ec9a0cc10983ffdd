"""Scores the pieces of jobs, beside the requests that are answered at once and with a smaller share of the slots."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial

import orjson
import structlog

from reward_gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InternalError,
    InvalidRecipe,
    ModelUnavailable,
    RequestError,
    StateUnavailable,
    Unavailable,
)
from reward_gateway.fair_queue import Share, charge_to
from reward_gateway.gateway import Gateway
from reward_gateway.intake.request import SampleItem, ScoreRequest
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.parking import holding
from reward_gateway.recipes.book import compile_source
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Batch, Invalid
from reward_gateway.sample.scores import LARGE_ANSWER
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings
from reward_gateway.state.jobs import WORK, Delivery, JobStore, TakenPiece
from reward_gateway.tasks import end_task, repeat
from reward_gateway.telemetry.logs import describe_exception
from reward_gateway.traffic.admission import Admission

from .lease import AWAY_S, LEASE_S, Lease
from .pieces import Head, Piece, decode_head, decode_piece, encode_piece, read_request, read_samples
from .results import Row, make_deliveries, make_failed_rows, split_answer

log = structlog.get_logger(__name__)

LOOK_S = 1.0
"""Seconds after which a worker without work looks for some, in case the news was lost."""

COUNT_S = 5.0
"""Seconds between two counts of what waits."""

HALVED_AFTER = 3
"""How often a piece may be lost until it is halved."""

GIVEN_UP_AFTER = 10
"""How often a single sample may be lost until it is given up."""

RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between the tries to score a piece whose servers are away or busy."""

LONG_PIECE = 4 << 20
"""Bytes of samples that are decoded in a worker process, and then in a thread."""

WORKER_LOST = Invalid("worker_lost", "every worker that scored this sample was lost")
LATE = Invalid("deadline_exceeded", "the job's deadline passed before this sample was scored")
FAILED = Invalid("internal_error", "internal error; the gateway's log has the details")


class JobRunner:
    """Takes pieces and scores them until it is closed.

    Args:
        encode: gives the body of ``/v1/score`` for a scored batch, as :func:`reward_gateway.http.encode.encode_scored`.
    """

    def __init__(
        self,
        gateway: Gateway,
        settings: Settings,
        admission: Admission,
        encode: Callable[..., bytes],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._admission = admission
        self._encode = encode
        self._observer = observer
        self._intake = ScoreIntake(gateway, settings.for_jobs())
        self._worker = secrets.token_hex(8)
        self._tasks: list[asyncio.Task[None]] = []
        self._working: dict[asyncio.Task[None], Lease] = {}
        self._plans: dict[tuple[str, str], Plan] = {}

    @property
    def _store(self) -> JobStore:
        return self._gateway.runtime.state.jobs

    def start(self) -> None:
        """Begin to take pieces."""
        self._store.listen()
        names = (f"job-runner-{place}" for place in range(self._settings.job_concurrency))
        self._tasks = [asyncio.create_task(self._run(name), name=name) for name in names]
        self._tasks.append(asyncio.create_task(repeat(self._count, COUNT_S, "job-count"), name="job-count"))

    async def close(self) -> None:
        """Stop; what is being scored is given up, so that another worker takes it at once."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            await end_task(task)
        for work, lease in list(self._working.items()):
            await end_task(work)
            await lease.release()

    async def _count(self) -> None:
        with contextlib.suppress(StateUnavailable):
            waiting = await self._store.count_waiting()
            self._observer.jobs_counted(waiting.jobs, waiting.samples, waiting.oldest_s, waiting.expired)

    async def _run(self, name: str) -> None:
        worker = f"{self._worker}-{name}"
        while True:
            with self._store.wakes.watch(WORK) as news:
                try:
                    taken = await self._store.take(worker, LEASE_S)
                except StateUnavailable:
                    await asyncio.sleep(AWAY_S)
                    continue
                except Exception as error:  # whatever happens, the next piece is taken
                    log.error("job piece not taken", once_per="take", **describe_exception(error))
                    await asyncio.sleep(AWAY_S)
                    continue
                if taken is None:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_S):
                            await news.wait()
                    continue
            lease = Lease(self._store, taken, worker)
            work = asyncio.create_task(self._score_leased(lease), name="job-piece")
            self._working[work] = lease
            work.add_done_callback(self._working.pop)
            parked = asyncio.create_task(lease.parked.wait(), name="job-parked")
            try:
                await asyncio.wait({work, parked}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                parked.cancel()
            while len(self._working) >= MOST_WORKING:
                await asyncio.wait(self._working, return_when=asyncio.FIRST_COMPLETED)

    async def _score_leased(self, lease: Lease) -> None:
        try:
            await self._score(lease)
        except StateUnavailable:
            await asyncio.sleep(AWAY_S)  # the lease expires, and the piece is taken again
        except Exception as error:
            log.error("job piece failed", once_per="piece", **describe_exception(error))

    async def _score(self, lease: Lease) -> None:
        """Score a piece and record its results, unless somebody else has or nobody wants them any more."""
        taken = lease.taken
        head, piece = decode_head(taken.head), decode_piece(taken.input)
        began = time.time()
        self._observer.job_piece_taken(max(0.0, began - head.submitted_at), again=taken.times > 1)
        if taken.times > HALVED_AFTER and len(piece.places) > 1 and not head.whole:
            await self._store.split(taken, [encode_piece(half) for half in piece.halve()])
            return
        if taken.times > GIVEN_UP_AFTER:
            await self._record_failed(taken, head, piece, WORKER_LOST)
            return
        with holding(lease):
            work = asyncio.create_task(self._score_piece(taken, head, piece))
        keeping = asyncio.create_task(lease.keep(work), name="job-lease")
        try:
            await asyncio.wait({work})
        finally:
            await end_task(keeping)
            await end_task(work)
        if not work.cancelled():
            work.result()
            self._observer.job_piece_scored(len(piece.places), time.time() - began)

    async def _score_piece(self, taken: TakenPiece, head: Head, piece: Piece) -> None:
        reason = FAILED
        failure: GatewayError | None = None
        for wait_s in (*RETRY_S, None):
            if head.due_at is not None and time.time() >= head.due_at:
                reason = LATE
                break
            try:
                rows, batch, samples, usage = await self._answer(taken, head, piece)
            except StateUnavailable as error:
                if wait_s is None or head.whole:  # it may have changed state: try again, however long that takes
                    raise
                reason, failure = Invalid("state_unavailable", error.message), error
            except Unavailable as error:
                away = isinstance(error, ModelUnavailable)
                reason, failure = Invalid("model_unavailable" if away else "overloaded", error.message), error
            except RequestError as error:
                await self._fail(taken, error)
                return
            except DeadlineExceeded as error:
                reason, failure = LATE, error
                break
            except GatewayError as error:
                log.error("job piece failed", once_per=error.code, **describe_exception(error))
                break
            except Exception as error:
                log.error("job piece failed", once_per="piece", **describe_exception(error))
                break
            else:
                groups: list[str | None] = []
                if head.queued:
                    groups = [None if group.startswith("\0") else group for group in batch.groups()]
                await self._record(taken, make_deliveries(head, taken.job, piece, rows, samples, groups), usage)
                return
            if wait_s is None:
                break
            await asyncio.sleep(wait_s)
        if head.fails:
            await self._fail(taken, failure or InternalError(reason.message))
        else:
            await self._record_failed(taken, head, piece, reason)

    async def _fail(self, taken: TakenPiece, error: GatewayError) -> None:
        await self._store.fail(taken, orjson.dumps(error.error_body()["error"]))

    async def _record_failed(self, taken: TakenPiece, head: Head, piece: Piece, reason: Invalid) -> None:
        samples = read_samples(piece)
        rows = make_failed_rows(samples, reason)
        groups = [sample.group or None for sample in samples]
        await self._record(taken, make_deliveries(head, taken.job, piece, rows, samples, groups), {})

    async def _record(self, taken: TakenPiece, deliveries: list[Delivery], usage: Mapping[str, int]) -> None:
        await self._store.record(taken, deliveries, usage)

    async def _answer(
        self, taken: TakenPiece, head: Head, piece: Piece
    ) -> tuple[list[Row], Batch, list[SampleItem], dict[str, int]]:
        """Rows of the answer, their batch, their samples, and what they cost. Raises GatewayError."""
        plan = self._find_plan(head)
        key = f"job {taken.job}" if head.whole else None
        scope = RequestScope(taken.tenant, head.run, key)
        now = asyncio.get_running_loop().time()
        takes_long = len(piece.samples) > LONG_PIECE
        samples = await asyncio.to_thread(read_samples, piece) if takes_long else read_samples(piece)
        reward = head.recipe if plan is None else plan.name
        share = Share(taken.tenant, taken.priority)
        with charge_to(share):
            async with self._admission.enter():
                if takes_long:
                    read = partial(read_request, reward, head.options)
                    prepared = await self._intake.read_and_prepare(
                        read, taken.input, scope, now, chat_format=head.chat_format, takes_long=True
                    )
                else:
                    request = ScoreRequest(samples, reward, None, head.options)
                    prepared = await self._intake.prepare(request, scope, now, chat_format=head.chat_format)
                left_s = LONGEST_S if head.due_at is None else head.due_at - time.time()
                options = replace(prepared.options, deadline=now + max(0.001, left_s))
                if plan is None:
                    scored = await self._gateway.score(prepared.batch, prepared.reward, options)
                else:
                    scored = await self._gateway.score_by(plan, prepared.batch, options)
        encode = partial(self._encode, prepared.batch, scored, {}, explain=head.explain)
        body = await asyncio.to_thread(encode) if scored.count_numbers() > LARGE_ANSWER else encode()
        return split_answer(body), prepared.batch, samples, asdict(scored.usage)

    def _find_plan(self, head: Head) -> Plan | None:
        """The recipe as it was when the job was submitted; None: a served model's own, which has no source."""
        current = self._gateway.find_plan(head.recipe)
        if current is not None and current.version == head.version:
            return current
        if head.source is None:
            return current
        address = head.recipe, head.version
        if address not in self._plans:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            try:
                models = self._gateway.runtime.known_models()
                self._plans[address] = compile_source(head.recipe, head.source, models)
            except InvalidRecipe as error:
                raise RequestError(f"the job's recipe can no longer be compiled: {error.message}") from None
        return self._plans[address]


MOST_WORKING = 4096
"""Pieces of a process that are scored or wait for other samples, above which it takes no more."""

LONGEST_S = 3600.0
"""Seconds that one piece may take where the job has no deadline."""

MOST_PLANS = 64
"""Recipes of jobs that are no longer in the file, which are kept compiled."""
