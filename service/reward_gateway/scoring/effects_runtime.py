"""The runtime that operations may ask: models behind the cache, named state, judges. One place answers every effect."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.math.checker import MathChecker
from reward_gateway.backends.port import ModelInfo, ModelServer
from reward_gateway.backends.sandbox.sandbox import Sandbox
from reward_gateway.errors import GatewayError, StateUnavailable
from reward_gateway.operations.effects import Effect, Effectful
from reward_gateway.recipes.known_models import KnownModels, known_models
from reward_gateway.sample import Batch, RawScores, Usage
from reward_gateway.sample.fields import MEDIA
from reward_gateway.scoring.attempts import Attempt, Attempts
from reward_gateway.scoring.cached_rows import CacheMode
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effect_handlers import HANDLERS
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.scoring.state_view import StateView
from reward_gateway.scoring.vector_scorer import VectorScorer
from reward_gateway.state.cohorts import Cohorts, LocalCohorts
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

Answer = TypeVar("Answer")


@dataclass(slots=True)
class RequestContext:
    """On whose behalf the runtime is asked.

    Attributes:
        deadline: a time of the running loop's clock; None: as long as it takes.
        cache: whether what is remembered may answer, and whether answers are remembered.
        usage, timing: what the answers cost is added here.
        scope: whose state is read and written.
        state: what was read, and what will be written at the end.
    """

    deadline: float | None = None
    cache: CacheMode = "use"
    usage: Usage = field(default_factory=Usage)
    timing: dict[str, float] = field(default_factory=dict)
    scope: RequestScope = NO_SCOPE
    state: StateView = field(default_factory=StateView)


class MediaIntake(Protocol):
    """Who checks images before a model sees them, and gets those that samples name by an address."""

    async def fill(self, batch: Batch, fields: Collection[str], deadline: float | None) -> None:
        """Leave checked bytes in these fields; a sample with an image that cannot be used becomes invalid."""

    async def close(self) -> None: ...


class EffectsRuntime:
    """What the gateway reaches outside its own arithmetic.

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

    async def raw_scores(
        self,
        models: Sequence[str],
        batch: Batch,
        cache: CacheMode,
        deadline: float | None,
        usage: Usage,
        timing: dict[str, float],
    ) -> dict[str, tuple[RawScores, ModelInfo | None]]:
        """Raw scores of a batch under several models at once; images that they read are made ready before."""
        await self.fetch_media(batch, self._media_read(models), deadline)
        return await self.raw.scores(models, batch, cache, deadline, usage, timing)

    async def fetch_media(self, batch: Batch, fields: Collection[str], deadline: float | None) -> None:
        """Fetch the images of these fields that a batch names by address."""
        if self.media is not None and any(batch.column(field) for field in fields):
            await self.media.fill(batch, fields, deadline)

    def _media_read(self, models: Sequence[str]) -> list[str]:
        """Which of a sample's media these models read; all of them, where a model is not known yet."""
        known = self._known_models or {}
        read = [known[model].inputs if model in known and known[model].inputs else MEDIA for model in models]
        return [name for name in MEDIA if any(name in inputs for inputs in read)]

    async def answer(self, effect: Effect[Answer], context: RequestContext) -> Answer:
        """Answer one effect.

        Raises:
            GatewayError: it cannot be answered.
        """
        answer: Answer = await HANDLERS[type(effect)](self, effect, context)
        return answer

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
            await self.state.commit(writes, attempt.record(answer, complete=complete))
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


async def run_effects(steps: Effectful[Answer], runtime: EffectsRuntime, context: RequestContext) -> Answer:
    """Run a computation to its end, answering each effect; a failed answer is raised where it was performed."""
    try:
        effect = next(steps)
        while True:
            try:
                answer = await runtime.answer(effect, context)
            except GatewayError as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(answer)
    except StopIteration as stop:
        result: Answer = stop.value
        return result
