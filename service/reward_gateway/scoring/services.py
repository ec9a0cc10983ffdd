"""What the gateway reaches outside its own arithmetic: models behind the cache, named state, judges, a sandbox."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.math.checker import PROCESSES, MathChecker
from reward_gateway.backends.port import ModelInfo, ModelsAway, ModelServer
from reward_gateway.backends.remote_sandboxes.remote_sandboxes import RemoteSandboxes
from reward_gateway.backends.sandbox.databases import DatabaseFolder
from reward_gateway.backends.sandbox.sandbox import Sandbox
from reward_gateway.backends.time_limits import TimeLimits
from reward_gateway.backends.workers.pool import WorkerPool
from reward_gateway.errors import StateUnavailable
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.operations.requests import load_operations
from reward_gateway.recipes.known_models import KnownModels, PartlyKnown, known_models
from reward_gateway.sample import Batch, RawScores
from reward_gateway.sample.fields import MEDIA
from reward_gateway.state.cohorts import Cohorts, LocalCohorts
from reward_gateway.state.epoch import allow_restart, may_restart
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from .attempts import Attempt, Attempts
from .cached_scorer import CachedScorer
from .fetched_media import FetchedMedia
from .request_context import RequestContext
from .vector_scorer import VectorScorer


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """The changes of one part of a request; see :meth:`ScoringServices.commit` for the attributes.

    ``may_restart``: the part may use a store that has lost its state.
    """

    writes: StateWrites
    attempt: Attempt | None = None
    answer: bytes = b""
    complete: bool = True
    may_restart: bool = field(default_factory=may_restart)


class MediaIntake(Protocol):
    """Checks images before a model reads them, and fetches those that samples give by URL."""

    async def fill(self, batch: Batch, fields: Collection[str], deadline: float | None, fetched: FetchedMedia) -> None:
        """Put checked bytes into these fields; a sample with an unusable image becomes invalid.

        Args:
            fetched: what the request has fetched before.
        """

    async def close(self) -> None: ...


class ScoringServices:
    """Models, state, judges and sandbox, with the lifetime of the gateway.

    Args:
        raw: models behind the cache.
        state: named state; None: no store.
        cohorts: cohorts of samples across requests; None: of this process only.
        known_models: the models that recipes may name; None while not known.
        repository: returns the models on disk, for those that the server has not loaded; called at each refresh.
        judges: language models as judges; None: none configured.
        sandbox: runs callers' code; None: not allowed.
        remote_sandboxes: sandboxes elsewhere that recipes may name; None: none declared.
        databases: the operator's databases for queries; None: none.
        media: checks images and fetches those given by URL; None: neither is done.
        idempotency_ttl_s: seconds that the answer to an idempotency key is kept.
        workers: processes for what may take long; None: a pool of the usual size.
        math_processes: processes that compare mathematical answers; None: one per core, at least 2.
        observer: told of work that these, or those of the mathematics, do not finish.
    """

    def __init__(
        self,
        raw: CachedScorer,
        state: StateStore | None = None,
        cohorts: Cohorts | None = None,
        known_models: KnownModels | None = None,
        judges: Judges | None = None,
        sandbox: Sandbox | None = None,
        media: MediaIntake | None = None,
        repository: Callable[[], Iterable[ModelInfo]] = tuple,
        idempotency_ttl_s: float = 900.0,
        workers: WorkerPool | None = None,
        math_processes: int | None = None,
        observer: Observer = UNOBSERVED,
        databases: DatabaseFolder | None = None,
        remote_sandboxes: RemoteSandboxes | None = None,
    ) -> None:
        self.raw = raw
        self.vectors = VectorScorer(raw.models, raw.cache)
        self.judges = judges
        self.sandbox = sandbox
        self.remote_sandboxes = remote_sandboxes or RemoteSandboxes(())
        self.time_limits = TimeLimits()
        self.databases = databases or DatabaseFolder()
        self.media = media
        self.cohorts = cohorts or LocalCohorts()
        self.math = MathChecker(math_processes or PROCESSES, observer=observer)
        self.workers = workers or WorkerPool(load_operations, observer=observer)
        self.attempts = Attempts(lambda: self.state.attempts, idempotency_ttl_s)
        self._state = state
        self._known_models = known_models
        self._repository = repository
        self.seen_models: set[str] = set()
        """Models that a server has had ready: one that is gone is broken, and not one that nobody has set up."""

    async def refresh_models(self) -> None:
        """Fetch the models' inputs from the model server, so that recipes can report which inputs they need.

        Raises ModelUnavailable; what is known of models by then is known.
        """
        try:
            infos = await self.models.models()
        except ModelsAway as away:
            if away.known:
                found = known_models(away.known, self._repository())
                self._known_models = PartlyKnown({**(self._known_models or {}), **found})
            raise
        self._known_models = known_models(infos, self._repository())

    @property
    def models(self) -> ModelServer:
        return self.raw.models

    @property
    def judge_fallbacks(self) -> dict[str, str]:
        """The fallback of each judge that has one."""
        return self.judges.with_fallback if self.judges is not None else {}

    @property
    def state(self) -> StateStore:
        """Named state.

        Raises:
            StateUnavailable: this gateway runs without a store.
        """
        if self._state is None:
            raise StateUnavailable("this gateway has no store of named state; set REWARD_GATEWAY_STATE_REDIS_URL")
        return self._state

    @property
    def state_fault(self) -> str:
        """Why named state cannot be used now, as far as is known; empty if it can."""
        return self._state.known_fault if self._state is not None else ""

    def known_models(self) -> KnownModels | None:
        return self._known_models

    async def fetch_raw_scores(
        self,
        models: Sequence[str],
        batch: Batch,
        context: RequestContext,
        *,
        fallbacks: bool = False,
    ) -> dict[str, tuple[RawScores, ModelInfo | None]]:
        """Raw scores of a batch under several models; images that they read are fetched before.

        Args:
            fallbacks: where a model is away, its fallback scores the whole batch.
        """
        if batch.has_media:
            await self.fetch_media(batch, self._find_media_read(models), context)
        return await self.raw.fetch_scores(models, batch, context, fallbacks=fallbacks)

    async def fetch_media(self, batch: Batch, fields: Collection[str], context: RequestContext) -> None:
        """Fetch the images of these fields that a batch gives by URL."""
        if self.media is not None and any(batch.column(field) for field in fields):
            await self.media.fill(batch, fields, context.deadline, context.fetched)

    def _find_media_read(self, models: Sequence[str]) -> list[str]:
        """The media fields that these models read; all fields if a model is not known yet."""
        known = self._known_models or {}
        inputs_by_model = [known[model].inputs if model in known and known[model].inputs else MEDIA for model in models]
        return [name for name in MEDIA if any(name in inputs for inputs in inputs_by_model)]

    async def commit(
        self, writes: StateWrites, attempt: Attempt | None = None, answer: bytes = b"", *, complete: bool = True
    ) -> None:
        """Write a request's changes to named state; called last, when nothing else can fail the request.

        Args:
            attempt: of a request with an idempotency key; ``answer`` is recorded with the changes.
            complete: ``answer`` answers a repeat completely.

        Raises:
            InvalidRequest: an archive holds vectors of another size.
            VersionTaken: a set's version is no longer the next one.
            LeaseLost: another process has taken over the request.
            StateUnavailable: the store cannot be reached.
        """
        if attempt is not None or writes:
            await self.commit_together([PendingCommit(writes, attempt, answer, complete)])

    async def commit_together(self, commits: Sequence[PendingCommit]) -> None:
        """Write the changes of several parts of a request: all of them, or nothing. Raises as :meth:`commit`."""
        writes = commits[0].writes
        for other in commits[1:]:
            writes.merge(other.writes)
        keyed = [(part.attempt, part.answer, part.complete) for part in commits if part.attempt is not None]
        if keyed or writes:
            records = [attempt.make_record(answer, complete=complete) for attempt, answer, complete in keyed]
            # One that may not has read nothing of such a store, or it would have failed by now.
            with allow_restart() if any(part.may_restart for part in commits) else nullcontext():
                await self.state.commit(writes, *records)
        for attempt, _, _ in keyed:
            attempt.committed = True

    async def close(self) -> None:
        if self.judges is not None:
            await self.judges.close()
        if self.sandbox is not None:
            await self.sandbox.close()
        await self.remote_sandboxes.close()
        if self.media is not None:
            await self.media.close()
        await self.math.close()
        await self.workers.close()
        await self.cohorts.close()
        await self.raw.close()
        if self._state is not None:
            await self._state.close()
