"""``/v1/rerank`` and ``/v2/rerank``, shared by vLLM and Cohere: one response has the keys of both."""

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
    """Documents, best first, with the keys of Cohere's and of vLLM's response."""

    id: str
    model: str
    usage: TokenUsage
    results: list[RankedRow]
    meta: CohereMeta


@dialect.post("/v1/rerank", body=RerankRequest, answer=RerankedForBoth, example=EXAMPLE)
async def rerank_v1(request: DialectRequest, body: RerankRequest) -> Any:
    """Documents, best first, with scores in [0, 1]."""
    return await _rerank_for_both(request, body, "1")


@dialect.post("/v2/rerank", body=RerankRequest, answer=RerankedForBoth, example=EXAMPLE)
async def rerank_v2(request: DialectRequest, body: RerankRequest) -> Any:
    """Documents, best first, with scores in [0, 1]."""
    return await _rerank_for_both(request, body, "2")


async def _rerank_for_both(request: DialectRequest, body: RerankRequest, version: str) -> Any:
    texts, scores = await rerank_scores(request, body)
    return {
        "id": request.id,
        "model": scores.plan.name,
        "usage": no_usage(),
        "results": vllm_results(texts, scores.numbers(), body.top_n),
        "meta": cohere_meta(version),
    }
