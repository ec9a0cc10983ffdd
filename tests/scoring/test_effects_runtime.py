"""The runtime answers each effect from the part that it asks, and a failed answer arises where it was performed."""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from reward_gateway.cache.null import NullCache
from reward_gateway.errors import NotFound, StateUnavailable
from reward_gateway.operations import effects
from reward_gateway.operations.effects import Effectful, perform
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Batch, Invalid, Media
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime, run_effects
from reward_gateway.scoring.fetched_media import FetchedMedia
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.state.cohorts import Cohort
from reward_gateway.state.namespace import NO_NAMESPACE, Namespace

from tests.scoring.conftest import FailingModels, batch_of

pytestmark = pytest.mark.anyio


def runtime_of(**parts: Any) -> EffectsRuntime:
    return EffectsRuntime(CachedScorer(FailingModels(), NullCache()), **parts)


class Intake:
    """Notes which fields it is asked to fill."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.batches: list[Batch] = []
        self.closed = 0

    async def fill(self, batch: Batch, fields: Collection[str], deadline: float | None, fetched: FetchedMedia) -> None:
        self.asked.append(sorted(fields))
        self.batches.append(batch)

    async def close(self) -> None:
        self.closed += 1


class Meetings:
    """Cohorts that close at once; notes how long each was to stay open."""

    def __init__(self) -> None:
        self.timeouts: list[float] = []
        self.joined: list[tuple[str, list[float], int]] = []

    async def join(
        self,
        name: str,
        payload: list[float],
        size: int,
        timeout_s: float,
        member: str | None = None,
        space: Namespace = NO_NAMESPACE,
    ) -> Cohort:
        self.timeouts.append(timeout_s)
        self.joined.append((name, payload, size))
        return Cohort(np.array([payload]), 0)

    async def close(self) -> None: ...


def illustrated(**columns: Any) -> Batch:
    return Batch(["0"], ["p"], ["r"], **columns)


PICTURE = [[Media(url="https://example.org/a.png")]]


@pytest.mark.parametrize(
    ("known", "models", "fields"),
    [
        (None, ("model",), ["frames", "images"]),
        ({"model": KnownModel(("prompt", "images"))}, ("model",), ["images"]),
        ({"model": KnownModel(("prompt", "frames"))}, ("model",), ["frames"]),
        ({"model": KnownModel(("prompt", "images"))}, ("model", "other"), ["frames", "images"]),
        ({"model": KnownModel(())}, ("model",), ["frames", "images"]),
        ({"model": KnownModel(("prompt", "response"))}, ("model",), []),
    ],
)
async def test_only_media_that_a_model_reads_are_fetched(
    known: dict[str, KnownModel] | None, models: Sequence[str], fields: list[str]
) -> None:
    runtime = runtime_of(known_models=known, media=Intake())
    assert sorted(runtime._find_media_read(models)) == fields


async def test_media_are_fetched_where_a_sample_has_some_in_a_field_that_is_read() -> None:
    intake = Intake()
    runtime = runtime_of(media=intake)
    batch, context = illustrated(images=PICTURE), RequestContext()
    await runtime.fetch_media(batch, ["images", "frames"], context)
    await runtime.fetch_media(illustrated(images=PICTURE), ["frames"], context)
    await runtime.fetch_media(illustrated(), ["images"], context)
    assert intake.asked == [["frames", "images"]]
    assert [filled is batch for filled in intake.batches] == [True]
    await runtime_of().fetch_media(illustrated(images=PICTURE), ["images"], context)  # nobody fetches


async def test_a_failed_answer_is_raised_where_the_effect_was_performed_and_may_be_mended() -> None:
    def steps() -> Effectful[list[Any]]:
        said: list[Any] = []
        for _ in range(2):
            try:
                yield from perform(effects.ReadSet("sets", "name"))
            except StateUnavailable as error:
                said.append(error.message)
        said.append((yield from perform(effects.RunInWorker(partial(sum, [3, 4])))))
        return said

    runtime = runtime_of()
    first, second, answer = await run_effects(steps(), runtime, RequestContext())
    await runtime.close()
    assert first == second
    assert "REWARD_GATEWAY_STATE_REDIS_URL" in first
    assert answer == 7


async def test_a_failed_answer_that_nobody_mends_ends_the_computation() -> None:
    def steps() -> Effectful[None]:
        yield from perform(effects.AskJudge("j", [[]]))

    with pytest.raises(NotFound, match="REWARD_GATEWAY_JUDGES_FILE"):
        await run_effects(steps(), runtime_of(), RequestContext())


async def test_a_remote_sandbox_that_is_not_declared_is_not_found_whatever_its_address() -> None:
    for sandbox in ("far", ("http://169.254.169.254", "piston")):
        asked = effects.RunSandboxed("stdio", ["a"], [{}], 1.0, sandbox)
        with pytest.raises(NotFound, match="REWARD_GATEWAY_SANDBOXES_FILE"):
            await runtime_of().answer_effect(asked, RequestContext())


async def test_without_a_sandbox_each_program_has_the_reason() -> None:
    asked = effects.RunSandboxed("python", ["a", "b"], [None, None], 1.0)
    answers = await runtime_of().answer_effect(asked, RequestContext())
    assert [isinstance(answer, Invalid) and answer.code for answer in answers] == ["operation_error"] * 2


@pytest.mark.parametrize(
    ("left_s", "timeout_s", "longest"),
    [(None, 3600.0, 3600.0), (7200.0, 3600.0, 3600.0), (100.0, 3600.0, 99.5), (100.0, 20.0, 20.0), (-5.0, 20.0, 0.05)],
)
async def test_a_cohort_stays_open_no_longer_than_leaves_time_for_the_answer(
    left_s: float | None, timeout_s: float, longest: float
) -> None:
    meetings = Meetings()
    runtime = runtime_of(cohorts=meetings)
    loop = asyncio.get_running_loop()
    before = loop.time()
    deadline = None if left_s is None else before + left_s
    asked = effects.JoinCohorts([0, 1], ["x", "y"], np.array([[1.0], [2.0]]), 3, timeout_s)
    answers = await runtime.answer_effect(asked, RequestContext(deadline=deadline))
    assert [(members.tolist(), place) for members, place in answers] == [([[1.0]], 0), ([[2.0]], 0)]
    assert meetings.joined == [("x", [1.0], 3), ("y", [2.0], 3)]
    passed_s = loop.time() - before
    assert all(longest - passed_s <= timeout <= longest for timeout in meetings.timeouts)
    if left_s != 100.0 or timeout_s == 20.0:
        assert meetings.timeouts == [longest] * 2


async def test_a_model_that_an_operation_asks_adds_its_calls_and_no_hits_of_a_component() -> None:
    context = RequestContext()
    asked = effects.ScoreWithModel("model", batch_of(1.0, 2.0))
    scores = await runtime_of().answer_effect(asked, context)
    assert scores.values[:, 0].tolist() == [1.0, 2.0]
    assert (context.usage.model_calls, context.usage.cache_hits, context.usage.cache_misses) == (1, 0, 0)


async def test_closing_closes_what_it_was_given() -> None:
    intake = Intake()
    await runtime_of(media=intake).close()
    assert intake.closed == 1
