"""The runtime that operations may ask: models behind the cache, named state, judges. One place answers every effect."""

import asyncio
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, TypeVar

from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.math.checker import MathChecker
from reward_gateway.backends.port import ModelInfo, ModelServer
from reward_gateway.backends.sandbox.sandbox import Sandbox
from reward_gateway.errors import GatewayError, NotFound, StateUnavailable
from reward_gateway.operations import effects
from reward_gateway.sample import Batch, Invalid, RawScores, Usage
from reward_gateway.scoring.cached_scorer import CachedScorer, CacheMode
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.scoring.vector_scorer import VectorScorer
from reward_gateway.state.cohorts import Cohorts, LocalCohorts
from reward_gateway.state.store import StateStore

Answer = TypeVar("Answer")


@dataclass(slots=True)
class RequestContext:
    """On whose behalf the runtime is asked.

    Attributes:
        deadline: a time of the running loop's clock; None: as long as it takes.
        cache: whether what is remembered may answer, and whether answers are remembered.
        usage, timing: what the answers cost is added here.
        scope: whose state is read and written.
    """

    deadline: float | None = None
    cache: CacheMode = "use"
    usage: Usage = field(default_factory=Usage)
    timing: dict[str, float] = field(default_factory=dict)
    scope: RequestScope = NO_SCOPE


MEDIA = ("images", "frames")


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
        known_models: input fields of the models that are known to be served, or None if they are not known.
        judges: language models that judge; None where none is configured.
        sandbox: where callers' code runs; None: nowhere.
        media: checks images, and fetches those that are named by address; None: nobody does.
    """

    def __init__(
        self,
        raw: CachedScorer,
        state: StateStore | None = None,
        cohorts: Cohorts | None = None,
        known_models: Mapping[str, Collection[str]] | None = None,
        judges: Judges | None = None,
        sandbox: Sandbox | None = None,
        media: MediaIntake | None = None,
    ) -> None:
        self.raw = raw
        self.vectors = VectorScorer(raw.models, raw.cache)
        self.judges = judges
        self.sandbox = sandbox
        self.media = media
        self.cohorts = cohorts or LocalCohorts()
        self.math = MathChecker()
        self._state = state
        self._known_models = known_models

    async def refresh_models(self) -> None:
        """Ask the model server what its models read, so that recipes can say what they effect."""
        self._known_models = {
            name: info.inputs
            for info in await self.models.models()
            for name in (info.name, *(f"{info.name}@{version.partition('-')[0]}" for version in info.versions))
        }

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

    def known_models(self) -> Mapping[str, Collection[str]] | None:
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
        if self.media is not None and fields and (batch.images or batch.frames):
            await self.media.fill(batch, fields, deadline)

    def _media_read(self, models: Sequence[str]) -> list[str]:
        """Which of a sample's media these models read; all of them, where a model is not known yet."""
        known = self._known_models or {}
        return [name for name in MEDIA if any(name in known.get(model, MEDIA) for model in models)]

    async def answer(self, effect: effects.Effect, asking: RequestContext) -> Any:
        """Answer one effect; its type says what.

        Raises:
            GatewayError: it cannot be answered.
        """
        deadline = asking.deadline
        match effect:
            case effects.UpdateMoments(stream, batch):
                after = await self.state.moments.merge(stream, batch.count, batch.mean, batch.m2)
                return effects.Moments(*after)
            case effects.LookUpLabels(table, messages, enqueue):
                return await self.state.labels.look_up(table, messages, enqueue)
            case effects.ReadArchive(archive):
                return await self.state.archives.read(archive)
            case effects.AddToArchive(archive, vectors):
                return await self.state.archives.add(archive, vectors)
            case effects.ReadReferences(name, groups):
                return await self.state.references.read(name, groups)
            case effects.ReadSet(kind, name):
                return await self.state.sets.read(kind, name)
            case effects.JoinCohorts(names, payloads, size, timeout_s):
                timeout_s = timeout_s if deadline is None else min(timeout_s, _left(deadline))
                joins = (
                    self.cohorts.join(n, p, size, timeout_s) for n, p in zip(names, payloads.tolist(), strict=True)
                )
                return [(cohort.members, cohort.place) for cohort in await asyncio.gather(*joins)]
            case effects.ScoreWithModel(model, batch):
                own = Usage()  # hits and misses are counted by component, and this is a part of one
                answers = await self.raw_scores((model,), batch, asking.cache, deadline, own, asking.timing)
                asking.usage.model_calls += own.model_calls
                return answers[model][0]
            case effects.ScoreSteps(model, batch):
                with _timed(asking.timing):
                    return await self.vectors.steps(model, batch, deadline, asking.cache, asking.usage)
            case effects.TokenLogprobs(contexts, continuations, model):
                texts = contexts, continuations
                with _timed(asking.timing):
                    return await self.vectors.logprobs(model, *texts, deadline, asking.cache, asking.usage)
            case effects.RunInThread(work):
                return await asyncio.to_thread(work)
            case effects.CompareMath(pairs):
                return await self.math.compare(pairs, deadline)
            case effects.AskJudge(judge, conversations, temperature):
                if self.judges is None:
                    raise NotFound("there are no judges; a file of them is named by REWARD_GATEWAY_JUDGES_FILE")
                return await self.judges.ask(judge, conversations, temperature, deadline)
            case effects.RunSandboxed(language, programs, inputs, timeout_s):
                if self.sandbox is None:
                    return [NO_SANDBOX] * len(programs)
                values = await self._databases(inputs) if language == "sql" else inputs
                return await self.sandbox.run(language, programs, values, timeout_s, deadline)
            case _:
                raise StateUnavailable(f"this gateway is not set up to answer {type(effect).__name__}")

    async def _databases(self, given: Sequence[Any]) -> list[Any]:
        """Stored databases (sets of kind ``databases``) in the place of their names; those given whole stay."""
        found: dict[str, Any] = {}
        for name in dict.fromkeys(db for db in given if isinstance(db, str)):
            try:
                found[name] = await self.state.sets.read("databases", name.removeprefix("sqlite:"))
            except NotFound:
                found[name] = None  # which the sandbox says of it: it cannot be built
        return [found[db] if isinstance(db, str) else db for db in given]

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


NO_SANDBOX = Invalid(
    "operation_error",
    "this gateway does not run callers' code; its operator may allow it (REWARD_GATEWAY_ALLOW_UNTRUSTED_CODE)",
)

COHORT_MARGIN_S = 0.5
"""What a cohort leaves of a request's deadline for the answer."""


@contextmanager
def _timed(timing: dict[str, float]) -> Iterator[None]:
    """Count the time of the body, in ms, as inference."""
    started = perf_counter()
    yield
    timing["inference"] = timing.get("inference", 0.0) + (perf_counter() - started) * 1e3


def _left(deadline: float) -> float:
    return max(0.05, deadline - asyncio.get_running_loop().time() - COHORT_MARGIN_S)


async def run_effects(
    steps: Generator[effects.Effect, Any, Answer], runtime: EffectsRuntime, asking: RequestContext
) -> Answer:
    """Run a generator of needs to its end, answering each; a failed answer is raised at its ``yield``."""
    try:
        effect = next(steps)
        while True:
            try:
                answer = await runtime.answer(effect, asking)
            except GatewayError as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(answer)
    except StopIteration as stop:
        result: Answer = stop.value
        return result
