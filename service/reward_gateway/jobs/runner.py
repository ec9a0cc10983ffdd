"""Scores the pieces of jobs, beside the requests that are answered at once and with a smaller share of the slots."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial

import orjson
import structlog

from reward_gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InternalError,
    ModelUnavailable,
    RequestError,
    StateUnavailable,
    Unavailable,
)
from reward_gateway.gateway import Gateway
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.parking import holding
from reward_gateway.recipes.raw_component import ScoredAhead
from reward_gateway.sample import Invalid
from reward_gateway.settings import Settings
from reward_gateway.state.jobs import COMBINED, WORK, JobStore, TakenPiece
from reward_gateway.tasks import end_task, repeat
from reward_gateway.telemetry.logs import describe_exception
from reward_gateway.traffic.admission import Admission

from .ahead import encode_ahead, fail_ahead, join_parts
from .lease import AWAY_S, LEASE_S, Lease
from .pieces import Head, Piece, decode_head, decode_piece, encode_piece, read_samples
from .results import make_deliveries, make_failed_rows
from .scorer import PieceScorer

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
        self._observer = observer
        self._scorer = PieceScorer(gateway, settings, admission, encode)
        self._worker = secrets.token_hex(8)
        self._tasks: list[asyncio.Task[None]] = []
        self._working: dict[asyncio.Task[None], Lease] = {}

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
        head, combines = decode_head(taken.head), taken.piece == COMBINED
        if combines:
            recorded = await self._store.read_ahead(taken.tenant, taken.job)
            if not recorded:  # nobody wants the job any more
                return
            piece, ahead = await asyncio.to_thread(join_parts, recorded)
        else:
            piece, ahead = decode_piece(taken.input), None
        began = time.time()
        self._observer.job_piece_taken(max(0.0, began - head.submitted_at), again=taken.times > 1)
        divisible = not combines and (head.ahead or not head.whole)
        if taken.times > HALVED_AFTER and divisible and (halves := piece.halve()):
            await self._store.split(taken, [encode_piece(half) for half in halves])
            return
        if taken.times > GIVEN_UP_AFTER:
            await self._give_up(taken, head, piece, WORKER_LOST)
            return
        with holding(lease):
            work = asyncio.create_task(self._score_piece(taken, head, piece, ahead))
        keeping = asyncio.create_task(lease.keep(work), name="job-lease")
        try:
            await asyncio.wait({work})
        finally:
            await end_task(keeping)
            await end_task(work)
        if not work.cancelled():
            work.result()
            samples = 0 if combines else len(piece.places)  # those that are combined were counted before
            self._observer.job_piece_scored(samples, time.time() - began)

    async def _score_piece(self, taken: TakenPiece, head: Head, piece: Piece, ahead: ScoredAhead | None) -> None:
        reason = FAILED
        failure: GatewayError | None = None
        for wait_s in (*RETRY_S, None):
            if head.due_at is not None and time.time() >= head.due_at:
                reason = LATE
                break
            try:
                record = await self._answer(taken, head, piece, ahead)
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
                await record()
                return
            if wait_s is None:
                break
            await asyncio.sleep(wait_s)
        if head.fails:
            await self._fail(taken, failure or InternalError(reason.message))
        else:
            await self._give_up(taken, head, piece, reason)

    async def _answer(
        self, taken: TakenPiece, head: Head, piece: Piece, ahead: ScoredAhead | None
    ) -> Callable[[], Awaitable[bool]]:
        """Score a piece, once; what is given records the answer. Raises GatewayError."""
        if head.ahead and taken.piece != COMBINED:
            scored_ahead = await self._scorer.score_ahead(taken, head, piece)
            return partial(self._store.record_ahead, taken, encode_ahead(scored_ahead))
        scored = await self._scorer.score(taken, head, piece, ahead)
        deliveries = make_deliveries(head, taken.job, piece, scored.rows, scored.samples, scored.groups)

        async def record() -> bool:
            is_first = await self._store.record(taken, deliveries, scored.usage, scored.described)
            if is_first:  # a piece that two workers scored counts once
                self._gateway.record(scored.batch, scored.scored, scored.scope)
            return is_first

        return record

    async def _fail(self, taken: TakenPiece, error: GatewayError) -> None:
        await self._store.fail(taken, orjson.dumps(error.error_body()["error"]))

    async def _give_up(self, taken: TakenPiece, head: Head, piece: Piece, reason: Invalid) -> None:
        """Record that the samples of a piece cannot be scored."""
        if head.ahead and taken.piece != COMBINED:
            failed = fail_ahead(head.recipe, head.version, len(piece.places), reason)
            await self._store.record_ahead(taken, encode_ahead(failed))
            return
        samples = read_samples(piece)
        rows = make_failed_rows(samples, reason)
        groups = [sample.group or None for sample in samples]
        await self._store.record(taken, make_deliveries(head, taken.job, piece, rows, samples, groups), {})


MOST_WORKING = 4096
"""Pieces of a process that are scored or wait for other samples, above which it takes no more."""
