"""Jobs as their callers see them: submitted, read, waited for, cancelled; and the queues of their results."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from reward_gateway.errors import (
    Conflict,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    NotSetUp,
    Overloaded,
    RateLimited,
    StateUnavailable,
    TooLarge,
)
from reward_gateway.fair_queue import Share
from reward_gateway.gateway import Gateway
from reward_gateway.intake.options import read_deadline
from reward_gateway.intake.request import Options
from reward_gateway.metering.usage import Counts
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings
from reward_gateway.state.jobs import (
    COMBINED,
    FINAL,
    Delivery,
    JobLimits,
    JobStore,
    JobView,
    NewJob,
    QueuedResults,
    Status,
    job_topic,
    queue_topic,
)
from reward_gateway.traffic.keys import ApiKey

from .callbacks import check_callback
from .checks import is_place
from .pieces import (
    LARGEST,
    Cut,
    Encoded,
    Head,
    PinnedCanary,
    cut_places,
    decode_head,
    decode_piece,
    encode_head,
    encode_pieces,
    read_samples,
)
from .request import JobOptions
from .results import deliver, make_failed_rows, tell_rows

CANCELLED = Invalid("cancelled", "the job was cancelled before this sample was scored")

RECHECK_S = 1.0
"""Seconds after which one who waits looks again, in case the news was lost."""

LONGEST_WAIT_S = 60.0
FULL_RETRY_S = 5.0
"""Seconds after which a job that was refused may be sent again."""

PAGE = 512
"""Deliveries of a page."""

LARGE_JOB = 512
"""Samples whose pieces are made in threads."""

COMPRESSORS = 4
"""How many threads make them."""

_OURS = frozenset(("deliver", "expires_s", "queue", "callback", "deadline_ms"))


@dataclass(frozen=True, slots=True)
class Submission:
    """A body that was read and checked.

    Attributes:
        body: as it was sent: with another under the same key it is another request.
        samples: the bytes of each.
        options: as the body gave them.
        chat_format: the one that the address named.
    """

    body: bytes
    samples: Sequence[Encoded]
    batch: Batch
    reward: str
    options: JobOptions
    chat_format: str | None = None


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A job that has come to its end.

    Attributes:
        rows: its results in the order of the samples.
        error: why it failed; None: it did not.
        seconds: from its submission to the last result.
    """

    status: Status
    recipe: str
    rows: list[dict[str, Any]]
    error: dict[str, Any] | None
    seconds: float


class JobService:
    """Jobs of one process.

    Args:
        gateway: has the recipes, and the store of state in which jobs are kept.
    """

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._settings = settings
        self._limits = JobLimits(settings.max_waiting_samples, settings.max_jobs)

    @property
    def store(self) -> JobStore:
        """Where jobs are kept.

        Raises:
            NotSetUp: this gateway takes no jobs.
            StateUnavailable: there are several workers, and they share no store.
        """
        if not self._settings.jobs:
            raise NotSetUp("this gateway takes no jobs (jobs: off); POST /v1/score answers at once")
        store = self._gateway.runtime.state.jobs
        if not store.shared and self._settings.workers > 1:
            raise StateUnavailable("jobs of several workers need Redis; set REWARD_GATEWAY_STATE_REDIS_URL")
        return store

    def check_open(self) -> None:
        """Raise what :attr:`store` raises, before anything is read."""
        _ = self.store

    async def submit(
        self,
        submission: Submission,
        scope: RequestScope,
        share: Share,
        job: str | None = None,
        caller: ApiKey | None = None,
    ) -> dict[str, Any]:
        """Keep a job, and say so once that is safe.

        Args:
            job: its name, which nobody can guess; None: a new one.
            caller: the API key, whose secret signs a callback.

        Raises:
            InvalidRequest: the recipe cannot be delivered as the options ask.
            IdempotencyConflict: the request's key was sent with another body.
            Overloaded, RateLimited: too many samples wait, of all or of this caller.
            OverBudget: the samples would exceed the budget of the caller's tenant.
        """
        store, plan, size = self.store, self._gateway.get_plan(submission.reward), submission.batch.size
        if submission.options.callback is not None:
            check_callback(submission.options.callback, caller, self._settings)
        head = self._make_head(plan, submission, scope, caller)
        groups = submission.batch.groups() if head.grouped and not head.whole else None
        cut = cut_places(size, groups) if size and (head.ahead or not head.whole) else [Cut(range(size), [])]
        if size > LARGE_JOB:
            parts = (cut[start::COMPRESSORS] for start in range(COMPRESSORS))
            encoded = await asyncio.gather(
                *(asyncio.to_thread(encode_pieces, submission.samples, part) for part in parts)
            )
            inputs = [encoded[place % COMPRESSORS][place // COMPRESSORS] for place in range(len(cut))]
        else:
            inputs = encode_pieces(submission.samples, cut)
        job = job or f"j_{secrets.token_hex(16)}"
        expires_s = submission.options.expires_s or self._settings.job_expires_s
        key = None
        if (address := scope.make_attempt_address("job")) is not None:
            key = address, hashlib.sha256(submission.body).hexdigest()
        new = NewJob(
            scope.caller,
            job,
            encode_head(head),
            size,
            inputs,
            share.priority,
            scope.run,
            head.queued,
            head.together,
            expires_s,
            key,
            head.callback is not None,
        )
        meter = self._gateway.meter
        day = await meter.spend(size)
        with meter.settle(size, day) as charge:
            submitted = await store.submit(new, self._limits)
            if submitted.outcome == "conflict":
                raise IdempotencyConflict(
                    "this Idempotency-Key was sent with another body; a new request needs a new key"
                )
            if submitted.outcome == "full":
                raise Overloaded("too many samples of jobs wait; try again later", retry_after_s=FULL_RETRY_S)
            if submitted.outcome == "share":
                raise RateLimited(
                    "too many samples of your jobs wait; try again once some are scored", retry_after_s=FULL_RETRY_S
                )
            charge.counts = Counts(requests=1, samples=size) if submitted.outcome == "new" else None
        return {
            "job": submitted.job,
            "status": "queued",
            "samples": size,
            "durable": await store.sync(),
            "expires_s": expires_s,
        }

    def _make_head(self, plan: Plan, submission: Submission, scope: RequestScope, caller: ApiKey | None) -> Head:
        options = submission.options
        fails = (options.on_invalid or plan.on_invalid) == "fail"
        canary = plan.active_canary
        versions = [plan] if canary is None else [plan, canary.plan]
        stateful = any(version.stateful for version in versions)
        comparisons = [comparison for version in versions for comparison in version.comparisons]
        whole = stateful or fails or any(comparison != "group" for comparison in comparisons)
        compares = plan.group.compares or bool(comparisons)
        if options.deliver == "sample" and (whole or compares):
            message = f"the recipe {plan.name} compares samples or fails as a whole: ask for group or job"
            raise InvalidRequest(f"options.deliver: {message}", param="options.deliver")
        if options.deliver == "group" and whole:
            raise InvalidRequest(
                f"options.deliver: the recipe {plan.name} scores all samples together: ask for job",
                param="options.deliver",
            )
        deliver = options.deliver or ("job" if whole else "group" if compares else "sample")
        due_s = read_deadline(options)
        given = {name: getattr(options, name) for name in Options.__struct_fields__ if name not in _OURS}
        return Head(
            plan.name,
            plan.version,
            dict(plan.source) or None,
            Options(**given),
            scope.run,
            whole,
            compares or deliver == "group",
            bool(scope.run) and options.queue is not False,
            deliver == "job",
            fails,
            options.explain is not False,
            time.time(),
            None if due_s is None else time.time() + due_s,
            options.callback,
            caller.name if caller is not None else "",
            options.chat_format or submission.chat_format,
            plan.group.answer if plan.grouped else None,
            whole and plan.scores_ahead and submission.batch.size > LARGEST,
            scope.step,
            scope.keeps_samples,
            None
            if canary is None
            else PinnedCanary(canary.plan.name, canary.plan.version, dict(canary.plan.source), canary.weight),
        )

    async def read(self, scope: RequestScope, job: str, after: str = "", wait_s: float = 0.0) -> dict[str, Any]:
        """A job and what is new of it since a cursor, as soon as anything is.

        Raises:
            NotFound: the caller has no such job.
        """
        store = self.store
        until = asyncio.get_running_loop().time() + min(wait_s, LONGEST_WAIT_S)
        with store.wakes.watch(job_topic(scope.caller, job)) as news:
            while True:
                news.clear()
                view = await self._find(store, scope, job, after)
                left_s = until - asyncio.get_running_loop().time()
                if view.deliveries or view.status in FINAL or left_s <= 0:
                    if view.deliveries:
                        await store.sync()  # what was received must not be scored again
                    return _describe(job, view)
                await _wait(news, min(left_s, RECHECK_S))

    async def collect(self, scope: RequestScope, job: str) -> FinishedJob | None:
        """All of a job that has come to its end; None while it has not.

        Raises:
            NotFound: the caller has no such job.
        """
        rows: list[dict[str, Any]] = []
        after = ""
        while True:
            view = await self._find(self.store, scope, job, after)
            if view.status not in FINAL:
                return None
            if not view.deliveries:
                break
            rows += [row for delivery in view.deliveries for row in orjson.loads(delivery)]
            after = view.cursor
        rows.sort(key=lambda row: int(row["index"]))
        error = None if view.error is None else orjson.loads(view.error)
        return FinishedJob(view.status, decode_head(view.head).recipe, rows, error, view.seconds)

    async def follow(self, scope: RequestScope, job: str, after: str = "") -> AsyncIterator[dict[str, Any]]:
        """Every page of a job until its end; one without results every :data:`LONGEST_WAIT_S` seconds at least.

        Raises:
            NotFound: the caller has no such job.
        """
        while True:
            page = await self.read(scope, job, after, LONGEST_WAIT_S / 4)
            yield page
            if page["status"] in FINAL and not page["results"]:
                return
            after = page["cursor"]

    async def cancel(self, scope: RequestScope, job: str) -> dict[str, Any]:
        """Cancel a job: what is not scored answers ``cancelled``.

        Raises:
            NotFound: the caller has no such job.
            Conflict: it goes on being divided; try again.
        """
        store = self.store
        view = await self._find(store, scope, job, "")
        head = decode_head(view.head)
        for _ in range(10):  # a piece may be halved meanwhile
            answers: dict[str, Delivery] = {}
            for name, data in (await store.open_pieces(scope.caller, job)).items():
                if name == COMBINED:
                    continue  # it has no samples of its own
                piece = decode_piece(data)
                samples = read_samples(piece)
                rows = make_failed_rows(samples, CANCELLED)
                told = tell_rows(head, job, piece, rows, samples, [sample.group for sample in samples])
                answers[name] = deliver(told)
            if await store.cancel(scope.caller, job, answers):
                return _describe(job, await self._find(store, scope, job, ""))
        raise Conflict("the job could not be cancelled; try again")

    async def _find(self, store: JobStore, scope: RequestScope, job: str, after: str) -> JobView:
        view = await store.read(scope.caller, job, after, PAGE)
        if view is None:
            raise NotFound("there is no such job; it may have expired", param="job")
        return replace(view, status="running") if view.more and view.status in FINAL else view  # its end comes last

    async def take_results(
        self, scope: RequestScope, run: str, consumer: str, most: int, visibility_s: float, wait_s: float
    ) -> list[QueuedResults]:
        """Results of a run's queue, as soon as there are any."""
        store = self.store
        until = asyncio.get_running_loop().time() + min(wait_s, LONGEST_WAIT_S)
        with store.wakes.watch(queue_topic(scope.caller, run)) as news:
            while True:
                news.clear()
                found = await store.take_results(scope.caller, run, consumer, most, visibility_s)
                left_s = until - asyncio.get_running_loop().time()
                if found or left_s <= 0:
                    break
                await _wait(news, min(left_s, RECHECK_S))
        if found:
            await store.sync()  # likewise
        return found

    async def acknowledge(self, scope: RequestScope, run: str, receipts: list[str]) -> dict[str, Any]:
        """Remove results from a run's queue."""
        if len(receipts) > MOST_RECEIPTS:
            raise TooLarge(f"{len(receipts)} receipts are over the limit of {MOST_RECEIPTS}", param="receipts")
        for place, receipt in enumerate(receipts):
            if not is_place(receipt):
                raise InvalidRequest(f"receipts[{place}]: this is no receipt of a result", param=f"receipts[{place}]")
        return {"removed": await self.store.acknowledge(scope.caller, run, receipts) if receipts else 0}

    async def empty(self, scope: RequestScope, run: str) -> dict[str, Any]:
        """Remove all results from a run's queue."""
        return {"removed": await self.store.empty(scope.caller, run)}


MOST_RECEIPTS = 4096


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        pass


def _describe(job: str, view: JobView) -> dict[str, Any]:
    head = decode_head(view.head)
    canary = head.canary
    results = b",".join(delivery[1:-1] for delivery in view.deliveries)
    body: dict[str, Any] = {
        "job": job,
        "status": view.status,
        "reward": head.recipe,
        "recipe_version": head.version if canary is None or canary.weight < 1 else canary.version,
        **({} if head.answer is None else {"answer": head.answer}),
        "samples": view.samples,
        "completed": view.completed,
        "results": orjson.Fragment(b"[%b]" % results) if results else [],
        "cursor": view.cursor,
    }
    if view.status in FINAL:
        body["usage"] = view.usage
        if view.groups:
            body["groups"] = {name: of for part in view.groups for name, of in orjson.loads(part).items()}
        body["error"] = None if view.error is None else orjson.Fragment(view.error)
    return body
