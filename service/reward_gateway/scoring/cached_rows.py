"""Answers of models per row: from the cache, from another request in flight, or from the model.

The keys of a batch are computed once, one lookup covers all models, and then the models are called concurrently, once
each. Equal rows are computed once, within the request and across the requests in flight. A :class:`RowFormat` defines
what a row's answer is: the K numbers of a score, or a vector of any length.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelServer
from reward_gateway.cache.keys import SampleDigests
from reward_gateway.cache.port import Entry, ScoreCache
from reward_gateway.cache.single_flight import Result, SingleFlight
from reward_gateway.sample import Batch, BoolArray, Invalid, Usage
from reward_gateway.scoring.request_context import RequestContext

FindModel = Callable[[str], Awaitable[ModelInfo | Invalid]]
"""Finds a model by its name in the recipe; returns the reason if it cannot be called."""

NO_DEADLINE_S = 3600.0
"""Seconds until the deadline of a request that set none."""

REPLACED = Invalid("model_unavailable", "the model was replaced during the request; try again")

ATTEMPTS = 3
"""Attempts to score a batch with a model that is replaced meanwhile: a batch never mixes two versions."""


class RowFormat(Protocol):
    """How a model's answer for a row is stored as a cache entry.

    Attributes:
        key_params: parameters that distinguish the keys of these entries from those of other formats; None: none.
    """

    @property
    def key_params(self) -> Mapping[str, Any] | None: ...

    def can_keep(self, answer: ModelAnswer, info: ModelInfo) -> bool:
        """Whether an answer for all rows is read as it came, :attr:`ModelRows.answer`, and not row by row."""

    def pack_answer(self, answer: ModelAnswer, info: ModelInfo) -> list[Result]:
        """[m] entries or reasons, in the order of the scored rows."""

    def select_readable(self, entries: Sequence[Entry | None], info: ModelInfo) -> Sequence[Entry | None]:
        """[n] cache entries, None for those that cannot be an answer of this model."""


class ModelRows:
    """One model over the valid rows of a batch.

    Attributes:
        rows: [n] row numbers in the batch; the other attributes follow this order.
        keys: [n] cache keys; None if the cache is not used.
        results: [n] entries or reasons; None where not known yet, and throughout if there is an ``answer``.
        answer: what the model said of all rows at once, where its format keeps that.
        hits: how many answers came from the cache.
        replaced: another version answered than the one in the keys.
    """

    def __init__(self, info: ModelInfo, batch: Batch, rows: Sequence[int]) -> None:
        self.info, self.batch, self.rows = info, batch, rows
        self.keys: list[bytes] | None = None
        self.results: list[Result | None] = [None] * len(rows)
        self.answer: ModelAnswer | None = None
        self.hits = 0
        self.replaced = False
        self._looked_up: Sequence[Entry | None] = ()

    def find_missing_places(self) -> Sequence[int]:
        """Indices into ``rows`` whose answer is not known yet."""
        if self.hits in (0, len(self.rows)):
            return range(len(self.rows) - self.hits)
        return [place for place, result in enumerate(self.results) if result is None]

    def take_cached(self, entries: Sequence[Entry | None]) -> None:
        """Store the entries of a lookup [n]."""
        self.results, self._looked_up = list(entries), entries
        self.hits = len(entries) - self.results.count(None)

    def find_cached(self) -> BoolArray:
        """[n] True for answers from the cache."""
        if 0 < self.hits < len(self.rows):
            return np.array([entry is not None for entry in self._looked_up], np.bool_)
        cached = np.empty(len(self.rows), np.bool_)
        cached.fill(self.hits > 0)
        return cached


class CachedRows:
    """Models behind a cache of their answers.

    Args:
        models: the model server.
        cache: may be shared between formats; closed by its owner.
        row_format: how an answer is stored.
    """

    def __init__(self, models: ModelServer, cache: ScoreCache, row_format: RowFormat) -> None:
        self._models = models
        self._cache = cache
        self._format = row_format
        self._flight = SingleFlight()

    async def fetch_answers(
        self,
        models: Sequence[str],
        find_model: FindModel,
        batch: Batch,
        context: RequestContext,
    ) -> dict[str, ModelRows | Invalid]:
        """Answers of each model for a batch's valid rows: an entry or a reason for every row.

        If a model cannot be called there is one reason for all rows: that of ``find_model``, or that the model was
        replaced again and again. The context's ``usage.model_calls`` and ``timing`` are added to.
        """
        deadline = context.deadline
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + NO_DEADLINE_S
        rows = [i for i in range(batch.size) if i not in batch.invalid] if batch.invalid else range(batch.size)
        answers: dict[str, ModelRows | Invalid] = {}
        waiting = list(dict.fromkeys(models))
        for attempt in range(ATTEMPTS):
            all_rows: list[ModelRows] = []
            for model in waiting:
                info = await find_model(model)
                if isinstance(info, Invalid):
                    answers[model] = info
                else:
                    all_rows.append(ModelRows(info, batch, rows))
            if not all_rows:
                return answers
            started = perf_counter()
            if context.cache != "off":
                self._make_keys(all_rows, batch, context.scope.cache_owner)
            # A model that was just replaced has almost nothing in the cache: no lookup.
            if context.cache == "use" and attempt == 0:
                await self._look_up(all_rows)
            looked_up = perf_counter()
            context.add_time("cache", looked_up - started)
            calls = [
                self._complete_rows(model_rows, missing, deadline, context.usage)
                for model_rows in all_rows
                if (missing := model_rows.find_missing_places())
            ]
            if calls:
                await (calls[0] if len(calls) == 1 else asyncio.gather(*calls))
                context.add_time("inference", perf_counter() - looked_up)
            waiting = []
            for model_rows in all_rows:
                if model_rows.replaced:
                    waiting.append(model_rows.info.name)
                else:
                    answers[model_rows.info.name] = model_rows
            if not waiting:
                return answers
        return answers | dict.fromkeys(waiting, REPLACED)

    def _make_keys(self, all_rows: Sequence[ModelRows], batch: Batch, owner: str) -> None:
        """Compute the keys for all models; fields that several models read are hashed once."""
        digests = SampleDigests(batch, owner)
        for model_rows in all_rows:
            model_rows.keys = digests.make_keys(model_rows.info, model_rows.rows, self._format.key_params)

    async def _look_up(self, all_rows: Sequence[ModelRows]) -> None:
        """Look up the rows of all models at once; nothing is sent without keys."""
        keys = all_rows[0].keys if len(all_rows) == 1 else [key for rows in all_rows for key in rows.keys or ()]
        if not keys:
            return
        entries = await self._cache.get_many(keys)
        start = 0
        for model_rows in all_rows:
            end = start + len(model_rows.rows)
            model_rows.take_cached(self._format.select_readable(entries[start:end], model_rows.info))
            start = end

    async def _complete_rows(
        self, model_rows: ModelRows, missing: Sequence[int], deadline: float, usage: Usage
    ) -> None:
        """Call a model for the rows that were not in the cache, and cache its answers."""
        if model_rows.keys is None:
            results = await self._ask_model(model_rows, missing, deadline, usage)
        else:
            keys = [model_rows.keys[place] for place in missing]

            async def ask_model(places: Sequence[int]) -> Sequence[Result]:
                return await self._ask_model(model_rows, [missing[place] for place in places], deadline, usage)

            results = await self._flight.compute_results(keys, ask_model, deadline)
        if model_rows.answer is None:
            for place, result in zip(missing, results, strict=True):
                model_rows.results[place] = result

    async def _ask_model(
        self, model_rows: ModelRows, places: Sequence[int], deadline: float, usage: Usage
    ) -> Sequence[Result]:
        """Call a model for some rows, and cache its answers.

        Returns:
            [m] entries or reasons; nothing where the rows' answer is kept as it came and none of it is to be cached.
        """
        info, rows, keys = model_rows.info, model_rows.rows, model_rows.keys
        asked = list(rows) if len(places) == len(rows) else [rows[place] for place in places]
        answer = await self._models.score(info.name, model_rows.batch, asked, deadline)
        usage.model_calls += answer.calls
        if answer.version == info.version and len(places) == len(rows) and self._format.can_keep(answer, info):
            model_rows.answer = answer
            if keys is None:
                return ()
        results = self._format.pack_answer(answer, info)
        if answer.version != info.version and any(isinstance(result, Entry) for result in results):
            model_rows.replaced = True
            return [REPLACED] * len(places)
        if keys is not None:
            packed = zip(places, results, strict=True)
            self._cache.put_later([(keys[place], result) for place, result in packed if isinstance(result, Entry)])
        return results
