"""Numbers for the tokens or steps of texts, by a hosted model: remembered, being computed, or asked, in that order.

Like raw scores, except that a row's answer is a vector. Vectors are kept in the same cache under keys of their own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from reward_gateway.backends.port import ModelAnswer, ModelInfo, ModelServer
from reward_gateway.cache.keys import SampleDigests
from reward_gateway.cache.port import Entry, ScoreCache
from reward_gateway.cache.single_flight import Result, SingleFlight
from reward_gateway.errors import InvalidRequest, ModelUnavailable, NotFound
from reward_gateway.operations.effects import Vector
from reward_gateway.sample import Batch, Invalid, Usage, split_version
from reward_gateway.scoring.cached_scorer import ATTEMPTS, FAR_S, REPLACED, CacheMode

PARAMS = {"output": "vector"}
"""What sets the keys of vectors apart from those of scores."""

DIMENSION = "logprob"
"""The dimension by which a language model is told from other models that give a vector a row."""

NO_VECTOR = Invalid("model_error", "the model gave no numbers for the parts of the text")


class VectorScorer:
    """Models with an output ``vector``, behind a cache of what they gave.

    Args:
        models: where they are served.
        cache: shared with raw scores, and closed by whoever made it.
    """

    def __init__(self, models: ModelServer, cache: ScoreCache) -> None:
        self._models = models
        self._cache = cache
        self._flight = SingleFlight()

    async def logprobs(
        self,
        model: str,
        contexts: Sequence[str],
        continuations: Sequence[str],
        deadline: float | None,
        mode: CacheMode,
        usage: Usage,
    ) -> list[Vector | Invalid]:
        """Log-probabilities of the tokens of continuations, each after its context; equal pairs are asked once.

        Raises:
            ModelUnavailable: the model is not served, or was replaced again and again; the message says what to do.
            InvalidRequest: it is no language model.
        """
        batch = Batch([""] * len(contexts), list(contexts), list(continuations))
        return await self._vectors(lambda: self._language_model(model), batch, deadline, mode, usage)

    async def steps(
        self, model: str, batch: Batch, deadline: float | None, mode: CacheMode, usage: Usage
    ) -> list[Vector | Invalid]:
        """Numbers of the steps of a batch's answers, in their order; equal samples are asked once.

        Raises:
            NotFound: there is no such model.
            ModelUnavailable: it is not served, or was replaced again and again.
            InvalidRequest: it is no process reward model.
        """
        return await self._vectors(lambda: self._process_model(model), batch, deadline, mode, usage)

    async def _vectors(
        self,
        look_up: Callable[[], Awaitable[ModelInfo]],
        batch: Batch,
        deadline: float | None,
        mode: CacheMode,
        usage: Usage,
    ) -> list[Vector | Invalid]:
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + FAR_S
        for attempt in range(ATTEMPTS):
            info = await look_up()
            results = await self._results(info, batch, deadline, mode, usage, look_up=attempt == 0)
            if REPLACED not in results:
                return [read(result, info) for result in results]
        raise ModelUnavailable(REPLACED.message)

    async def _process_model(self, model: str) -> ModelInfo:
        info = await self._models.info(model)
        if not info.vector or DIMENSION in info.dimensions:
            raise InvalidRequest(
                f"{model} is no process reward model: it gives no number for each step.", param="model"
            )
        return info

    async def _language_model(self, model: str) -> ModelInfo:
        try:
            info = await self._models.info(model)
        except NotFound as error:
            name = split_version(model)[0]
            raise ModelUnavailable(
                f"{error.message.rstrip('.')}. Texts are read by a hosted language model: run "
                f"`reward-gateway models build {name}` and start the gateway again, name another model, "
                "or give the log-probabilities yourself."
            ) from None
        if not info.vector or DIMENSION not in info.dimensions:
            raise InvalidRequest(
                f"{model} is no language model: it gives no log-probabilities of tokens.", param="model"
            )
        return info

    async def _results(
        self, info: ModelInfo, batch: Batch, deadline: float, mode: CacheMode, usage: Usage, *, look_up: bool
    ) -> list[Result]:
        keys = SampleDigests(batch).keys(info, params=PARAMS) if mode != "off" else []
        known: list[Result | None] = [None] * batch.size
        if mode == "use" and look_up and keys:
            known = list(await self._cache.get_many(keys))
        missing = [i for i, entry in enumerate(known) if entry is None]

        async def ask(places: list[int]) -> list[Result]:
            rows = [missing[place] for place in places]
            answer = await self._models.score(info.name, batch, rows, deadline)
            usage.model_calls += answer.calls
            results = entries(answer, info)
            if answer.version != info.version and any(isinstance(result, Entry) for result in results):
                return [REPLACED] * len(places)
            if keys:
                found = zip(rows, results, strict=True)
                self._cache.put_later([(keys[row], result) for row, result in found if isinstance(result, Entry)])
            return results

        if missing:
            everyone = list(range(len(missing)))
            flight = self._flight.compute([keys[i] for i in missing], ask, deadline) if keys else ask(everyone)
            for i, result in zip(missing, await flight, strict=True):
                known[i] = result
        return [NO_VECTOR if result is None else result for result in known]


def entries(answer: ModelAnswer, info: ModelInfo) -> list[Result]:
    """A model's vectors as entries, and its reasons."""
    return [
        answer.invalid[row]
        if row in answer.invalid
        else Entry(answer.vectors[row], info.flag_bits(answer.flags.get(row, ())))
        if answer.vectors.get(row)
        else NO_VECTOR
        for row in range(len(answer.values))
    ]


def read(result: Result, info: ModelInfo) -> Vector | Invalid:
    """An entry as numbers."""
    if isinstance(result, Invalid):
        return result
    values = np.frombuffer(result.values, "<f4").astype(np.float64)
    return Vector(values, info.flag_names(result.flags), info.version)
