"""What the gateway reaches outside its own arithmetic: models behind the cache, named state, judges, a sandbox."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.math.checker import MathChecker
from reward_gateway.backends.port import ModelInfo, ModelServer
from reward_gateway.backends.sandbox.sandbox import Sandbox
from reward_gateway.errors import StateUnavailable
from reward_gateway.recipes.known_models import KnownModels, known_models
from reward_gateway.sample import Batch, RawScores
from reward_gateway.sample.fields import MEDIA
from reward_gateway.state.cohorts import Cohorts, LocalCohorts
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from .attempts import Attempt, Attempts
from .cached_scorer import CachedScorer
from .request_context import RequestContext
from .vector_scorer import VectorScorer


class MediaIntake(Protocol):
    """Who checks images before a model sees them, and gets those that samples name by an address."""

    async def fill(self, batch: Batch, fields: Collection[str], deadline: float | None) -> None:
        """Leave checked bytes in these fields; a sample with an image that cannot be used becomes invalid."""

    async def close(self) -> None: ...


class ScoringServices:
    """Models, state, judges and sandbox, with the lifetime of the gateway.

    Args:
        raw: models behind the cache.
        state: named state; None where there is no store.
        cohorts: where samples of one prompt meet across requests; None: in this process.
        known_models: the models that recipes may name, or None while they are not known.
        repository: the models on disk, which tell what the server has not loaded; read at each refresh.
        judges: language models that judge; None where none is configured.
        sandbox: where callers' code runs; None: nowhere.
        media: checks images, and fetches those that are named by address; None: nobody does.
        idempotency_ttl_s: how long the answer to an idempotency key is remembered.
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
    ) -> None:
        self.raw = raw
        self.vectors = VectorScorer(raw.models, raw.cache)
        self.judges = judges
        self.sandbox = sandbox
        self.media = media
        self.cohorts = cohorts or LocalCohorts()
        self.math = MathChecker()
        self.attempts = Attempts(lambda: self.state.attempts, idempotency_ttl_s)
        self._state = state
        self._known_models = known_models
        self._repository = repository

    async def refresh_models(self) -> None:
        """Ask the model server what its models read, so that recipes can report which inputs they need."""
        self._known_models = known_models(await self.models.models(), self._repository())

    @property
    def models(self) -> ModelServer:
        return self.raw.models

    @property
    def state(self) -> StateStore:
        """Named state.

        Raises:
            StateUnavailable: this gateway runs without a store.
        """
        if self._state is None:
            raise StateUnavailable("this gateway has no store of named state; set REWARD_GATEWAY_STATE_REDIS_URL")
        return self._state

    def known_models(self) -> KnownModels | None:
        return self._known_models

    async def fetch_raw_scores(
        self,
        models: Sequence[str],
        batch: Batch,
        context: RequestContext,
    ) -> dict[str, tuple[RawScores, ModelInfo | None]]:
        """Raw scores of a batch under several models; images that they read are fetched before."""
        await self.fetch_media(batch, self._find_media_read(models), context.deadline)
        return await self.raw.fetch_scores(models, batch, context)

    async def fetch_media(self, batch: Batch, fields: Collection[str], deadline: float | None) -> None:
        """Fetch the images of these fields that a batch names by address."""
        if self.media is not None and any(batch.column(field) for field in fields):
            await self.media.fill(batch, fields, deadline)

    def _find_media_read(self, models: Sequence[str]) -> list[str]:
        """Which of a sample's media these models read; all of them, where a model is not known yet."""
        known = self._known_models or {}
        inputs_by_model = [known[model].inputs if model in known and known[model].inputs else MEDIA for model in models]
        return [name for name in MEDIA if any(name in inputs for inputs in inputs_by_model)]

    async def commit(
        self, writes: StateWrites, attempt: Attempt | None = None, answer: bytes = b"", *, complete: bool = True
    ) -> None:
        """Write what a request changes in named state; last of all, when nothing can fail it any more.

        Args:
            attempt: of a request with an idempotency key: ``answer`` is recorded with the changes.
            complete: a repeat is answered by ``answer`` alone.

        Raises:
            InvalidRequest: an archive holds vectors of another size.
            VersionTaken: a set's version is no longer the next one.
            LeaseLost: another process has taken the request over.
            StateUnavailable: the store cannot be reached.
        """
        if attempt is not None:
            await self.state.commit(writes, attempt.make_record(answer, complete=complete))
            attempt.committed = True
        elif writes:
            await self.state.commit(writes)

    async def close(self) -> None:
        if self.judges is not None:
            await self.judges.close()
        if self.sandbox is not None:
            await self.sandbox.close()
        if self.media is not None:
            await self.media.close()
        await self.math.close()
        await self.cohorts.close()
        await self.raw.close()
        if self._state is not None:
            await self._state.close()
