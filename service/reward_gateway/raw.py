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


class RawScorer:
    """Models behind a cache of their raw scores."""

    def __init__(self, models: ModelServer, cache: ScoreCache) -> None:
        self.models = models
        self._cache = cache
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
        infos = [await self._info(model) for model in models]
        jobs = [_Job(info, batch, rows) for info in infos if isinstance(info, ModelInfo)]
        started = perf_counter()
        if mode != "off":
            digests = SampleDigests(batch)
            for job in jobs:
                job.keys = digests.keys(job.info, rows)
            if mode == "use":
                await self._recall(jobs)
        recalled = perf_counter()
        await asyncio.gather(*(self._complete(job, deadline, usage) for job in jobs if len(job.missing())))
        timing["cache"] = timing.get("cache", 0.0) + (recalled - started) * 1e3
        timing["inference"] = timing.get("inference", 0.0) + (perf_counter() - recalled) * 1e3
        for job in jobs:
            hits = int(np.count_nonzero(job.cached))
            usage.cache_hits += hits
            usage.cache_misses += len(rows) - hits if mode != "off" else 0
        done = iter(jobs)
        return {
            model: (next(done).scores(), info)
            if isinstance(info, ModelInfo)
            else (_away(model, info, batch, rows), None)
            for model, info in zip(models, infos, strict=True)
        }

    async def _info(self, model: str) -> ModelInfo | Invalid:
        try:
            return await self.models.info(model)
        except (NotFound, Unavailable) as error:
            return Invalid("model_unavailable", error.message)

    async def _recall(self, jobs: Sequence["_Job"]) -> None:
        """One lookup for all models together."""
        entries = await self._cache.get_many([key for job in jobs for key in job.keys or ()])
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
            if keys is not None:
                pairs = zip(places, results, strict=True)
                self._cache.put_later([(keys[p], result) for p, result in pairs if isinstance(result, Entry)])
            return results

        keys = [job.keys[k] for k in missing] if job.keys is not None else None
        if keys is None:
            results = await ask(list(range(len(missing))))
        else:
            results = await self._flight.compute(keys, ask, deadline)
        job.take(missing, results)

    async def close(self) -> None:
        await self.models.close()
        await self._cache.close()


class _Job:
    """One model over the rows of a batch that are valid; places count those rows.

    Attributes:
        values: [places, K], NaN where nothing is known yet.
        found, cached: [places] bool: a score is known; it was remembered.
    """

    def __init__(self, info: ModelInfo, batch: Batch, rows: list[int]) -> None:
        self.info, self.batch, self.rows = info, batch, rows
        self.keys: list[bytes] | None = None
        self.values = np.full((len(rows), max(1, len(info.dimensions))), np.nan)
        self.found = np.zeros(len(rows), dtype=bool)
        self.cached = np.zeros(len(rows), dtype=bool)
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
        names = self.info.flags
        for place, result in zip(places, results, strict=True):
            if result is None:
                continue
            if isinstance(result, Invalid):
                self.invalid[self.rows[place]] = result
            elif result.flags:
                bits = result.flags
                self.flags[self.rows[place]] = tuple(name for b, name in enumerate(names) if bits >> b & 1)

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
    bits = {name: 1 << b for b, name in enumerate(info.flags)}
    masks = [0] * len(answer.values)
    for row, names in answer.flags.items():
        masks[row] = sum(bits.get(name, 0) for name in names)
    results: list[Result] = list(pack(answer.values, masks))
    for row, reason in answer.invalid.items():
        results[row] = reason
    return results


def _away(model: str, reason: Invalid, batch: Batch, rows: Sequence[int]) -> RawScores:
    values = np.full((batch.size, 1), np.nan)
    return RawScores(values, model, "", np.zeros(batch.size, dtype=bool), dict.fromkeys(rows, reason))
