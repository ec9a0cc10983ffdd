"""``/v1/rerank`` and ``/v2/rerank``, which vLLM and Cohere share: one answer serves both, each reads its own keys."""

from typing import Any

from msgspec import Struct

from .dialect import Dialect
from .error_formats import RERANK
from .policy import Policy
from .ranking import EXAMPLE, CohereMeta, RankedRow, RerankRequest, cohere_meta, rerank_scores, vllm_results
from .request import DialectRequest
from .usage import TokenUsage, no_usage

dialect = Dialect(
    Policy(
        name="rerank",
        title="Rerank, on the paths that vLLM and Cohere share",
        clients=("Cohere's SDK", "vLLM's clients"),
        prefix="",
        score="unit",
        error_format=RERANK,
    )
)
router = dialect.router


class RerankedForBoth(Struct):
    """Documents from the best to the worst, with the keys of Cohere's answer and of vLLM's."""

    id: str
    model: str
    usage: TokenUsage
    results: list[RankedRow]
    meta: CohereMeta


@dialect.post("/v1/rerank", body=RerankRequest, answer=RerankedForBoth, example=EXAMPLE)
async def rerank_v1(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]."""
    return await _both(ask, body, "1")


@dialect.post("/v2/rerank", body=RerankRequest, answer=RerankedForBoth, example=EXAMPLE)
async def rerank_v2(ask: DialectRequest, body: RerankRequest) -> Any:
    """Documents from the best to the worst, scores in [0, 1]."""
    return await _both(ask, body, "2")


async def _both(ask: DialectRequest, body: RerankRequest, version: str) -> Any:
    texts, scores = await rerank_scores(ask, body)
    return {
        "id": ask.id,
        "model": scores.plan.name,
        "usage": no_usage(),
        "results": vllm_results(texts, scores.numbers(), body.top_n),
        "meta": cohere_meta(version),
    }
