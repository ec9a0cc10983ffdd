"""Raw scores of a batch by model, from the cache or from the model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import cast

import numpy as np
import structlog

from reward_gateway.backends.fallbacks import explain_unlike
from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelServer
from reward_gateway.cache.entries import pack_entries, unpack_entries, unpack_found
from reward_gateway.cache.port import Entry, ScoreCache
from reward_gateway.cache.single_flight import Result
from reward_gateway.errors import NotFound, Unavailable
from reward_gateway.sample import Batch, FloatArray, Invalid, RawScores
from reward_gateway.sample.flags import FALLBACK
from reward_gateway.scoring.cached_rows import CachedRows, ModelRows
from reward_gateway.scoring.request_context import RequestContext

log = structlog.get_logger(__name__)

Answered = tuple[RawScores, ModelInfo | None]

_flags_of = attrgetter("flags")

WRONG_WIDTH = Invalid("model_error", "the model returned another number of scores than its configuration declares")


class ScoreFormat:
    """The K numbers of a score: implements :class:`reward_gateway.scoring.cached_rows.RowFormat`."""

    key_params = None

    def can_keep(self, answer: ModelAnswer, info: ModelInfo) -> bool:
        """Whether an answer has K numbers per row; one that has not gives its rows reasons."""
        return bool(answer.values.shape[1] == score_width(info))

    def pack_answer(self, answer: ModelAnswer, info: ModelInfo) -> list[Result]:
        """[m] entries of K float32 numbers with their flags, or reasons."""
        if answer.values.shape[1] != score_width(info):
            return [answer.invalid.get(row, WRONG_WIDTH) for row in range(len(answer.values))]
        masks = [0] * len(answer.values)
        for row, names in answer.flags.items():
            masks[row] = info.flag_bits(names)
        results: list[Result] = list(pack_entries(answer.values, masks))
        for row, reason in answer.invalid.items():
            results[row] = reason
        return results

    def select_readable(self, entries: Sequence[Entry | None], info: ModelInfo) -> Sequence[Entry | None]:
        """[n] entries, None for those with another number of scores than the model's."""
        size = 4 * score_width(info)
        return [entry if entry is not None and len(entry[0]) == size else None for entry in entries]


class CachedScorer:
    """Models behind a cache of their raw scores.

    Args:
        models: the model server.
        cache: earlier scores.
    """

    def __init__(self, models: ModelServer, cache: ScoreCache) -> None:
        self.models = models
        self.cache = cache
        self._rows = CachedRows(models, cache, ScoreFormat())

    async def fetch_scores(
        self,
        models: Sequence[str],
        batch: Batch,
        context: RequestContext,
        *,
        fallbacks: bool = False,
    ) -> dict[str, Answered]:
        """Raw scores of a batch's valid rows by model.

        An unavailable model gives reasons, not an exception. The context's ``usage`` and ``timing`` are
        added to.

        Args:
            fallbacks: where a model is away for a row, its fallback scores all of them.
        """
        answers = await self._rows.fetch_answers(models, self._find_model, batch, context)
        scored: dict[str, Answered] = {}
        for model, answer in answers.items():
            stand_in = None
            if fallbacks and isinstance(answer, ModelRows) and answer.info.fallback and _is_away(answer):
                stand_in = await self._ask_fallbacks(answer, batch, context)
            if stand_in is not None:
                answer = stand_in
            if isinstance(answer, Invalid):
                scored[model] = no_scores(model, answer, batch), None
            else:
                context.usage.cache_hits += answer.hits
                context.usage.cache_misses += len(answer.rows) - answer.hits if context.cache != "off" else 0
                scores = spread_scores(answer)
                scored[model] = scores if stand_in is None else _flag_fallback(scores, answer), answer.info
        return scored

    async def _ask_fallbacks(self, answer: ModelRows, batch: Batch, context: RequestContext) -> ModelRows | None:
        """What the first fallback that is not away says of the whole batch; None: all are, or one cannot stand in."""
        asked = answer
        while _is_away(asked):
            if not (name := asked.info.fallback):
                return None
            following = (await self._rows.fetch_answers((name,), self._find_model, batch, context))[name]
            if isinstance(following, Invalid):
                return None
            if fault := _explain_unlike(answer.info, following.info):
                log.error("fallback_not_used", model=answer.info.name, fallback=name, reason=fault, once_per=name)
                return None
            asked = following
        return asked

    async def _find_model(self, model: str) -> ModelInfo | Invalid:
        try:
            return await self.models.info(model)
        except (NotFound, Unavailable) as error:
            return Invalid("model_unavailable", error.message)

    async def close(self) -> None:
        await self.models.close()
        await self.cache.close()


def _explain_unlike(info: ModelInfo, other: ModelInfo) -> str:
    return explain_unlike(info.inputs, info.dimensions, other.inputs, other.dimensions)


def _is_away(answer: ModelRows) -> bool:
    """Whether a row has no score because the model is away."""
    reasons = answer.answer.invalid.values() if answer.answer is not None else answer.results
    return any(isinstance(reason, Invalid) and reason.code == "model_unavailable" for reason in reasons)


def _flag_fallback(scores: RawScores, answer: ModelRows) -> RawScores:
    flags = {row: (*scores.flags.get(row, ()), FALLBACK) for row in answer.rows if row not in scores.invalid}
    return replace(scores, flags={**scores.flags, **flags}, fallback=True)


def score_width(info: ModelInfo) -> int:
    """K, the number of values in a model's score."""
    return len(info.dimensions) or 1


def spread_scores(answer: ModelRows) -> RawScores:
    """Scores over the whole batch [n, K]: NaN with a reason for failed rows, NaN for rows that were invalid before."""
    info, rows, size = answer.info, answer.rows, answer.batch.size
    values, masks, reasons = _read_results(answer) if answer.answer is None else _read_answer(answer.answer, info)
    flags = {rows[place]: info.flag_names(mask) for place, mask in masks.items()}
    invalid = {rows[place]: answer.batch.locate(rows[place], reason) for place, reason in reasons.items()}
    cached = answer.find_cached()
    if len(rows) < size:
        all_values, all_cached = np.full((size, values.shape[1]), np.nan), np.zeros(size, np.bool_)
        all_values[rows], all_cached[rows] = values, cached
        values, cached = all_values, all_cached
    return RawScores(values, info.name, info.version, cached, invalid, flags)


_Read = tuple[FloatArray, Mapping[int, int], Mapping[int, Invalid]]
"""Numbers [m, K]; place -> bits of its flags, where it has any; place -> reason."""


def _read_results(answer: ModelRows) -> _Read:
    """What the rows' entries and reasons say."""
    results = answer.results
    if answer.hits == len(results):
        found = cast("list[Entry]", results)
        flagged = any(map(_flags_of, found))
        masks = {place: entry.flags for place, entry in enumerate(found) if entry.flags} if flagged else {}
        return unpack_found(found, score_width(answer.info)), masks, {}
    entries = [result if type(result) is Entry else None for result in results]
    masks = {place: entry.flags for place, entry in enumerate(entries) if entry is not None and entry.flags}
    reasons = {place: result or WRONG_WIDTH for place, result in enumerate(results) if not isinstance(result, Entry)}
    return unpack_entries(entries, score_width(answer.info)), masks, reasons


def _read_answer(answer: ModelAnswer, info: ModelInfo) -> _Read:
    """What a model said of all rows: the numbers and flags that an entry would hold."""
    values = answer.values.astype(np.float32).astype(np.float64)
    if answer.invalid:
        values[list(answer.invalid)] = np.nan
    masks = {row: mask for row, names in answer.flags.items() if (mask := info.flag_bits(names))}
    for row in answer.invalid:
        masks.pop(row, None)
    return values, masks, answer.invalid


def no_scores(model: str, reason: Invalid, batch: Batch) -> RawScores:
    """NaN for every row [n, 1], with one reason for the rows that were valid."""
    invalid = dict.fromkeys((row for row in range(batch.size) if row not in batch.invalid), reason)
    return RawScores(np.full((batch.size, 1), np.nan), model, "", np.zeros(batch.size, np.bool_), invalid)
