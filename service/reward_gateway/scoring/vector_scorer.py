"""Numbers per token or step of texts, by a hosted model: one vector per row, from the cache or from the model."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelServer
from reward_gateway.cache.port import Entry, ScoreCache
from reward_gateway.cache.single_flight import Result
from reward_gateway.errors import InvalidRequest, ModelNotFound, ModelUnavailable, NotFound
from reward_gateway.operations.effects import Vector
from reward_gateway.sample import Batch, Invalid, split_version
from reward_gateway.scoring.cached_rows import CachedRows, FindModel
from reward_gateway.scoring.request_context import RequestContext

DIMENSION = "logprob"
"""The dimension that marks a language model among the models with a vector per row."""

NO_VECTOR = Invalid("model_error", "the model returned no numbers for the tokens or steps of the text")


class VectorFormat:
    """A vector of any length: implements :class:`reward_gateway.scoring.cached_rows.RowFormat`."""

    key_params: Mapping[str, Any] | None = MappingProxyType({"output": "vector"})

    def can_keep(self, answer: ModelAnswer, info: ModelInfo) -> bool:
        """False: vectors are read row by row."""
        return False

    def pack_answer(self, answer: ModelAnswer, info: ModelInfo) -> list[Result]:
        """[m] entries of float32 numbers with their flags, or reasons."""
        return [
            answer.invalid[row]
            if row in answer.invalid
            else Entry(answer.vectors[row], info.flag_bits(answer.flags.get(row, ())))
            if answer.vectors.get(row)
            else NO_VECTOR
            for row in range(len(answer.values))
        ]

    def select_readable(self, entries: Sequence[Entry | None], info: ModelInfo) -> Sequence[Entry | None]:
        """[n] entries: a vector may have any length."""
        return entries


class VectorScorer:
    """Models with an output ``vector``, behind a cache of their vectors.

    Args:
        models: the model server.
        cache: shared with raw scores; closed by its owner.
    """

    def __init__(self, models: ModelServer, cache: ScoreCache) -> None:
        self._models = models
        self._rows = CachedRows(models, cache, VectorFormat())

    async def fetch_logprobs(
        self,
        model: str,
        contexts: Sequence[str],
        continuations: Sequence[str],
        context: RequestContext,
    ) -> list[Vector | Invalid]:
        """Log-probabilities of the tokens of continuations, each after its context; equal pairs are computed once.

        The context's ``usage.model_calls`` and ``timing`` are added to, as by :meth:`.CachedRows.fetch_answers`.

        Raises:
            ModelUnavailable: the model is not served, or was replaced repeatedly; the message says what to do.
            InvalidRequest: the model is not a language model.
        """
        batch = Batch([""] * len(contexts), list(contexts), list(continuations))
        return await self._fetch_vectors(model, self._find_language_model, batch, context)

    async def fetch_step_scores(
        self,
        model: str,
        batch: Batch,
        context: RequestContext,
    ) -> list[Vector | Invalid]:
        """Numbers per step of a batch's responses, in order; equal samples are computed once.

        The context's ``usage.model_calls`` and ``timing`` are added to, as by :meth:`.CachedRows.fetch_answers`.

        Raises:
            ModelNotFound: there is no such model.
            ModelUnavailable: it is not served, or was replaced repeatedly.
            InvalidRequest: the model is not a process reward model.
        """
        return await self._fetch_vectors(model, self._find_process_model, batch, context)

    async def _fetch_vectors(
        self,
        model: str,
        find_model: FindModel,
        batch: Batch,
        context: RequestContext,
    ) -> list[Vector | Invalid]:
        answers = await self._rows.fetch_answers((model,), find_model, batch, context)
        answer = answers[model]
        if isinstance(answer, Invalid):
            raise ModelUnavailable(answer.message)
        vectors: dict[int, Vector | Invalid] = dict(batch.invalid)
        for row, result in zip(answer.rows, answer.results, strict=True):
            vectors[row] = decode_vector(result or NO_VECTOR, answer.info)
        return [vectors[row] for row in range(batch.size)]

    async def _find_process_model(self, model: str) -> ModelInfo:
        try:
            info = await self._models.info(model)
        except NotFound as error:
            raise ModelNotFound(error.message) from None
        if not info.vector or DIMENSION in info.dimensions:
            raise InvalidRequest(
                f"{model} is not a process reward model: it returns no number per step.", param="model"
            )
        return info

    async def _find_language_model(self, model: str) -> ModelInfo:
        try:
            info = await self._models.info(model)
        except NotFound as error:
            name = split_version(model)[0]
            raise ModelUnavailable(
                f"{error.message.rstrip('.')}. The log-probabilities need a hosted language model: run "
                f"`reward-gateway models build {name}` and start the gateway again, name another model, "
                "or give the log-probabilities yourself."
            ) from None
        if not info.vector or DIMENSION not in info.dimensions:
            raise InvalidRequest(
                f"{model} is not a language model: it returns no log-probabilities of tokens.", param="model"
            )
        return info


def decode_vector(result: Result, info: ModelInfo) -> Vector | Invalid:
    """An entry decoded to numbers; a reason is returned unchanged."""
    if isinstance(result, Invalid):
        return result
    values = np.frombuffer(result.values, "<f4").astype(np.float64)
    return Vector(values, info.flag_names(result.flags), info.version)
