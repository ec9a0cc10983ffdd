"""Raw scores of a batch: remembered, being computed, or asked of the models, in that order.

One pass of keys over the batch, one lookup for all models together, and then each model once, all of
them at the same time. Equal samples are asked once, within the request and across the requests in flight.
"""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Literal

import numpy as np

from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelServer
from reward_gateway.cache.entries import pack, unpack
from reward_gateway.cache.keys import SampleDigests
from reward_gateway.cache.port import Entry, ScoreCache
from reward_gateway.cache.single_flight import Result, SingleFlight
from reward_gateway.errors import NotFound, Unavailable
from reward_gateway.sample import Batch, Invalid, RawScores, Usage

CacheMode = Literal["use", "refresh", "off"]
Answered = tuple[RawScores, ModelInfo | None]

FAR_S = 3600.0
"""Deadline of a caller who set none, from now."""

REPLACED = Invalid("model_unavailable", "the model was replaced while it was asked; try again")
WRONG_WIDTH = Invalid("model_error", "the model gave another number of scores than it says")

ATTEMPTS = 3
"""Times a batch is put to a model that is replaced while it answers: a batch never mixes two versions."""


class CachedScorer:
    """Models behind a cache of their raw scores."""

    def __init__(self, models: ModelServer, cache: ScoreCache) -> None:
        self.models = models
        self.cache = cache
        self._flight = SingleFlight()

    async def scores(
        self,
        models: Sequence[str],
        batch: Batch,
        mode: CacheMode,
        deadline: float | None,
        usage: Usage,
        timing: dict[str, float],
    ) -> dict[str, Answered]:
        """Raw scores of a batch's valid rows under each model.

        A model that is away gives reasons, not an exception. ``usage`` and ``timing`` (``cache`` and
        ``inference``, in ms) are added to.
        """
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + FAR_S
        rows = [i for i in range(batch.size) if i not in batch.invalid] if batch.invalid else list(range(batch.size))
        answers: dict[str, Answered] = {}
        waiting = list(dict.fromkeys(models))
        for attempt in range(ATTEMPTS):
            if not waiting:
                break
            jobs = []
            for model in waiting:
                info = await self._info(model)
                if isinstance(info, ModelInfo):
                    jobs.append(_Job(info, batch, rows))
                else:
                    answers[model] = _away(model, info, batch, rows), None
            # A model that was replaced a moment ago has next to nothing in the cache: it is asked at once.
            await self._answer(jobs, batch, mode, deadline, usage, timing, look_up=attempt == 0)
            answers.update((job.info.name, (job.scores(), job.info)) for job in jobs if not job.replaced)
            waiting = [job.info.name for job in jobs if job.replaced]
        answers.update((model, (_away(model, REPLACED, batch, rows), None)) for model in waiting)
        return answers

    async def _answer(
        self,
        jobs: Sequence["_Job"],
        batch: Batch,
        mode: CacheMode,
        deadline: float,
        usage: Usage,
        timing: dict[str, float],
        *,
        look_up: bool,
    ) -> None:
        """Fill the jobs: one pass of keys, one lookup, then every model at the same time."""
        started = perf_counter()
        if mode != "off":
            digests = SampleDigests(batch)
            for job in jobs:
                job.keys = digests.keys(job.info, job.rows)
            if mode == "use" and look_up:
                await self._recall(jobs)
        recalled = perf_counter()
        await asyncio.gather(*(self._complete(job, deadline, usage) for job in jobs if len(job.missing())))
        timing["cache"] = timing.get("cache", 0.0) + (recalled - started) * 1e3
        timing["inference"] = timing.get("inference", 0.0) + (perf_counter() - recalled) * 1e3
        for job in (job for job in jobs if not job.replaced):
            hits = int(np.count_nonzero(job.cached))
            usage.cache_hits += hits
            usage.cache_misses += len(job.rows) - hits if mode != "off" else 0

    async def _info(self, model: str) -> ModelInfo | Invalid:
        try:
            return await self.models.info(model)
        except (NotFound, Unavailable) as error:
            return Invalid("model_unavailable", error.message)

    async def _recall(self, jobs: Sequence["_Job"]) -> None:
        """One lookup for all models together; none where there is nothing to look up."""
        keys = [key for job in jobs for key in job.keys or ()]
        if not keys:
            return
        entries = await self.cache.get_many(keys)
        start = 0
        for job in jobs:
            end = start + len(job.rows)
            job.take(np.arange(len(job.rows)), entries[start:end])
            job.cached = job.found.copy()
            start = end

    async def _complete(self, job: "_Job", deadline: float, usage: Usage) -> None:
        """Ask a model for the rows that were not remembered, and remember them once they are known."""
        missing = job.missing()

        async def ask(places: list[int]) -> list[Result]:
            asked = [job.rows[missing[p]] for p in places]
            answer = await self.models.score(job.info.name, job.batch, asked, deadline)
            usage.model_calls += answer.calls
            results = _results(answer, job.info)
            if answer.version != job.info.version and any(isinstance(result, Entry) for result in results):
                job.replaced = True
                return [REPLACED] * len(places)
            if keys is not None:
                pairs = zip(places, results, strict=True)
                self.cache.put_later([(keys[p], result) for p, result in pairs if isinstance(result, Entry)])
            return results

        keys = [job.keys[k] for k in missing] if job.keys is not None else None
        if keys is None:
            results = await ask(list(range(len(missing))))
        else:
            results = await self._flight.compute(keys, ask, deadline)
        job.take(missing, results)
        for k in missing:
            if not job.found[k]:
                job.invalid.setdefault(job.rows[k], WRONG_WIDTH)

    async def close(self) -> None:
        await self.models.close()
        await self.cache.close()


class _Job:
    """One model over the rows of a batch that are valid; places count those rows.

    Attributes:
        values: [places, K], NaN where nothing is known yet.
        found, cached: [places] bool: a score is known; it was remembered.
        replaced: another version answered than the one whose keys and dimensions these are.
    """

    def __init__(self, info: ModelInfo, batch: Batch, rows: list[int]) -> None:
        self.info, self.batch, self.rows = info, batch, rows
        self.keys: list[bytes] | None = None
        self.values = np.full((len(rows), max(1, len(info.dimensions))), np.nan)
        self.found = np.zeros(len(rows), dtype=bool)
        self.cached = np.zeros(len(rows), dtype=bool)
        self.replaced = False
        self.invalid: dict[int, Invalid] = {}
        self.flags: dict[int, tuple[str, ...]] = {}

    def missing(self) -> list[int]:
        """Places whose score is not known yet."""
        return [int(k) for k in np.flatnonzero(~self.found)] if not self.found.all() else []

    def take(self, places: Sequence[int] | np.ndarray, results: Sequence[Result | None]) -> None:
        """Lay results at their places; None is not known."""
        entries = [result if isinstance(result, Entry) else None for result in results]
        values, found = unpack(entries, self.values.shape[1])
        self.values[places] = values
        self.found[places] = found
        for place, result in zip(places, results, strict=True):
            if isinstance(result, Invalid):
                self.invalid[self.rows[place]] = result
            elif result is not None and result.flags:
                self.flags[self.rows[place]] = self.info.flag_names(result.flags)

    def scores(self) -> RawScores:
        """Over the whole batch, NaN in the rows that were invalid before."""
        size = self.batch.size
        if len(self.rows) == size:
            values, cached = self.values, self.cached
        else:
            values, cached = np.full((size, self.values.shape[1]), np.nan), np.zeros(size, dtype=bool)
            values[self.rows], cached[self.rows] = self.values, self.cached
        return RawScores(values, self.info.name, self.info.version, cached, self.invalid, self.flags)


def _results(answer: ModelAnswer, info: ModelInfo) -> list[Result]:
    """A model's answer as entries and reasons."""
    masks = [0] * len(answer.values)
    for row, names in answer.flags.items():
        masks[row] = info.flag_bits(names)
    results: list[Result] = list(pack(answer.values, masks))
    for row, reason in answer.invalid.items():
        results[row] = reason
    return results


def _away(model: str, reason: Invalid, batch: Batch, rows: Sequence[int]) -> RawScores:
    values = np.full((batch.size, 1), np.nan)
    return RawScores(values, model, "", np.zeros(batch.size, dtype=bool), dict.fromkeys(rows, reason))
